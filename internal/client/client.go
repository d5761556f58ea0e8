// Package client calls a running server of avatard over its REST API, for the commands of people and scripts: it puts, reads and
// removes one picture at a time.
//
//	client.go   a server's address, and the connection to it
//	call.go     one call: token, time, another try where the server asks for one
//	picture.go  put, read, remove
//	error.go    what went wrong, by kind
//	token.go    where access tokens come from
//
// It shares no code with the server, knows no engine and no settings file, and prints nothing.
package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Config says which server is called, and how.
type Config struct {
	// URL is the server's, from Address.
	URL string
	// Tokens says who calls; nil = nobody, which is good for reading public pictures.
	Tokens Tokens
	// UserAgent names the program.
	UserAgent string
	// Timeout bounds a call with all its tries; 0 = as long as its context lasts.
	Timeout time.Duration
	// Wait waits for another try; nil = by the clock.
	Wait func(ctx context.Context, d time.Duration) error
}

// Client calls one server. Its methods may be called concurrently.
type Client struct {
	cfg  Config
	http *http.Client
}

// New returns a client. It connects when it is used first.
func New(cfg Config) *Client {
	if cfg.Wait == nil {
		cfg.Wait = wait
	}
	return &Client{cfg: cfg, http: NewHTTPClient()}
}

// Close drops the connections that no call uses.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Limits of one connection. A call as a whole has its own limit.
const (
	connectTimeout = 10 * time.Second
	idleTimeout    = 30 * time.Second
	maxIdle        = 64
)

// NewHTTPClient returns a client of HTTP that follows no redirects, because the next server would be handed the token, and keeps no
// cookies. Proxies are those that the environment names.
func NewHTTPClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
			TLSHandshakeTimeout: connectTimeout,
			IdleConnTimeout:     idleTimeout,
			MaxIdleConnsPerHost: maxIdle,
			ForceAttemptHTTP2:   true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Address checks the address of a server and returns it without a slash at its end. Tokens are sent there, so it has to be https,
// unless the host is this machine or cleartext is allowed.
func Address(text string, cleartext bool) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New("is no address of a server; expected one such as https://avatars.example.com")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("has more than an address has; expected no user, query or fragment")
	case u.Scheme == "http" && !cleartext && !IsLoopback(u.Hostname()):
		return "", fmt.Errorf("would send the token to %s in cleartext, where everybody on the way can read it; use https, "+
			"or --allow-http where the network between is yours", u.Hostname())
	}
	return strings.TrimRight(u.Scheme+"://"+u.Host+u.EscapedPath(), "/"), nil
}

// IsLoopback reports whether a host is this machine.
func IsLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
