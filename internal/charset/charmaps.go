package charset

import (
	"strings"

	"golang.org/x/text/encoding/charmap"
)

// charmapOf returns the single-byte table of golang.org/x/text for a canonical
// name; nil where it has none.
func charmapOf(name string) *charmap.Charmap {
	switch {
	// The prefix tells which of three maps to make.
	case strings.HasPrefix(name, "iso-8859-"):
		return isoCharmap(name)
	case strings.HasPrefix(name, "windows-"):
		return windowsCharmap(name)
	case strings.HasPrefix(name, "cp"):
		return codepageCharmap(name)
	}
	switch name {
	case "koi8-r":
		return charmap.KOI8R
	case "koi8-u":
		return charmap.KOI8U
	case "macintosh":
		return charmap.Macintosh
	case "mac-cyrillic":
		return charmap.MacintoshCyrillic
	case "x-user-defined":
		return charmap.XUserDefined
	}
	return nil
}

// isoCharmap has the parts of ISO 8859. The maps here are made at each call: a
// table is asked for once and kept.
func isoCharmap(name string) *charmap.Charmap {
	maps := map[string]*charmap.Charmap{
		"iso-8859-1":  charmap.ISO8859_1,
		"iso-8859-2":  charmap.ISO8859_2,
		"iso-8859-3":  charmap.ISO8859_3,
		"iso-8859-4":  charmap.ISO8859_4,
		"iso-8859-5":  charmap.ISO8859_5,
		"iso-8859-6":  charmap.ISO8859_6,
		"iso-8859-7":  charmap.ISO8859_7,
		"iso-8859-8":  charmap.ISO8859_8,
		"iso-8859-9":  charmap.ISO8859_9,
		"iso-8859-10": charmap.ISO8859_10,
		"iso-8859-13": charmap.ISO8859_13,
		"iso-8859-14": charmap.ISO8859_14,
		"iso-8859-15": charmap.ISO8859_15,
		"iso-8859-16": charmap.ISO8859_16,
	}
	return maps[name]
}

// windowsCharmap has the code pages that Windows names by four digits.
func windowsCharmap(name string) *charmap.Charmap {
	maps := map[string]*charmap.Charmap{
		"windows-1250": charmap.Windows1250,
		"windows-1251": charmap.Windows1251,
		"windows-1252": charmap.Windows1252,
		"windows-1253": charmap.Windows1253,
		"windows-1254": charmap.Windows1254,
		"windows-1255": charmap.Windows1255,
		"windows-1256": charmap.Windows1256,
		"windows-1257": charmap.Windows1257,
		"windows-1258": charmap.Windows1258,
	}
	return maps[name]
}

// codepageCharmap has code pages of IBM and DOS by the names that Python gives
// them.
func codepageCharmap(name string) *charmap.Charmap {
	maps := map[string]*charmap.Charmap{
		"cp037": charmap.CodePage037,
		"cp437": charmap.CodePage437,
		"cp850": charmap.CodePage850,
		"cp852": charmap.CodePage852,
		"cp855": charmap.CodePage855,
		"cp858": charmap.CodePage858,
		"cp860": charmap.CodePage860,
		"cp862": charmap.CodePage862,
		"cp863": charmap.CodePage863,
		"cp865": charmap.CodePage865,
		"cp866": charmap.CodePage866,
		// Python's cp874 is the page of Windows.
		"cp874":  charmap.Windows874,
		"cp1140": charmap.CodePage1140,
	}
	return maps[name]
}
