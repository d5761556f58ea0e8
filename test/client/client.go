// Package client calls a server of avatard the way its callers do, for tests, proofs and benchmarks: deletes in every wire
// form, uploads and reads. What comes back has one shape for all forms.
//
//	form.go     the wire forms, and which protocol of which HTTP version each of them is
//	client.go   a client of one server: connections and deletes
//	invoke.go   calls of any method, by its descriptor
//	rest.go     REST: deletes, uploads, reads and any other request
//	answer.go   what came back, in terms that all forms share, with everything that arrived for searching
//	webtext.go  gRPC-Web text for a client that speaks gRPC-Web
//
// The package shares no code with the server, so that a mistake in how the server writes a form cannot be undone by the same
// mistake here. It judges nothing; callers compare answers with what they expect.
package client

import (
	"context"
	"maps"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	authv1 "example.org/avatard/gen/zitadel/auth/v1"
	"example.org/avatard/gen/zitadel/auth/v1/authv1connect"
	managementv1 "example.org/avatard/gen/zitadel/management/v1"
	"example.org/avatard/gen/zitadel/management/v1/managementv1connect"
	zitadelv1 "example.org/avatard/gen/zitadel/v1"
)

// Config says which server a client calls, and how.
type Config struct {
	// URL is the server's, without a slash at its end.
	URL string
	// Timeout is how long a call may take, its answer included. 0 = as long as its context lasts.
	Timeout time.Duration
	// Dial connects to the server. nil = over the network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client calls one server. Its methods may be called concurrently.
type Client struct {
	// URL is the server's.
	URL string
	// HTTP1 and HTTP2 speak nothing but HTTP/1.1, or HTTP/2 in clear text. They follow no redirects and unpack nothing.
	HTTP1, HTTP2 *http.Client

	turns atomic.Uint64
	stubs map[Form]stubs
	// transports make the calls of the forms that generated clients speak.
	transports map[Form]*http.Client
}

// stubs are the generated clients of one form.
type stubs struct {
	management managementv1connect.ManagementServiceClient
	auth       authv1connect.AuthServiceClient
}

// New returns a client. It connects when it is used first.
func New(cfg Config) *Client {
	c := &Client{URL: cfg.URL, HTTP1: newHTTPClient(cfg, false), HTTP2: newHTTPClient(cfg, true), stubs: make(map[Form]stubs), transports: make(map[Form]*http.Client)}
	for _, form := range Forms() {
		protocol := protocols[form]
		if protocol.options == nil {
			continue
		}
		hc := *c.HTTP1
		if protocol.http2 {
			hc = *c.HTTP2
		}
		if form == GRPCWebText {
			hc.Transport = textTransport{hc.Transport}
		}
		hc.Transport = recordingTransport{hc.Transport}
		c.transports[form] = &hc
		c.stubs[form] = stubs{
			managementv1connect.NewManagementServiceClient(&hc, cfg.URL, protocol.options...),
			authv1connect.NewAuthServiceClient(&hc, cfg.URL, protocol.options...),
		}
	}
	return c
}

func newHTTPClient(cfg Config, http2 bool) *http.Client {
	versions := new(http.Protocols)
	versions.SetHTTP1(!http2)
	versions.SetUnencryptedHTTP2(http2)
	return &http.Client{
		Transport: &http.Transport{Protocols: versions, DialContext: cfg.Dial, MaxIdleConnsPerHost: 256, DisableCompression: true},
		Timeout:   cfg.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// Close drops the connections that no call uses.
func (c *Client) Close() {
	c.HTTP1.CloseIdleConnections()
	c.HTTP2.CloseIdleConnections()
}

// Bearer returns the headers of a caller who has an access token.
func Bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// Remove deletes the picture of a user. A deadline of ctx travels with the call in all forms but REST.
func (c *Client) Remove(ctx context.Context, form Form, header http.Header, user string) Answer {
	if form == REST {
		return c.Do(ctx, http.MethodDelete, UserPicturePath(user), header, nil)
	}
	return record(ctx, header, func(ctx context.Context) (*zitadelv1.ObjectDetails, error) {
		res, err := c.stubs[form].management.RemoveHumanAvatar(ctx, &managementv1.RemoveHumanAvatarRequest{UserId: user})
		return res.GetDetails(), err
	})
}

// RemoveOwn deletes the picture of the caller.
func (c *Client) RemoveOwn(ctx context.Context, form Form, header http.Header) Answer {
	if form == REST {
		return c.Do(ctx, http.MethodDelete, "/auth/v1/users/me/avatar", header, nil)
	}
	return record(ctx, header, func(ctx context.Context) (*zitadelv1.ObjectDetails, error) {
		res, err := c.stubs[form].auth.RemoveMyAvatar(ctx, &authv1.RemoveMyAvatarRequest{})
		return res.GetDetails(), err
	})
}

// RemoveInAllForms deletes the picture of a user in all forms at once.
func (c *Client) RemoveInAllForms(ctx context.Context, header http.Header, user string) map[Form]Answer {
	type result struct {
		form   Form
		answer Answer
	}
	results := make(chan result)
	for _, form := range Forms() {
		go func() { results <- result{form, c.Remove(ctx, form, maps.Clone(header), user)} }()
	}
	all := make(map[Form]Answer)
	for range Forms() {
		r := <-results
		all[r.form] = r.answer
	}
	return all
}
