package login

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"

	"example.org/avatard/internal/client"
)

// callback is the page that the browser comes back to, once.
type callback struct {
	state    string
	provider Provider
	came     chan answer
}

// answer is what the provider sent along.
type answer struct {
	code string
	err  error
}

func newCallback(state string, p Provider) *callback {
	return &callback{state: state, provider: p, came: make(chan answer, 1)}
}

// wait returns the code.
func (c *callback) wait(ctx context.Context) (string, error) {
	select {
	case got := <-c.came:
		return got.code, got.err
	case <-ctx.Done():
		if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			return "", fmt.Errorf("%w: nobody signed in in time", client.ErrNotPermitted)
		}
		return "", ctx.Err()
	}
}

// ServeHTTP takes the answer that has our state. Others, which any page can make a browser send, change nothing.
func (c *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet || r.URL.Path != callbackPath {
		page(w, http.StatusNotFound, "There is nothing here.")
		return
	}
	query := r.URL.Query()
	if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(c.state)) != 1 {
		page(w, http.StatusBadRequest, "This is not the sign-in that avatard waits for. Start again with avatard login.")
		return
	}
	got := answer{code: query.Get("code")}
	switch issuer, named := query.Get("iss"), query.Has("iss"); {
	case named && issuer != c.provider.Issuer, !named && c.provider.namesItself:
		got = answer{err: fmt.Errorf("%w: the answer is not from %s, but from %q", client.ErrNotPermitted, c.provider.Issuer, client.Printable(issuer))}
	case query.Get("error") != "":
		got = answer{err: fmt.Errorf("%w: the provider says: %s", client.ErrNotPermitted,
			client.Printable(query.Get("error")+" "+query.Get("error_description")))}
	case got.code == "":
		got = answer{err: fmt.Errorf("%w: the provider sent no code", client.ErrNotPermitted)}
	}
	select {
	case c.came <- got:
	default: // the browser comes once more
	}
	if got.err != nil {
		page(w, http.StatusBadRequest, "You are not signed in. The terminal says why.")
		return
	}
	page(w, http.StatusOK, "You may close this page and go back to the terminal.")
}

// page writes a page of one sentence, which is ours.
func page(w http.ResponseWriter, status int, sentence string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `<!doctype html><html lang="en"><meta charset="utf-8"><title>avatard</title><p>`+sentence+"</p></html>\n")
}
