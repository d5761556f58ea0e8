package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"

	"example.org/avatard/server/picture"
)

// The bytes of a request's body pass these layers, from the connection to the RPC library:
//
//	trackedBody (body.go)  ─► textBody (webtext.go), in gRPC-Web text only  ─► http.MaxBytesReader
//	─► messageBody (body.go)  ─► envelopeReader (envelope.go), but for one message of Connect  ─► gunzip (codec.go), by the library
//
// Uploads: trackedBody ─► gzipBody (coding.go), if compressed ─► arrivingUpload (arriving.go) ─► http.MaxBytesReader (upload.go).

// setBodyDeadline makes the reading of a body end with its call. Reading ignores contexts, so the connection gets a deadline, too. It is
// a little later than the call's, so that the call's context has ended when a read fails.
//
// Open calls get openCallTime for their body, and twice that for all, the answer included; messages to hooks get hookBodyTime for theirs. Streams have rules of their own.
func setBodyDeadline(w http.ResponseWriter, r *http.Request, m match) {
	control := http.NewResponseController(w)
	if m.rule.open && r.ProtoMajor > 1 && !m.stream {
		_ = control.SetWriteDeadline(time.Now().Add(2 * openCallTime))
	}
	if r.ContentLength == 0 {
		return
	}
	if m.rule.open {
		_ = control.SetReadDeadline(time.Now().Add(openCallTime))
	} else if m.rule.hook {
		_ = control.SetReadDeadline(time.Now().Add(hookBodyTime))
	} else if deadline, ok := r.Context().Deadline(); ok {
		_ = control.SetReadDeadline(deadline.Add(250 * time.Millisecond))
	}
}

// trackedBody is the body of a request that remembers whether it was read to its end.
type trackedBody struct {
	io.ReadCloser
	http1 bool
	call  *call
	over  atomic.Bool // read to its end, failed or closed
	whole atomic.Bool // read to its end
}

// trackBody puts a trackedBody in place. It returns nil if there is no body.
func trackBody(r *http.Request) *trackedBody {
	if r.ContentLength == 0 {
		return nil
	}
	b := &trackedBody{ReadCloser: r.Body, http1: r.ProtoMajor == 1, call: callOf(r.Context())}
	r.Body = b
	return b
}

func (b *trackedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.over.Store(true)
		b.whole.Store(errors.Is(err, io.EOF))
	}
	return n, err
}

func (b *trackedBody) Close() error {
	b.over.Store(true)
	return b.ReadCloser.Close()
}

// drain reads what is left of a body that no handler has read, such as that of a caller without permission or of a DELETE, so that the
// answer is not lost. It reads up to a limit and gives the peer half a second, since that may be waiting for the answer.
//
// net/http reads what is left of an HTTP/1 body before it sends headers, and then uses the connection again; a body that is too long
// for that closes the connection. EnableFullDuplex would avoid the reading, but breaks connections whose body ends after the answer.
// There is no deadline once the body was read to its end: net/http is waiting for the next request by then, in order to notice a peer
// that goes away. It would take a deadline that passes before the answer has left for such a peer, and cancel all later calls on
// the connection.
//
// An HTTP/2 stream that ends before its body is reset, with NO_ERROR as RFC 9113 section 8.1 allows. Clients that are
// still sending may then drop the answer (curl 7.88 does), so they get a moment to finish. An answer that is complete
// without trailers leaves before that, for clients that have much to send.
func (b *trackedBody) drain(w http.ResponseWriter) {
	if b == nil || b.over.Load() {
		return
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(unreadGrace))
	if b.http1 {
		return
	}
	if b.call.form == formREST || b.call.form == formPlain {
		_ = control.Flush()
	}
	_, _ = io.CopyN(io.Discard, b.ReadCloser, maxLeftBytes)
}

// unreadGrace is how long an unread body may take to arrive for its connection to be used again. After it an HTTP/1 connection lingers
// and is closed, and an HTTP/2 stream is reset. Only a peer that sends nothing before it has the answer waits that long.
const unreadGrace = 500 * time.Millisecond

// maxLeftBytes is how much of an unread HTTP/2 body is read: twice what a picture has by default.
const maxLeftBytes = 2 * picture.DefaultUploadBytes

// messageBody is the body of an RPC: bounded, and with errors in our own words. The RPC library passes errors that
// are already its own on as they are, and puts the text of others into its answer.
type messageBody struct {
	ctx  context.Context
	body io.ReadCloser
}

// newMessageBody wraps the body of r, whose messages have at most limit bytes.
func newMessageBody(w http.ResponseWriter, r *http.Request, limit int) io.ReadCloser {
	body := &messageBody{ctx: r.Context(), body: http.MaxBytesReader(innermost(w), r.Body, maxBodyBytes)}
	if callOf(r.Context()).form == formConnect && !isConnectStream(r.Header) {
		return body
	}
	return newEnvelopeReader(r, body, limit)
}

func (b *messageBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	if worded, ok := errors.AsType[*connect.Error](err); ok {
		return n, worded
	}
	return n, plainError(bodyReason(b.ctx, err))
}

func (b *messageBody) Close() error { return b.body.Close() }

// bodyReason says why a body could not be read.
func bodyReason(ctx context.Context, err error) reason {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return messageTooLarge
	}
	switch ended := ctx.Err(); {
	case errors.Is(ended, context.DeadlineExceeded):
		return deadlinePassed
	case ended != nil:
		return callerGone
	case errors.Is(err, os.ErrDeadlineExceeded): // a body may have less time than its call
		return deadlinePassed
	}
	return invalidRequest
}
