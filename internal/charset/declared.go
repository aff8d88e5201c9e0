package charset

import (
	"bytes"
	"strings"
)

// declaredWithin is how many bytes are searched for a declaration; the HTML
// standard asks authors to put it within the first 1024.
const declaredWithin = 4096

// declared returns the encoding that an HTML or XML text names itself, in a
// meta element or in its XML declaration; empty where it names none, or one
// that is not known, or that the text is not valid in.
func declared(b []byte) string {
	head := bytes.ToLower(b[:min(len(b), declaredWithin)])
	// XHTML may have both; the XML declaration is what a parser meets first.
	for _, label := range []string{xmlLabel(head), metaLabel(head)} {
		if label == "" {
			continue
		}
		name, ok := canonical(label)
		if !ok || strings.HasPrefix(name, "utf-16") || strings.HasPrefix(name, "utf-32") {
			continue // The declaration could not be read if that were true.
		}
		if name = validAs(name, b); name != "" {
			return name
		}
	}
	return ""
}

// xmlLabel returns the label of an XML declaration that text begins with.
func xmlLabel(text []byte) string {
	text, found := bytes.CutPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("<?xml"))
	if !found {
		return ""
	}
	text, _, _ = bytes.Cut(text, []byte("?>"))
	return labelAfter(text, "encoding")
}

// metaLabel returns the label of the first meta element of text that has one.
func metaLabel(text []byte) string {
	for {
		_, rest, found := bytes.Cut(text, []byte("<meta"))
		if !found {
			return ""
		}
		element, after, _ := bytes.Cut(rest, []byte(">"))
		// It is found in charset="…" and in content="text/html; charset=…" alike.
		if label := labelAfter(element, "charset"); label != "" {
			return label
		}
		text = after
	}
}

// labelAfter returns the label that follows name and an equals sign.
func labelAfter(text []byte, name string) string {
	_, rest, found := bytes.Cut(text, []byte(name))
	if !found {
		return ""
	}
	rest, found = bytes.CutPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte("="))
	if !found {
		return ""
	}
	rest = bytes.TrimLeft(rest, " \t\r\n\"'")
	end := bytes.IndexAny(rest, " \t\r\n\"';/>")
	if end < 0 {
		end = len(rest)
	}
	return string(rest[:end])
}

// validAs returns name where b is valid in that encoding, or the one that
// extends it and that b is valid in, else an empty string.
func validAs(name string, b []byte) string {
	// Each encoding is tried, then the one that texts in it often stray into.
	for name != "" {
		text, ok := Decode(name, b)
		wrong := !ok || strings.Contains(text, replacement)
		// Every byte is valid in these, but who writes control characters?
		if name == "iso-8859-1" || name == "iso-8859-9" {
			wrong = strings.ContainsFunc(text, func(r rune) bool { return 0x80 <= r && r < 0xA0 })
		}
		if !wrong {
			return name
		}
		name = extension(name)
	}
	return ""
}

// extension returns the encoding that texts labelled with name are often in.
func extension(name string) string {
	switch name {
	case "iso-8859-1", "ascii":
		return "windows-1252"
	case "iso-8859-9":
		return "windows-1254"
	case "shift_jis":
		return "cp932"
	case "euc-kr":
		return "cp949"
	case "gb2312":
		return "gbk"
	case "gbk":
		return "gb18030"
	case "big5":
		return "big5hkscs"
	}
	return ""
}
