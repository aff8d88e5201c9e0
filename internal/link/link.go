// Package link parses the Link header of responses (RFC 8288 section 3).
package link

import "strings"

// Param is a parameter of a [Link]. Its name is in lower case, as names are
// case-insensitive (RFC 8288 appendix B.3); one without a value has the empty one.
type Param struct {
	// Name is in lower case, and Value without its quotes.
	Name, Value string
}

// Link is one link of a Link header. The zero value is a link to nowhere.
type Link struct {
	// URL is the target as it was written, not resolved.
	URL string

	// Params are the parameters in order. Of rel, media, title, title* and
	// type only the first counts (RFC 8288 sections 3.3 and 3.4.1).
	Params []Param
}

// Rel returns the key that Requests files a link under: the whole value of rel,
// or the URL where that is missing or empty.
func (l Link) Rel() string {
	for _, p := range l.Params {
		if p.Name == "rel" && p.Value != "" {
			return p.Value
		}
	}
	return l.URL
}

// Parse reads the links of a header; several lines are joined by commas before.
//
//	Link       = #link-value
//	link-value = "<" URI-Reference ">" *( OWS ";" OWS [ link-param ] )
//	link-param = token BWS [ "=" BWS ( token / quoted-string ) ]
//
// What the grammar does not cover is taken as Requests takes it: a target may
// lack its brackets, a comma separates links only before a "<" or at the end,
// and quotes and blanks around a value are dropped. Parse never fails.
func Parse(header string) []Link {
	p := parser{s: header, lastClose: strings.LastIndexByte(header, '>')}
	p.i = p.run(0)
	var links []Link
	for p.i < len(p.s) {
		l := Link{URL: p.target()}
		for p.skip(); p.at(';'); p.skip() {
			p.i++
			if param := p.param(); param.Name != "" && !repeated(l.Params, param.Name) {
				l.Params = append(l.Params, param)
			}
		}
		links = append(links, l)
		p.i = p.run(p.i)
	}
	return links
}

// repeated reports whether a parameter that counts once was there before. The
// list stays short: what may repeat is not looked for.
func repeated(params []Param, name string) bool {
	switch name {
	case "rel", "media", "title", "title*", "type":
	default:
		return false
	}
	for _, p := range params {
		if p.Name == name {
			return true
		}
	}
	return false
}

const blanks = " \t"

// parser is a position in a header; each step moves it on.
type parser struct {
	s         string
	i         int
	lastClose int // where the last ">" is, so that each is looked for once
}

// at reports whether the next byte is c.
func (p *parser) at(c byte) bool { return p.i < len(p.s) && p.s[p.i] == c }

// run returns the end of the commas and blanks at i.
func (p *parser) run(i int) int {
	for i < len(p.s) && strings.IndexByte(", \t", p.s[i]) >= 0 {
		i++
	}
	return i
}

// until moves to the first of stops, or the separator before another link.
func (p *parser) until(stops string) string {
	start := p.i
	for p.i < len(p.s) {
		c := p.s[p.i]
		if strings.IndexByte(stops, c) >= 0 {
			break
		}
		if c != ',' {
			p.i++
			continue
		}
		end := p.run(p.i)
		if end == len(p.s) || p.s[end] == '<' {
			break
		}
		p.i = end
	}
	return p.s[start:p.i]
}

// skip passes over what follows a target or a parameter.
func (p *parser) skip() { p.until(";") }

// blanks passes over optional white space.
func (p *parser) blanks() {
	for p.i < len(p.s) && strings.IndexByte(blanks, p.s[p.i]) >= 0 {
		p.i++
	}
}

// target reads a link's URL: what is between the brackets, or up to the next
// semicolon where they are missing.
func (p *parser) target() string {
	var url string
	if p.at('<') && p.i < p.lastClose {
		end := p.i + strings.IndexByte(p.s[p.i:], '>')
		url = p.s[p.i:end]
		p.i = end + 1
	} else {
		url = p.until(";")
	}
	return strings.Trim(url, "<> \t'\"")
}

// param reads one parameter. One without a value has an empty one.
func (p *parser) param() Param {
	name := strings.ToLower(strings.Trim(p.until("=;"), blanks+"'\""))
	if !p.at('=') {
		return Param{Name: name}
	}
	p.i++
	p.blanks()
	if p.at('"') {
		return Param{name, p.quoted()}
	}
	return Param{name, strings.Trim(p.until(";"), blanks+"'\"")}
}

// quoted reads a quoted-string, which ends with the header at the latest (RFC
// 8288 appendix B.4).
func (p *parser) quoted() string {
	var b strings.Builder
	for p.i++; p.i < len(p.s) && p.s[p.i] != '"'; p.i++ {
		if p.s[p.i] == '\\' && p.i+1 < len(p.s) {
			p.i++
		}
		b.WriteByte(p.s[p.i])
	}
	p.i = min(p.i+1, len(p.s))
	return b.String()
}
