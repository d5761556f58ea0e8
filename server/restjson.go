package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// restError is the body of every error on a REST or picture route.
type restError struct {
	Code    uint32            `json:"code"`
	Message string            `json:"message"`
	Details []json.RawMessage `json:"details,omitempty"`
}

// restDetail writes one detail as protobuf's JSON mapping of Any. The bytes of a type that is not linked in are passed on as they are.
func restDetail(name string, value []byte) json.RawMessage {
	packed := &anypb.Any{TypeUrl: "type.googleapis.com/" + name, Value: value}
	if text, err := compactJSON(packed); err == nil {
		return text
	}
	text, _ := json.Marshal(map[string]any{"@type": packed.GetTypeUrl(), "value": value})
	return text
}

// restErrorText is the body of an error.
func restErrorText(e *connect.Error) []byte {
	body := restError{Code: uint32(e.Code()), Message: e.Message()}
	for _, detail := range e.Details() {
		body.Details = append(body.Details, restDetail(detail.Type(), detail.Bytes()))
	}
	text, err := json.Marshal(body)
	if err != nil {
		return []byte(`{"code":13,"message":"internal error"}`)
	}
	return text
}

// writeRESTError writes an error, with those of its headers that mean something over REST.
func writeRESTError(w http.ResponseWriter, status int, e *connect.Error) {
	for _, name := range [...]string{"Retry-After", "Www-Authenticate"} {
		if values := e.Meta()[name]; len(values) > 0 {
			w.Header()[name] = values
		}
	}
	writeJSON(w, status, restErrorText(e))
}

// writeREST writes a success.
func writeREST(w http.ResponseWriter, message proto.Message) error {
	text, err := compactJSON(message)
	if err != nil {
		return fmt.Errorf("encode an answer: %w", err)
	}
	writeJSON(w, http.StatusOK, text)
	return nil
}

func writeJSON(w http.ResponseWriter, status int, text []byte) {
	h := w.Header()
	h["Content-Type"] = []string{"application/json"}
	h["Content-Length"] = []string{strconv.Itoa(len(text))}
	h["Cache-Control"] = []string{"no-store"}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	w.WriteHeader(status)
	_, _ = w.Write(text) //nolint:gosec // JSON, of a type that we say and no browser guesses anew
}
