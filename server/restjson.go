package server

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// restError is the body of every answer on a REST or picture route that is no success.
type restError struct {
	Code    uint32            `json:"code"`
	Message string            `json:"message"`
	Details []json.RawMessage `json:"details,omitempty"`
}

// restErrorOf returns the body for an error of ours.
func restErrorOf(e *connect.Error) restError {
	body := restError{Code: uint32(e.Code()), Message: e.Message()}
	for _, detail := range e.Details() {
		body.Details = append(body.Details, restDetail(detail.Type(), detail.Bytes()))
	}
	return body
}

// restErrorFrom returns the body for an error as the Connect protocol writes it.
func restErrorFrom(text []byte) (restError, error) {
	var wire struct {
		Code    connect.Code
		Message string
		Details []struct{ Type, Value string }
	}
	if err := json.Unmarshal(text, &wire); err != nil {
		return restError{}, err
	}
	body := restError{Code: uint32(wire.Code), Message: wire.Message}
	for _, detail := range wire.Details {
		value, err := base64.RawStdEncoding.DecodeString(detail.Value)
		if err != nil {
			return restError{}, fmt.Errorf("detail: %w", err)
		}
		body.Details = append(body.Details, restDetail(detail.Type, value))
	}
	return body, nil
}

// restDetail writes one detail as protobuf's JSON mapping of Any. A type that is not linked in cannot be spelled out;
// its bytes are passed on.
func restDetail(name string, value []byte) json.RawMessage {
	packed := &anypb.Any{TypeUrl: "type.googleapis.com/" + name, Value: value}
	if text, err := compactJSON(packed); err == nil {
		return text
	}
	text, _ := json.Marshal(map[string]any{"@type": packed.GetTypeUrl(), "value": value})
	return text
}

// writeRESTError writes an error.
func writeRESTError(w http.ResponseWriter, status int, body restError) {
	text, err := json.Marshal(body)
	if err != nil {
		text, status = []byte(`{"code":13,"message":"internal error"}`), http.StatusInternalServerError
	}
	writeJSON(w, status, text)
}

// writeREST writes a success.
func (s *Server) writeREST(w http.ResponseWriter, r *http.Request, message proto.Message) {
	text, err := compactJSON(message)
	if err != nil {
		s.refuse(w, r, fmt.Errorf("encode an answer: %w", err))
		return
	}
	writeJSON(w, http.StatusOK, text)
}

func writeJSON(w http.ResponseWriter, status int, text []byte) {
	h := w.Header()
	h["Content-Type"] = []string{"application/json"}
	h["Content-Length"] = []string{strconv.Itoa(len(text))}
	h["Cache-Control"] = []string{"no-store"}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	w.WriteHeader(status)
	_, _ = w.Write(text)
}
