package server

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"

	"connectrpc.com/connect"
)

// textMediaType is gRPC-Web with its bodies in base64, for browsers that cannot read binary ones.
const textMediaType = "application/grpc-web-text"

// textResponse translates between gRPC-Web text, which the caller uses, and gRPC-Web, which the handlers use.
type textResponse struct {
	http.ResponseWriter
	contentType string // of the request; the answer's is the same
	encoder     io.WriteCloser
	begun       bool
}

// newTextResponse makes r a binary request.
func newTextResponse(w http.ResponseWriter, r *http.Request) *textResponse {
	t := &textResponse{ResponseWriter: w, contentType: r.Header.Get("Content-Type")}
	r.Header.Set("Content-Type", "application/grpc-web"+strings.TrimPrefix(t.contentType, textMediaType))
	r.Header.Del("Content-Length")
	if r.Body != nil {
		r.Body = &textBody{body: r.Body}
	}
	return t
}

func (t *textResponse) WriteHeader(status int) {
	if !t.begun {
		t.begun = true
		// Errors of HTTP itself, such as 415, are not gRPC-Web and keep their own type.
		if strings.HasPrefix(t.Header().Get("Content-Type"), "application/grpc-web") {
			t.Header().Set("Content-Type", t.contentType)
		}
	}
	t.ResponseWriter.WriteHeader(status)
}

func (t *textResponse) Write(p []byte) (int, error) {
	if !t.begun {
		t.WriteHeader(http.StatusOK)
	}
	if t.encoder == nil {
		t.encoder = base64.NewEncoder(base64.StdEncoding, t.ResponseWriter)
	}
	return t.encoder.Write(p)
}

// Flush ends one piece of base64, padding included, so that nothing stays behind. Clients expect pieces.
func (t *textResponse) Flush() {
	if !t.begun {
		t.WriteHeader(http.StatusOK)
	}
	t.finish()
	if f, ok := t.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

func (t *textResponse) finish() {
	if t.encoder != nil {
		_ = t.encoder.Close()
		t.encoder = nil
	}
}

func (t *textResponse) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// textBody decodes base64 as it comes, also several padded pieces one after the other.
type textBody struct {
	body io.ReadCloser
	raw  [1 << 10]byte
	have int // bytes of raw that are not decoded yet, fewer than four between calls
	out  [3 << 8]byte
	left []byte // of out
	err  error
}

func (b *textBody) Read(p []byte) (int, error) {
	for len(b.left) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		n, err := b.body.Read(b.raw[b.have:])
		b.have += n
		if b.err = err; errors.Is(err, io.EOF) && b.have%4 != 0 {
			b.err = errNotBase64()
		}
		whole := b.have - b.have%4
		if !b.decode(b.raw[:whole]) {
			b.left, b.err = nil, errNotBase64()
		}
		b.have = copy(b.raw[:], b.raw[whole:b.have])
	}
	n := copy(p, b.left)
	b.left = b.left[n:]
	return n, nil
}

// decode takes groups of four, each of which may be the last of its piece.
func (b *textBody) decode(groups []byte) bool {
	b.left = b.out[:0]
	for ; len(groups) > 0; groups = groups[4:] {
		end := len(b.left)
		n, err := base64.StdEncoding.Strict().Decode(b.out[end:end+3], groups[:4])
		if err != nil {
			return false
		}
		b.left = b.out[:end+n]
	}
	return true
}

func (b *textBody) Close() error { return b.body.Close() }

func errNotBase64() error {
	return connect.NewError(connect.CodeInvalidArgument, errors.New("the body is not valid base64"))
}
