package authz

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// isolatingTransport carries questions to the provider so that the answer to one can never be taken for the answer to another.
//
// Over HTTP/1.1 answers belong to questions by nothing but their order on the connection. A provider, or a proxy in front
// of it, that sends one answer too many would have it taken for the next token's. So such a connection is used once.
// HTTP/2 numbers its answers, so its connections are kept and shared, as soon as a provider is known to speak it.
type isolatingTransport struct {
	singleUse *http.Transport // either version, no connection is used again
	http2Only *http.Transport // HTTP/2 and nothing else

	mu        sync.Mutex
	protocols map[string]protocol // by host
}

// protocol is what is known of a host.
type protocol int

const (
	unknownProtocol protocol = iota
	speaksHTTP2
	// refusesHTTP2: it spoke HTTP/2 and then something else when asked for nothing else. It is asked for both from then on.
	refusesHTTP2
)

// errNotHTTP2: a connection that was to speak HTTP/2 does not. Nothing has been sent over it.
var errNotHTTP2 = errors.New("the provider does not speak HTTP/2")

// newIsolatingTransport returns the transport. config is nil outside of tests.
func newIsolatingTransport(timeout time.Duration, config *tls.Config) *isolatingTransport {
	dialer := &net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second}
	if config == nil {
		config = &tls.Config{}
	}
	// Every question over HTTP/1.1 makes a connection: those after the first one are cheaper for both sides.
	config.ClientSessionCache = tls.NewLRUClientSessionCache(maxConcurrent)
	transport := func(config *tls.Config) *http.Transport {
		return &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           maxConcurrent,
			MaxIdleConnsPerHost:    maxConcurrent,
			IdleConnTimeout:        90 * time.Second,
			TLSClientConfig:        config,
			TLSHandshakeTimeout:    timeout,
			MaxResponseHeaderBytes: 64 << 10,
		}
	}
	c := &isolatingTransport{singleUse: transport(config), protocols: make(map[string]protocol)}
	c.singleUse.DisableKeepAlives = true
	c.singleUse.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		// The side that closes a connection first keeps its port for a minute, and a flood would use up all ports to the
		// provider. Without lingering the port is free at once; the answer has been read by then.
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // it only costs the port
		}
		return conn, err
	}
	config = config.Clone()
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if state.NegotiatedProtocol != "h2" {
			return errNotHTTP2
		}
		return nil
	}
	c.http2Only = transport(config)
	c.http2Only.Protocols = new(http.Protocols)
	c.http2Only.Protocols.SetHTTP2(true)
	return c
}

// RoundTrip implements http.RoundTripper.
func (c *isolatingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	host := req.URL.Host
	if req.URL.Scheme == "https" && c.protocolOf(host) == speaksHTTP2 {
		resp, err := c.http2Only.RoundTrip(req)
		alert, _ := errors.AsType[*net.OpError](err)
		switch {
		case errors.Is(err, errNotHTTP2):
			c.setProtocol(host, refusesHTTP2)
		case alert != nil && alert.Op == "remote error": // such as that it knows no such protocol (RFC 7301 section 3.2)
			c.setProtocol(host, unknownProtocol)
		default:
			return resp, err
		}
		if req, err = rewound(req, err); err != nil {
			return nil, err
		}
	}
	resp, err := c.singleUse.RoundTrip(req)
	if err == nil && resp.ProtoMajor == 2 && c.protocolOf(host) == unknownProtocol {
		c.setProtocol(host, speaksHTTP2)
	}
	return resp, err
}

// rewound returns a request that was not sent, ready to be sent, or why that is not possible.
func rewound(req *http.Request, why error) (*http.Request, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return req, nil
	}
	if req.GetBody == nil {
		return nil, why
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	req = req.Clone(req.Context())
	req.Body = body
	return req, nil
}

func (c *isolatingTransport) protocolOf(host string) protocol {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.protocols[host]
}

func (c *isolatingTransport) setProtocol(host string, p protocol) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.protocols[host] = p
}

// CloseIdleConnections closes the connections that are not in use.
func (c *isolatingTransport) CloseIdleConnections() {
	c.singleUse.CloseIdleConnections()
	c.http2Only.CloseIdleConnections()
}

// singleUseTransport asks the caller's own transport for a new connection with every request.
type singleUseTransport struct{ http.RoundTripper }

func (o singleUseTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Close = true
	return o.RoundTripper.RoundTrip(req)
}
