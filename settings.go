package requests

import "maps"

// callSettings are the merged settings of a call, and what its redirects need
// to ask for proxies anew.
type callSettings struct {
	*Settings          // never changed: calls share them
	call      ProxyMap // the proxies of the call itself
	env       bool     // the environment's proxies count
	sent      bool     // it is of Session.Send, whose proxies have an order of their own
}

// merge lays the call's settings over the session's, with the environment
// where it belongs: proxies before the session's, the bundle after it.
func (m *callSettings) merge(s *Session, p *PreparedRequest, call *Settings, bundle bool) error {
	set := mergeSettings(&s.Settings, call)
	if err := set.check(); err != nil {
		return inRequest(p, "send", err)
	}
	// Rule ENV-4, mended: a Verify of the call or of the session is a decision,
	// and the environment does not overrule it.
	if bundle && set.Verify.isZero() && !s.IgnoreEnv {
		set.Verify.CABundle = s.env.bundle() // for http too: a redirect or a proxy may need it
	}
	m.call = call.Proxies
	// A guard checks the address that is dialled; behind a proxy of the
	// environment's that would be the proxy's.
	m.env = !s.IgnoreEnv && set.Guard == nil
	m.sent = !bundle
	set.Proxies = s.proxies(p, m, false)
	if g := call.environment; g != nil && maps.Equal(g.result, call.Proxies) {
		m.call, m.sent = g.call, false
	}
	m.Settings = s.keep(&set)
	return nil
}

// keep returns settings like set that nobody changes: those of an earlier call,
// which are nearly always the same, or a copy.
func (s *Session) keep(set *Settings) *Settings {
	if known := s.merged.Load(); known != nil && known.same(set) {
		return known
	}
	kept := *set
	if set.Proxies == nil {
		s.merged.Store(&kept)
	}
	return &kept
}

// through has the call go through other proxies from here on.
func (m *callSettings) through(proxies ProxyMap) {
	if len(proxies)+len(m.Proxies) > 0 {
		own := *m.Settings
		own.Proxies = proxies
		m.Settings = &own
	}
}
