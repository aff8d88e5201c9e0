// Package netrc parses netrc files as Python's netrc module does, which Requests
// takes credentials from.
package netrc

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxSize is the size in bytes that a file may have.
const MaxSize = 1 << 20

// These are the causes of an [Error]; test for them with [errors.Is].
var (
	// ErrTooLarge says that a file is larger than [MaxSize].
	ErrTooLarge = errors.New("file too large")

	// ErrEncoding says that a file is not UTF-8.
	ErrEncoding = errors.New("not UTF-8")

	// ErrSyntax says that a word is not where it may be, or that one is missing.
	ErrSyntax = errors.New("unexpected word")

	// ErrMacro says that a macro has no empty line behind it.
	ErrMacro = errors.New("macro without an end")
)

// Error is a file that cannot be parsed. It never holds anything of the file.
type Error struct {
	Line int   // where it was found, from 1; 0 for the file as a whole
	Err  error // never nil
}

// Error names the line and the cause.
func (e *Error) Error() string {
	if e.Line == 0 {
		return "netrc: " + e.Err.Error()
	}
	return fmt.Sprintf("netrc: line %d: %v", e.Line, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Entry is what a file says of a machine; what it does not say is empty.
type Entry struct {
	// Login, Account and Password are words of the file with quotes and
	// backslashes undone.
	Login, Account, Password string
}

// File is a parsed file. The zero value has no entries. It may be used by
// several goroutines at once.
type File struct {
	entries map[string]Entry
}

// defaultName is the name of the default entry, also when written as a machine.
const defaultName = "default"

// Lookup returns the entry of a host, given without a port, else the default
// entry. The host is lower-cased; names in the file count as they are written.
// An entry that says nothing is none, and the default does not stand in for it,
// nor for what an entry leaves out.
func (f *File) Lookup(host string) (Entry, bool) {
	e, ok := f.entries[strings.ToLower(host)]
	if !ok {
		e = f.entries[defaultName]
	}
	return e, e != Entry{}
}

// Parse parses a file:
//
//	file    = *( entry / "macdef" name lines empty-line / comment )
//	entry   = ( "machine" name / "default" ) *( field / comment )
//	field   = ( "login" / "user" / "account" / "password" ) word
//
// Words are separated by blanks; one that begins with a quote ends with the
// next, and a backslash takes the character behind it as it is. Of entries for
// one machine the last counts. An empty word in quotes in place of a keyword
// ends the file, as it does in Python. Errors are an [*Error].
func Parse(text string) (*File, error) {
	if len(text) > MaxSize {
		return nil, &Error{Err: ErrTooLarge}
	}
	if !utf8.ValidString(text) {
		return nil, &Error{Err: ErrEncoding}
	}
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	p := parser{s: text, line: 1}
	f := &File{entries: make(map[string]Entry)}
	if err := p.file(f); err != nil {
		return nil, &Error{Line: p.line, Err: err}
	}
	return f, nil
}

// parser is a position in a file.
type parser struct {
	s    string // what is left
	line int    // of s, from 1 on: comments and errors go by it
}

// file reads the entries up to the end. It is as lenient as Python's module
// netrc, and as strict: a word that is no keyword makes the whole file one that
// is not used.
func (p *parser) file(f *File) error {
	line := p.line
	word := p.word()
	for word != "" {
		var err error
		switch {
		case word[0] == '#':
			// Only a lone # hides the rest of its line here; of others it is
			// a word alone, so that what follows is looked at.
			if word == "#" && p.line == line {
				p.rest()
			}
			line = p.line
			word = p.word()
		case word == "macdef":
			p.word()
			err = p.macro()
			line = p.line
			word = p.word()
		case word == "machine":
			word, err = p.entry(f, p.word())
		case word == defaultName:
			word, err = p.entry(f, defaultName)
		default:
			err = ErrSyntax
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// entry reads the fields of a machine, and returns the word that ended them.
func (p *parser) entry(f *File, name string) (string, error) {
	if name == "" {
		return "", ErrSyntax
	}
	var e Entry
	for {
		line := p.line
		switch word := p.word(); {
		case strings.HasPrefix(word, "#"):
			if p.line == line {
				p.rest()
			}
		case word == "", word == "machine", word == defaultName, word == "macdef":
			f.entries[name] = e
			return word, nil
		case word == "login", word == "user":
			e.Login = p.word()
		case word == "account":
			e.Account = p.word()
		case word == "password":
			e.Password = p.word()
		default:
			return "", ErrSyntax
		}
	}
}

// macro passes over lines up to an empty one.
func (p *parser) macro() error {
	for p.s != "" {
		if p.rest() == "" {
			return nil
		}
	}
	return ErrMacro
}

// rest takes what is left of the line. An unended last line is never empty.
func (p *parser) rest() string {
	line, left, ended := strings.Cut(p.s, "\n")
	if ended {
		p.line++
	}
	p.s = left
	return line
}

// next takes a byte; it reports false at the end.
func (p *parser) next() (byte, bool) {
	if p.s == "" {
		return 0, false
	}
	c := p.s[0]
	p.s = p.s[1:]
	if c == '\n' {
		p.line++
	}
	return c, true
}

// word takes a word and the byte that ends it; it is empty at the end.
func (p *parser) word() string {
	p.blanks()
	quoted := strings.HasPrefix(p.s, `"`)
	if quoted {
		p.s = p.s[1:]
	}
	var b strings.Builder
	for {
		c, ok := p.next()
		if !ok || quoted && c == '"' || !quoted && isBlank(c) {
			return b.String()
		}
		if c == '\\' {
			if c, ok = p.next(); !ok {
				return b.String()
			}
		}
		b.WriteByte(c)
	}
}

// blanks passes over the blanks before a word, and counts their lines.
func (p *parser) blanks() {
	for p.s != "" && isBlank(p.s[0]) {
		p.next()
	}
}

// isBlank reports whether c separates words; a carriage return has become a
// line feed before.
func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' }
