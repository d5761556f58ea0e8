package server

import (
	"fmt"
	"net/http"

	"connectrpc.com/connect"
)

// An answer passes these writers, from an endpoint to the connection:
//
//	noFlushWriter, for one message of the gRPC family; statusReplacer, for an unknown procedure
//	─► textResponse (webtext.go), in gRPC-Web text only  ─► statusWriter  ─► net/http
//
// Inside a REST call the RPC library writes to headersOnly: the answer itself is taken from the call.

// statusWriter remembers the status of the answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	if status == http.StatusUnsupportedMediaType && w.Header()["Accept-Post"] != nil {
		// The RPC library's own answer has no body, so that a person would see nothing at all.
		http.Error(w.ResponseWriter, "the media type is none of a message; Accept-Post names those that are", status)
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Flush and Unwrap let streams and http.ResponseController through.
func (w *statusWriter) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		if w.status == 0 {
			w.status = http.StatusOK
		}
		f.Flush()
	}
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// code returns the code of an answer that was written without the error table: a success, or a fault that the RPC library found in
// a message.
func (w *statusWriter) code() string {
	if w.status >= 400 {
		return http.StatusText(w.status)
	}
	for _, name := range [...]string{"Grpc-Status", http.TrailerPrefix + "Grpc-Status"} {
		if status := w.Header().Get(name); status != "" && status != "0" {
			var code connect.Code
			if _, err := fmt.Sscan(status, &code); err == nil {
				return code.String()
			}
		}
	}
	return "ok"
}

// written reports whether the answer has begun.
func written(w http.ResponseWriter) bool {
	for {
		switch inner := w.(type) {
		case *statusWriter:
			return inner.status != 0
		case interface{ Unwrap() http.ResponseWriter }:
			w = inner.Unwrap()
		default:
			return true
		}
	}
}

// headersOnly is a ResponseWriter that keeps the headers of an answer.
type headersOnly struct{ header http.Header }

func (w *headersOnly) Header() http.Header { return w.header }

// WriteHeader does nothing.
func (w *headersOnly) WriteHeader(int) {}

// Flush does nothing. The RPC library answers streams only to writers that have it.
func (w *headersOnly) Flush() {}

func (w *headersOnly) Write(p []byte) (int, error) { return len(p), nil }

// noFlushWriter keeps an answer together until the handler returns. The RPC library flushes each message by itself, which helps in a
// stream, but here only costs packets, system calls and wake-ups of the client.
type noFlushWriter struct{ http.ResponseWriter }

// Flush does nothing.
func (noFlushWriter) Flush() {}

func (w noFlushWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// statusReplacer writes one status in place of another.
type statusReplacer struct {
	http.ResponseWriter
	from, to int
}

func (w *statusReplacer) WriteHeader(status int) {
	if status == w.from {
		status = w.to
	}
	w.ResponseWriter.WriteHeader(status)
}

// innermost returns the ResponseWriter of the HTTP server, which http.MaxBytesReader tells to close the connection.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = wrapper.Unwrap()
	}
}
