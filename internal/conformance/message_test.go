package conformance

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
)

// message is a request as it came over the wire.
type message struct {
	head    []string // request line and header lines, latin-1 text
	body    []byte
	chunked bool
	chunks  []int // sizes, without the last one of zero
}

// maxLine bounds what is read of a request's head and of its chunks' heads.
const maxLine = 1 << 20

var (
	errLine  = errors.New("line too long")
	errChunk = errors.New("malformed chunk")
)

// readMessage reads a whole request: chunked framing counts before
// Content-Length.
func readMessage(r *bufio.Reader) (*message, error) {
	m := &message{}
	for {
		line, err := readLine(r)
		if err != nil {
			return nil, err
		}
		if line == "" {
			break
		}
		m.head = append(m.head, fromLatin1([]byte(line)))
	}
	if len(m.head) == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	if coding, ok := m.field("Transfer-Encoding"); ok && strings.Contains(strings.ToLower(coding), "chunked") {
		return m, m.readChunks(r)
	}
	if text, ok := m.field("Content-Length"); ok {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return nil, err
		}
		m.body = make([]byte, n)
		_, err = io.ReadFull(r, m.body)
		return m, err
	}
	return m, nil
}

// readChunks reads a chunked body and its trailer.
func (m *message) readChunks(r *bufio.Reader) error {
	m.chunked = true
	for {
		line, err := readLine(r)
		if err != nil {
			return err
		}
		size, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 31)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		m.chunks = append(m.chunks, int(n))
		chunk := make([]byte, n)
		if _, err := io.ReadFull(r, chunk); err != nil {
			return err
		}
		m.body = append(m.body, chunk...)
		if end, err := readLine(r); err != nil || end != "" {
			return errors.Join(errChunk, err)
		}
	}
	for {
		if line, err := readLine(r); err != nil || line == "" {
			return err
		}
	}
}

// readLine reads a line and leaves out its end.
func readLine(r *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		piece, err := r.ReadSlice('\n')
		b.Write(piece)
		if err == nil {
			return strings.TrimSuffix(strings.TrimSuffix(b.String(), "\n"), "\r"), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
		if b.Len() > maxLine {
			return "", errLine
		}
	}
}

// method is the request line's first word, and target its second.
func (m *message) method() string { word, _, _ := strings.Cut(m.head[0], " "); return word }

func (m *message) target() string {
	words := strings.Fields(m.head[0])
	if len(words) < 2 {
		return ""
	}
	return words[1]
}

// field returns the value of the first header of that name.
func (m *message) field(name string) (string, bool) {
	for _, line := range m.head[1:] {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(key, name) {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}
