package requests

import (
	"context"
	"slices"
	"strings"
)

// Adapter sends prepared requests. Send must return a response or an error
// and never both; it must not follow redirects, and it must not keep the
// request after the response's body was closed. It leaves the body to be
// read, whatever settings say of streaming. It must be safe for many
// goroutines at once where the session is used so.
//
// Close gives up what the adapter holds; it may be used again after.
type Adapter interface {
	Send(ctx context.Context, p *PreparedRequest, settings Settings) (*Response, error)
	Close() error
}

// mounts finds the adapter of the longest prefix of a URL: one look in a map
// for each length that a prefix has.
type mounts struct {
	byPrefix map[string]Adapter // by prefix in lower case
	lengths  []int              // of prefixes, longest first
	counts   map[int]int        // how many prefixes have a length

	plain, secure Adapter // of the two prefixes that are there by default
}

// put mounts an adapter. The lengths stay sorted, the longest first, so that
// find meets the longest prefix first.
func (m *mounts) put(prefix string, a Adapter) {
	if m.byPrefix == nil {
		m.byPrefix, m.counts = map[string]Adapter{}, map[int]int{}
	}
	prefix = strings.ToLower(prefix)
	if _, again := m.byPrefix[prefix]; !again {
		n := len(prefix)
		if m.counts[n]++; m.counts[n] == 1 {
			at, _ := slices.BinarySearchFunc(m.lengths, n, func(a, b int) int { return b - a })
			m.lengths = slices.Insert(m.lengths, at, n)
		}
	}
	m.byPrefix[prefix] = a
	switch prefix {
	case "http://":
		m.plain = a
	case "https://":
		m.secure = a
	}
}

// find returns the adapter of the longest prefix of url, or nil. It takes as
// many looks as prefixes have lengths, and not as there are prefixes.
func (m *mounts) find(url string) Adapter {
	// As in nearly every session, which needs no look for them.
	if len(m.byPrefix) == 2 && m.plain != nil && m.secure != nil {
		switch {
		case strings.HasPrefix(url, "http://"):
			return m.plain
		case strings.HasPrefix(url, "https://"):
			return m.secure
		}
	}
	for _, n := range m.lengths {
		if n > len(url) {
			continue
		}
		if a, ok := m.byPrefix[strings.ToLower(url[:n])]; ok {
			return a
		}
	}
	return nil
}

// Mount has requests whose URL begins with prefix sent by a. The longest
// prefix that fits counts, in any letter case. End a host with a slash:
// "http://localhost" fits "http://localhost.other.com/" too. A prefix mounted
// again replaces.
func (s *Session) Mount(prefix string, a Adapter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mountDefaultsLocked()
	s.mounts.put(prefix, a)
}

// mountDefaultsLocked gives a new session its two adapters.
func (s *Session) mountDefaultsLocked() {
	if s.mounts.byPrefix != nil {
		return
	}
	if s.shared != nil {
		s.mounts.put("https://", s.shared)
		s.mounts.put("http://", s.shared)
		return
	}
	s.mounts.put("https://", new(HTTPAdapter))
	s.mounts.put("http://", new(HTTPAdapter))
}

// Adapter returns the adapter that serves url, or an [ErrInvalidSchema].
func (s *Session) Adapter(url string) (Adapter, error) {
	// The package's verbs make a session for each call: theirs is spared the map
	// and the lock.
	if s.shared != nil && (strings.HasPrefix(url, "http://") || strings.HasPrefix(url, "https://")) {
		return s.shared, nil
	}
	s.mu.RLock()
	ready, a := s.mounts.byPrefix != nil, s.mounts.find(url)
	s.mu.RUnlock()
	if !ready {
		s.mu.Lock()
		s.mountDefaultsLocked()
		a = s.mounts.find(url)
		s.mu.Unlock()
	}
	if a == nil {
		return nil, &Error{kind: ErrInvalidSchema, reason: "no adapter is mounted for " + quoteName(shownURL(url))}
	}
	return a, nil
}

// Close closes the session's adapters and, with them, idle connections. The
// session may be used again, on new ones.
func (s *Session) Close() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var first error
	for _, a := range s.mounts.byPrefix {
		// Other calls are using it.
		if a == s.shared {
			continue
		}
		if err := a.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
