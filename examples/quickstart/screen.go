package main

import (
	"fmt"
	"io"
	"os"
)

// screen writes what happens: in colours, and with progress in place, on a
// terminal alone.
type screen struct {
	out      io.Writer
	terminal bool
	colours  bool
}

// newScreen looks at where it writes to. NO_COLOR, set to anything, does
// without colours.
func newScreen(f *os.File) *screen {
	fi, err := f.Stat()
	terminal := err == nil && fi.Mode()&os.ModeCharDevice != 0
	return &screen{out: f, terminal: terminal, colours: terminal && os.Getenv("NO_COLOR") == ""}
}

func (s *screen) title(text string) { fmt.Fprintf(s.out, "\n%s\n", s.paint("1;36", text)) }

func (s *screen) field(name, value string) {
	fmt.Fprintf(s.out, "  %s %s\n", s.paint("2", fmt.Sprintf("%-16s", name)), value)
}

// progress shows how much of a whole is there: on a terminal again and again
// on one line, elsewhere once at the end.
func (s *screen) progress(name string, done, whole int) {
	if done < whole && !s.terminal {
		return
	}
	if s.terminal {
		fmt.Fprint(s.out, "\r")
	}
	fmt.Fprintf(s.out, "  %s %3d %% of %d KiB", s.paint("2", fmt.Sprintf("%-16s", name)), done*100/whole, whole>>10)
	if done >= whole {
		fmt.Fprintln(s.out)
	}
}

func (s *screen) paint(code, text string) string {
	if !s.colours {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
