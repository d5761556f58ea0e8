package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"example.org/avatard/authz/authztest"
	"example.org/avatard/authz/devidp"
)

// provider is the development provider, slowed down and counted.
type provider struct {
	*authztest.Provider
	user string // whose avatar is deleted

	asked, now, most atomic.Int64
}

func startProvider(delay time.Duration) (*provider, error) {
	idp, err := authztest.Start(nil)
	if err != nil {
		return nil, err
	}
	p := &provider{Provider: idp, user: devidp.UserBob}
	p.Misbehave("/introspect", func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		for now, most := p.now.Add(1), p.most.Load(); now > most && !p.most.CompareAndSwap(most, now); {
			most = p.most.Load()
		}
		defer p.now.Add(-1)
		if wait(r.Context(), delay) {
			p.Handler().ServeHTTP(w, r)
		}
	})
	return p, nil
}

func (p *provider) resetMost() { p.most.Store(p.now.Load()) }

// knownTokens makes tokens of somebody who may delete.
func (p *provider) knownTokens(n int) ([]string, error) {
	tokens := make([]string, n)
	for i := range tokens {
		var err error
		if tokens[i], err = p.Mint(devidp.TokenSpec{Subject: authztest.ManagerID}); err != nil {
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
