package requests

import (
	"bytes"
	"crypto/tls"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-9ea40bd3/requests/internal/testserver"
)

// seenClients notes who shook hands with a server: whose certificate was
// shown, and what name was asked for.
type seenClients struct {
	mu   sync.Mutex
	list []string
}

func (s *seenClients) config(leaf tls.Certificate) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{leaf}, ClientAuth: tls.RequestClientCert,
		VerifyConnection: func(cs tls.ConnectionState) error {
			who := "nobody"
			if len(cs.PeerCertificates) > 0 {
				who = cs.PeerCertificates[0].Subject.CommonName
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.list = append(s.list, strings.TrimSuffix(who+" "+cs.ServerName, " "))
			return nil
		},
	}
}

func (s *seenClients) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.list
	s.list = nil
	return list
}

// What is the origin's is not the TLS proxy's on the way: certificate, name and
// pins. One that forwards is the only peer, and is shown the certificate.
func TestTLSOfProxyAndOrigin(t *testing.T) {
	ca := testserver.NewCA(t)
	var atProxy, atOrigin seenClients
	leaf := ca.Leaf("origin.test")
	secure := strings.Replace(tlsLoop(t, atOrigin.config(leaf), hello), "localhost", "127.0.0.1", 1)
	plain := loopServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello plain")) })
	proxy := (&testserver.HTTPProxy{TLS: atProxy.config(ca.Leaf("127.0.0.1"))}).Start(t).URL()
	stranger := (&testserver.HTTPProxy{TLS: atProxy.config(ca.Leaf("origin.test"))}).Start(t).URL()
	_, _, alice, _ := clientFiles(t, ca, "alice")
	pins := []string{spkiPin(leaf.Leaf)}
	tests := []struct {
		name   string
		url    string
		tls    TLSSettings
		proxy  string
		want   string // the body; "" for an error of the proxy's certificate
		proxys []string
		origin []string
	}{
		{"tunnel", secure, TLSSettings{ServerName: "origin.test", Pins: pins}, proxy, "hello alice", []string{"nobody"}, []string{"alice origin.test"}},
		{"tunnel of another's name", secure, TLSSettings{ServerName: "origin.test"}, stranger, "", []string{"nobody"}, nil},
		{"tunnel that speaks too old", secure, TLSSettings{ServerName: "origin.test", MaxVersion: tls.VersionTLS12, MinVersion: tls.VersionTLS13}, proxy, "", nil, nil},
		{"forward", plain, TLSSettings{ServerName: "origin.test", Pins: pins}, proxy, "hello plain", []string{"alice"}, nil},
		{"forward of another's name", plain, TLSSettings{ServerName: "origin.test", Pins: pins}, stranger, "", []string{"alice"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var keys bytes.Buffer
			tt.tls.KeyLog = &keys
			s := tlsSession(t, &HTTPAdapter{TLS: tt.tls}, Settings{Verify: TLSVerify{Roots: ca.Pool()}}, Cert(alice))
			r, err := s.Get(t.Context(), tt.url, Proxy("all", tt.proxy))
			// A server hears of a client that does not trust it, or never.
			if proxys := atProxy.take(); tt.want != "" || len(proxys) > 0 {
				assert.Equal(t, tt.proxys, proxys)
			}
			assert.Equal(t, tt.origin, atOrigin.take())
			if tt.want == "" {
				require.ErrorIs(t, err, ErrSSL)
				assert.ErrorIs(t, err, ErrProxy)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, r.Text())
			shakes := len(tt.proxys) + len(tt.origin)
			assert.Equal(t, shakes, strings.Count(keys.String(), "CLIENT_TRAFFIC_SECRET_0"), "secrets of both are logged")
		})
	}
}
