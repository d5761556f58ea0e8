package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"avatard/authz/devidp"
	"avatard/server"
)

// provider is the development provider, slowed down and counted.
type provider struct {
	*devidp.Seeded
	devidp *devidp.Provider
	user   string // whose avatar is deleted
	stop   func()

	asked, now, most atomic.Int64
}

func startProvider(ctx context.Context, delay time.Duration) (*provider, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &provider{user: devidp.UserBob}
	if p.devidp, p.Seeded, err = devidp.Seed(devidp.Config{Issuer: "http://" + ln.Addr().String() + "/idp"}); err != nil {
		return nil, err
	}
	handler := p.devidp.Handler()
	srv := server.NewHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/introspect") {
			p.asked.Add(1)
			for now, most := p.now.Add(1), p.most.Load(); now > most && !p.most.CompareAndSwap(most, now); {
				most = p.most.Load()
			}
			defer p.now.Add(-1)
			if !wait(r.Context(), delay) {
				return
			}
		}
		handler.ServeHTTP(w, r)
	}), nil)
	go func() { _ = srv.Serve(ln) }()
	p.stop = func() { _ = srv.Close() }
	return p, nil
}

func (p *provider) resetMost() { p.most.Store(p.now.Load()) }

// knownTokens makes tokens of somebody who may delete.
func (p *provider) knownTokens(n int) ([]string, error) {
	const manager = "150317214593155202" // the machine behind TOKEN_MANAGER
	tokens := make([]string, n)
	for i := range tokens {
		var err error
		if tokens[i], err = p.devidp.Mint(devidp.TokenSpec{Subject: manager}); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}

// inventedToken returns a token that nobody has made.
func inventedToken(n int) string { return fmt.Sprintf("invented-%d-%s", n, rand.Text()) }

// caller deletes over REST.
type caller struct {
	url       string
	transport *http.Transport
}

func newCaller(url, user string) *caller {
	return &caller{url: url + "/management/v1/users/" + user + "/avatar",
		transport: &http.Transport{MaxIdleConnsPerHost: 2 * maxCallers, DisableCompression: true}}
}

func (c *caller) close() { c.transport.CloseIdleConnections() }

// remove returns the status of the answer, 0 when there is none.
func (c *caller) remove(ctx context.Context, token string) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, c.url, nil)
	if err != nil {
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return 0
	}
	return res.StatusCode
}
