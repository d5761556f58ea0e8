package authz

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	// maxAnswerBytes bounds one answer of the provider, after decompression.
	maxResponseBytes = 1 << 20
	// maxDiscardBytes is how much of an answer of another status is still read, to keep the connection.
	maxDiscardBytes = 4 << 10
	// maxConcurrent bounds the questions under way at one time, and the connections to the provider with them.
	maxConcurrent = 64
)

var errResponseTooLarge = fmt.Errorf("answer over %d bytes", maxResponseBytes)

// statusError is an answer whose status is not 200. It is made before anybody reads the body, so that no text of the
// provider ends up in an error.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("status %d", int(e)) }

// isRefusal reports whether the provider works and refuses the question. Asking this server to come back later does not count as a
// refusal.
func (e statusError) isRefusal() bool {
	return e >= 400 && e < 500 && e != http.StatusRequestTimeout && e != http.StatusTooManyRequests
}

// noAnswerInTime is the failure of a provider that did not answer within the time-out.
const noAnswerInTime = "no answer in time"

// newClient returns a client for the provider: bounded in time and size, without cookies, and one that follows no
// redirect, because the request carries the caller's token and the client secret. base gives the transport, which is
// asked for a connection of its own for each request; without base it is an isolatingTransport.
func newClient(base *http.Client, timeout time.Duration, userAgent string) *http.Client {
	var transport http.RoundTripper
	if base != nil && base.Transport != nil {
		transport = singleUseTransport{base.Transport}
	} else {
		transport = newIsolatingTransport(timeout, nil)
	}
	return &http.Client{
		Transport:     limitedTransport{next: transport, userAgent: userAgent},
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// allowingStatuses returns a copy of a client of newClient that lets answers with more statuses through.
func allowingStatuses(c *http.Client, statuses ...int) *http.Client {
	copied := *c
	if g, ok := c.Transport.(limitedTransport); ok {
		g.alsoAllowed = statuses
		copied.Transport = g
	}
	return &copied
}

// limitedTransport lets through only answers that say they are JSON and have status 200 or one of those listed, which no redirect has,
// and bounds them in bytes, members and depth.
type limitedTransport struct {
	next        http.RoundTripper
	alsoAllowed []int
	// userAgent is the field User-Agent of every request.
	userAgent string
}

// CloseIdleConnections closes the connections that are not in use.
func (g limitedTransport) CloseIdleConnections() {
	if c, ok := g.next.(*isolatingTransport); ok {
		c.CloseIdleConnections()
	}
}

func (g limitedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	// Asking about a token changes nothing, so a POST that meets a connection which the provider just closed may be
	// sent again. net/http does that for a request with this key, and does not send an empty one.
	req = req.Clone(req.Context())
	req.Header["Idempotency-Key"] = []string{}
	req.Header["User-Agent"], req.Header["Accept"] = []string{g.userAgent}, []string{"application/json"}
	resp, err := g.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK && !slices.Contains(g.alsoAllowed, resp.StatusCode) {
		_, _ = io.CopyN(io.Discard, resp.Body, maxDiscardBytes) // an error here only costs the connection
		resp.Body.Close()
		return nil, statusError(resp.StatusCode)
	}
	if !isJSON(resp.Header) {
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return nil, statusError(resp.StatusCode)
		}
		return nil, errMediaType
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxResponseBytes}
	return resp, nil
}

// errMediaType: an answer with status 200 is not JSON.
var errMediaType = errors.New("answer of a media type that is not JSON")

// isJSON reports whether an answer says that it is a JSON text: application/json, as RFC 7662 section 2.2 and OpenID Connect
// Discovery 1.0 section 4.2 want it, or another application type in that syntax (RFC 6839 section 3.1). Something in
// between that answers in the provider's place sends a page or text; a signed answer (RFC 9701)
// was not asked for.
func isJSON(header http.Header) bool {
	values := header["Content-Type"]
	if len(values) != 1 {
		return false
	}
	media, _, err := mime.ParseMediaType(values[0])
	if err != nil {
		return false
	}
	return media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}

// boundedBody fails a body that is over the bounds of an answer.
type boundedBody struct {
	io.ReadCloser
	left   int
	bounds jsonBounds
	err    error
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		b.err = errResponseTooLarge
	} else {
		b.err = b.bounds.take(p[:n])
	}
	if b.err != nil {
		return 0, b.err
	}
	return n, err
}

// isUnusable reports whether an answer with status 200 arrived that cannot be read as what was asked for.
func isUnusable(err error) bool {
	_, syntax := errors.AsType[*json.SyntaxError](err)
	_, mistyped := errors.AsType[*json.UnmarshalTypeError](err)
	return syntax || mistyped || slices.ContainsFunc(unusableResponses[:], func(ours error) bool { return errors.Is(err, ours) })
}

var unusableResponses = [...]error{errResponseTooLarge, errTooManyMembers, errTooDeep, errMediaType, errNoEndpoint, errDiscovery, errMalformedResponse, errUnconfirmed}

// isUnreachable reports whether the question did not get as far as the provider: there was no connection to send it over.
func isUnreachable(err error) bool {
	if operation, ok := errors.AsType[*net.OpError](err); ok && operation.Op == "dial" {
		return true
	}
	_, name := errors.AsType[*net.DNSError](err)
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	return name || certificate
}

// failureKindOf is failureKind, and "" without an error.
func failureKindOf(err error) string {
	if err == nil {
		return ""
	}
	return failureKind(err)
}

// failureKind says in words of this package why the provider gave no usable answer. Texts of the library and of the provider are left
// out, because they may quote whole bodies.
func failureKind(err error) string {
	var network net.Error
	if errors.Is(err, ErrClientRefused) {
		return err.Error()
	}
	if status, ok := errors.AsType[statusError](err); ok {
		return status.Error()
	}
	if other, ok := errors.AsType[*otherIssuerError](err); ok {
		return other.Error()
	}
	for _, ours := range unusableResponses {
		if errors.Is(err, ours) {
			return ours.Error()
		}
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return noAnswerInTime
	case isUnusable(err):
		return errMalformedResponse.Error()
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "certificate not accepted"
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "host name not found"
	}
	if _, ok := errors.AsType[*net.OpError](err); ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "connection failed"
	}
	return "no usable answer"
}
