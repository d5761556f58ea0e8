package server

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net/http"

	"connectrpc.com/connect"
)

// Errors of the framing of messages, in our own words. gRPC's specification of compression demands INTERNAL for the last one, and a
// text that names the condition.
var (
	errCutShort = connect.NewError(connect.CodeInvalidArgument, errors.New("the body ends in the middle of a message"))
	errBadFlags = connect.NewError(connect.CodeInvalidArgument, errors.New("the flags in front of the message are none of a request"))
	errUnnamed  = connect.NewError(connect.CodeInternal, errors.New("the message is marked as compressed, but grpc-encoding names no compression"))
)

// compressedFlag marks a compressed message. It is the only flag of a request.
const compressedFlag = 1

// envelopeReader is the body of a request of the gRPC family, or of a stream in the Connect protocol: messages, each behind a flag byte and its length in four. It passes on
// well-formed messages only. The RPC library would answer others as faults of its own, with numbers out of the request.
//
// The library checks the number of messages, which depends on the procedure.
type envelopeReader struct {
	// body is read ahead: each read of an HTTP/2 body is a round trip to the goroutine that serves the connection.
	body       *bufio.Reader
	closer     io.Closer
	compressed bool  // the request names a compression
	limit      int64 // bytes of one message

	prefix [5]byte
	ready  []byte // of prefix: checked, and not handed on yet
	left   int64  // of the message, behind ready
	err    error  // how it ended
}

// readAhead is how much of a body is read at once at least, in bytes: a user id of usual length with all that is around it.
const readAhead = 128

// newEnvelopeReader wraps the body of r, whose messages have at most limit bytes.
func newEnvelopeReader(r *http.Request, body io.ReadCloser, limit int) *envelopeReader {
	encoding := r.Header.Get(codingHeader(r.Header, callOf(r.Context()).form))
	return &envelopeReader{body: bufio.NewReaderSize(body, readAhead), closer: body, compressed: encoding != "" && encoding != "identity", limit: int64(limit)}
}

func (e *envelopeReader) Read(p []byte) (int, error) {
	if e.err == nil && len(e.ready) == 0 && e.left == 0 {
		e.err = e.next()
	}
	if len(e.ready) > 0 {
		n := copy(p, e.ready)
		e.ready = e.ready[n:]
		return n, nil
	}
	if e.err != nil {
		return 0, e.err
	}
	n, err := e.body.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	if errors.Is(err, io.EOF) && e.left > 0 {
		err = errCutShort
	}
	e.err = err
	return n, err
}

// next reads what stands in front of a message. io.EOF means that there is none.
func (e *envelopeReader) next() error {
	switch _, err := io.ReadFull(e.body, e.prefix[:]); {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errCutShort
	case err != nil:
		return err
	}
	flags, size := e.prefix[0], int64(binary.BigEndian.Uint32(e.prefix[1:]))
	switch {
	case flags&^compressedFlag != 0:
		return errBadFlags
	case flags == compressedFlag && !e.compressed:
		return errUnnamed
	case size > e.limit:
		// A client that is still sending may miss an answer that comes too early. The body is bounded.
		_, _ = io.CopyN(io.Discard, e.body, size)
		return plainError(messageTooLarge)
	}
	e.ready, e.left = e.prefix[:], size
	return nil
}

func (e *envelopeReader) Close() error { return e.closer.Close() }
