package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
)

// Deviations are the cases that behave otherwise than recorded on purpose, by
// their names.
type Deviations map[string]Deviation

// Deviation is what is done instead, and the rule that demands it.
type Deviation struct {
	Rule string      `json:"rule"`
	Ours Observation `json:"ours"`
}

// LoadDeviations reads a file of deviations.
func LoadDeviations(path string) (Deviations, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var d Deviations
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber() // other keys are for the reader
	if err := dec.Decode(&d); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

// Write writes the deviations to a file, in the order of their names.
func (d Deviations) Write(path string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(d); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// Unknown returns the names, sorted, that no case of the corpus has.
func (d Deviations) Unknown(corpus Corpus) []string {
	left := maps.Clone(d)
	for _, c := range corpus {
		delete(left, c.Name)
	}
	return slices.Sorted(maps.Keys(left))
}

// knownRule reports whether a deviation may be listed under a rule: one of the
// corpus's own, or a quirk of the reference that is to be mended.
func knownRule(rule string) bool {
	switch rule {
	case "V1", "V2", "V3", "V4", "V5", "V6", "V7", "V8", "V9", "V10", "V11", "V12",
		"V13", "V14", "V15", "V16", "V17", "V18", "V19", "V20", "V21", "V22", "V23",
		"TLS-4", "PRX-11", "HDR-32", "CK-5", "CK-8", "CK-14", "CK-15", "RED-15", "RED-16",
		"RED-19", "DIG-9", "RTY-8", "RED-20", "BODY-13", "BODY-17", "BODY-7", "BODY-12", "BODY-30",
		"MP-7", "MP-9", "STR-2", "STR-2b", "STR-7", "STR-14", "LINE-1", "LINE-3", "LINE-4",
		"ENC-3", "JSON-10", "DEC-3", "DEC-4", "DEC-22", "TMO-4", "TMO-7", "TMO-8", "RTY-4",
		"DIG-1", "DIG-2", "DIG-3", "DIG-4", "DIG-5", "DIG-6", "DIG-13", "DIG-8",
		"PRX-5", "PRX-9", "PRX-10", "PRX-22", "URL-12", "URL-8", "URL-7", "URL-24", "BODY-5",
		"HDR-8", "MRG-3", "ENV-1", "PREP-4", "CK-13", "CK-34", "AUTH-3", "AUTH-4", "STR-6",
		"STR-9", "STR-10", "NOP-4", "NOP-5", "PRX-8", "PRX-20", "TLS-8", "TLS-9",
		"ERR-1", "ERR-20", "LINK-1", "ELA-2":
		return true
	}
	return false
}

// Verdict is what a case came to.
type Verdict uint8

// The verdicts.
const (
	Failed Verdict = iota
	Matched
	Deviated
)

// Result is a case's verdict and the reasons of a failure.
type Result struct {
	Case    *Case
	Verdict Verdict
	Rule    string      // of a deviation
	Why     []string    // differences, where it failed
	Got     Observation // nil where the runner itself failed
}

// judge compares what was observed with the record, and with the entry of the
// deviations where the case is listed.
func judge(c *Case, got Observation, entry Deviation, listed bool) Result {
	r := Result{Case: c, Got: got}
	why := Compare(c.Expect, got)
	switch {
	case !listed && len(why) == 0:
		r.Verdict = Matched
	case !listed:
		r.Why = why
	case entry.Rule == "":
		r.Why = append([]string{"listed as a deviation without a rule"}, why...)
	case !knownRule(entry.Rule):
		r.Why = append([]string{"listed as a deviation under " + entry.Rule + ", which is no rule"}, why...)
	case len(why) == 0:
		r.Why = []string{"listed as a deviation under " + entry.Rule + ", but behaves as recorded now"}
	default:
		r.deviation(entry)
	}
	return r
}

// deviation compares with the record in which the entry has put its parts.
func (r *Result) deviation(entry Deviation) {
	want := maps.Clone(r.Case.Expect)
	maps.Copy(want, entry.Ours)
	if why := Compare(want, r.Got); len(why) > 0 {
		r.Why = append([]string{"listed as a deviation under " + entry.Rule + ", but behaves in a third way"}, why...)
		return
	}
	r.Verdict, r.Rule = Deviated, entry.Rule
}

// ours returns the parts that differ from the record.
func (r *Result) ours() Observation {
	ours := Observation{}
	for _, part := range parts(r.Case.Expect, r.Got) {
		d := &differ{}
		if d.part(part, r.Case.Expect[part], r.Got[part]); len(d.lines) > 0 {
			ours[part] = withoutTexts(r.Got[part])
		}
	}
	return ours
}

// withoutTexts leaves out the texts of errors, which are not compared.
func withoutTexts(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = withoutTexts(v[i])
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			if key != "says" || !isError(v) {
				out[key] = withoutTexts(value)
			}
		}
		return out
	}
	return v
}
