package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// wirePatience bounds one exchange. No test waits for it: an exchange that meets it is a failure.
const wirePatience = 20 * time.Second

// wireField is one header line. Value goes over the wire as it is, with the spaces around it.
type wireField struct{ name, value string }

// wireRequest is one request as it is sent. Nothing tidies it up on the way: fields may repeat, and path is the text
// of the request target, query included.
type wireRequest struct {
	method string
	path   string
	fields []wireField
	body   []byte
}

// wireAnswer is what came back.
type wireAnswer struct {
	status  int
	header  http.Header
	trailer http.Header
	body    []byte
}

// wire sends requests to one server.
type wire struct {
	address string // host and port
	http2   *http.Transport
	// secure makes it TLS, nil = cleartext.
	secure *tls.Config
}

func newWire(t *testing.T, address string) *wire {
	w := &wire{address: address, http2: newHTTP2()}
	t.Cleanup(w.http2.CloseIdleConnections) // a server that shuts down would wait for them
	return w
}

// newSecureWire is newWire over TLS, where each version of HTTP is the only one that the client offers (ALPN).
func newSecureWire(t *testing.T, address string, trust *tls.Config) *wire {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	w := &wire{address: address, http2: &http.Transport{Protocols: protocols, TLSClientConfig: trust, DisableCompression: true}}
	w.secure = trust.Clone()
	w.secure.NextProtos = []string{"http/1.1"}
	t.Cleanup(w.http2.CloseIdleConnections)
	return w
}

// dial opens a connection for HTTP/1.1.
func (w *wire) dial(ctx context.Context) (net.Conn, error) {
	if w.secure != nil {
		return (&tls.Dialer{Config: w.secure}).DialContext(ctx, "tcp", w.address)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", w.address)
}

// newHTTP2 returns a client of cleartext HTTP/2 with prior knowledge that adds nothing but a User-Agent.
func newHTTP2() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Transport{Protocols: protocols, DisableCompression: true}
}

// exchange sends a request in HTTP/1.1 or in HTTP/2 and returns the answer.
func (w *wire) exchange(ctx context.Context, version int, req wireRequest) (wireAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, wirePatience)
	defer cancel()
	if version == 2 {
		return w.exchange2(ctx, req)
	}
	return w.exchange1(ctx, req)
}

// exchange1 writes the request by hand: net/http's client would trim values and refuse odd ones.
func (w *wire) exchange1(ctx context.Context, req wireRequest) (wireAnswer, error) {
	conn, err := w.dial(ctx)
	if err != nil {
		return wireAnswer{}, err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return wireAnswer{}, err
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", req.method, req.path, w.address)
	for _, f := range req.fields {
		fmt.Fprintf(&out, "%s: %s\r\n", f.name, f.value)
	}
	if len(req.body) > 0 || req.method == http.MethodPost {
		fmt.Fprintf(&out, "Content-Length: %d\r\n", len(req.body))
	}
	out.WriteString("\r\n")
	out.Write(req.body)
	// An answer may come before the last byte was sent, and the server then stops reading.
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = conn.Write(out.Bytes())
	}()
	defer func() {
		_ = conn.Close()
		<-written
	}()
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: req.method})
	if err != nil {
		return wireAnswer{}, err
	}
	return readWireAnswer(res)
}

func (w *wire) exchange2(ctx context.Context, req wireRequest) (wireAnswer, error) {
	scheme := "http"
	if w.secure != nil {
		scheme = "https"
	}
	target := &url.URL{Scheme: scheme, Host: w.address, Opaque: req.path}
	if strings.HasPrefix(req.path, "//") { // as Opaque it would be taken for a host
		target.Opaque, target.Path = "", req.path
	}
	out := (&http.Request{Method: req.method, URL: target, Header: http.Header{}}).WithContext(ctx)
	for _, f := range req.fields {
		out.Header[http.CanonicalHeaderKey(f.name)] = append(out.Header[http.CanonicalHeaderKey(f.name)], f.value)
	}
	if len(req.body) > 0 {
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(req.body)), int64(len(req.body))
	}
	res, err := w.http2.RoundTrip(out)
	if err != nil {
		return wireAnswer{}, err
	}
	if res.ProtoMajor != 2 {
		return wireAnswer{}, fmt.Errorf("the answer came in %s", res.Proto)
	}
	return readWireAnswer(res)
}

func readWireAnswer(res *http.Response) (wireAnswer, error) {
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return wireAnswer{status: res.StatusCode, header: res.Header, trailer: res.Trailer, body: body}, err
}
