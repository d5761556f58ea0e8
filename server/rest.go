package server

import (
	"errors"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// mountREST adds the REST routes in a method's google.api.http annotation.
func (s *Server) mountREST(path string, handler http.Handler, method protoreflect.MethodDescriptor) error {
	rule, _ := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
	if rule == nil {
		return nil
	}
	for _, rule := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		b, err := newBinding(path, handler, method, rule)
		if err != nil {
			return err
		}
		serve := func(w http.ResponseWriter, r *http.Request, variables []string) error {
			return s.serveREST(w, r, b, variables)
		}
		if err := s.handle(b.method, b.pattern, &endpoint{serve: serve, procedure: path}); err != nil {
			return err
		}
	}
	return nil
}

// serveREST calls the procedure behind a route in the Connect protocol, on the same handler as every other caller, and writes
// the call's answer or error.
func (s *Server) serveREST(w http.ResponseWriter, r *http.Request, b *binding, variables []string) error {
	c := callOf(r.Context())
	c.condition = conditionIn(r.Header)
	request, err := b.request(w, r, variables)
	if err != nil {
		return err
	}
	inner := s.headers.Get().(*headersOnly)
	defer func() { clear(inner.header); s.headers.Put(inner) }()
	if b.stream {
		c.messages = &lineWriter{out: w}
		boundStream(w, r)
	}
	b.handler.ServeHTTP(inner, request)
	if c.messages != nil && c.messages.begun {
		c.messages.end(c.err)
		return nil
	}
	if c.err != nil {
		s.writeRPCError(w, c)
		return nil
	}
	if c.answer == nil { // the adapter wrote the message, so the RPC library can have failed only on a text in it
		writeRESTError(w, http.StatusBadRequest, connect.NewError(connect.CodeInvalidArgument, errNotUTF8))
		return nil
	}
	if receipt := inner.header[receiptHeader]; len(receipt) > 0 {
		w.Header()[receiptHeader] = receipt
	}
	return writeREST(w, c.answer)
}

// writeRPCError writes the error of an RPC, which is in log and metrics already.
func (s *Server) writeRPCError(w http.ResponseWriter, c *call) {
	e, ok := errors.AsType[*connect.Error](c.err)
	if !ok { // of an interceptor
		e = connect.NewError(connect.CodeOf(c.err), c.err)
	}
	status := c.status
	if status == 0 { // not one of the error table
		status = statusOf(e.Code())
	}
	writeRESTError(w, status, e)
}

// statusOf returns the HTTP status of an error's code (Connect protocol, "Error Codes"); 500 for an unknown one.
func statusOf(code connect.Code) int {
	if code < connect.Code(len(statuses)) && statuses[code] != 0 {
		return statuses[code]
	}
	return http.StatusInternalServerError
}

var statuses = [...]int{
	connect.CodeCanceled:           499,
	connect.CodeInvalidArgument:    http.StatusBadRequest,
	connect.CodeDeadlineExceeded:   http.StatusGatewayTimeout,
	connect.CodeNotFound:           http.StatusNotFound,
	connect.CodeAlreadyExists:      http.StatusConflict,
	connect.CodePermissionDenied:   http.StatusForbidden,
	connect.CodeResourceExhausted:  http.StatusTooManyRequests,
	connect.CodeFailedPrecondition: http.StatusBadRequest,
	connect.CodeAborted:            http.StatusConflict,
	connect.CodeOutOfRange:         http.StatusBadRequest,
	connect.CodeUnimplemented:      http.StatusNotImplemented,
	connect.CodeUnavailable:        http.StatusServiceUnavailable,
	connect.CodeUnauthenticated:    http.StatusUnauthorized,
}
