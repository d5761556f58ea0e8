package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
)

// streamEnd is how much longer than its call a stream may take to leave: time for the error that says that the deadline has passed.
const streamEnd = time.Second

// boundStream makes the writing of a stream end with its call: a peer who takes nothing must not hold it.
func boundStream(w http.ResponseWriter, r *http.Request) {
	if deadline, ok := r.Context().Deadline(); ok {
		_ = http.NewResponseController(w).SetWriteDeadline(deadline.Add(streamEnd))
	}
}

// lineWriter writes the messages of a stream over REST, each as a line of JSON. Message and error stand in fields of an object, as in the
// answers of grpc-gateway.
type lineWriter struct {
	out   http.ResponseWriter
	begun bool
}

// send writes a message, which leaves at once.
func (l *lineWriter) send(message proto.Message) error {
	text, err := compactJSON(message)
	if err != nil {
		return err
	}
	if !l.begun {
		l.begun = true
		h := l.out.Header()
		h["Content-Type"] = []string{"application/x-ndjson"}
		h["Cache-Control"] = []string{"no-store"}
		h["X-Content-Type-Options"] = noSniff
		l.out.WriteHeader(http.StatusOK)
	}
	return l.line("result", text)
}

// end writes how a stream ended whose first message has left, unless err is nil.
func (l *lineWriter) end(err error) {
	if err == nil {
		return
	}
	e, ok := errors.AsType[*connect.Error](err)
	if !ok { // of an interceptor
		e = connect.NewError(connect.CodeOf(err), err)
	}
	_ = l.line("error", restErrorText(e))
}

func (l *lineWriter) line(field string, value json.RawMessage) error {
	line := append([]byte(`{"`+field+`":`), value...)
	if _, err := l.out.Write(append(line, '}', '\n')); err != nil {
		return err
	}
	return http.NewResponseController(l.out).Flush()
}
