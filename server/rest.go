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
// what the call ended with.
func (s *Server) serveREST(w http.ResponseWriter, r *http.Request, b *binding, variables []string) error {
	c := callOf(r.Context())
	c.condition = conditionIn(r.Header)
	request, err := b.request(w, r, variables)
	if err != nil {
		return err
	}
	inner := s.headers.Get().(*headersOnly)
	defer func() { clear(inner.header); s.headers.Put(inner) }()
	b.handler.ServeHTTP(inner, request)
	if c.err != nil {
		s.writeRPCError(w, c)
		return nil
	}
	if c.answer == nil { // we made the message, so it is the text in it that the RPC library could not decode
		writeRESTError(w, http.StatusBadRequest, connect.NewError(connect.CodeInvalidArgument, errNotUTF8))
		return nil
	}
	if receipt := inner.header[receiptHeader]; len(receipt) > 0 {
		w.Header()[receiptHeader] = receipt
	}
	return writeREST(w, c.answer)
}

// writeRPCError writes the error of an RPC, whose traces have been left.
func (s *Server) writeRPCError(w http.ResponseWriter, c *call) {
	e, ok := errors.AsType[*connect.Error](c.err)
	if !ok { // of an interceptor
		e = connect.NewError(connect.CodeOf(c.err), c.err)
	}
	status := c.status
	if status == 0 { // no failure of ours
		status = statusOf(e.Code())
	}
	writeRESTError(w, status, e)
}

// statusOf is the HTTP status of an error's code (Connect protocol, "Error Codes").
func statusOf(code connect.Code) int {
	switch code {
	case connect.CodeCanceled:
		return 499
	case connect.CodeInvalidArgument, connect.CodeFailedPrecondition, connect.CodeOutOfRange:
		return http.StatusBadRequest
	case connect.CodeUnauthenticated:
		return http.StatusUnauthorized
	case connect.CodePermissionDenied:
		return http.StatusForbidden
	case connect.CodeNotFound:
		return http.StatusNotFound
	case connect.CodeAlreadyExists, connect.CodeAborted:
		return http.StatusConflict
	case connect.CodeResourceExhausted:
		return http.StatusTooManyRequests
	case connect.CodeUnimplemented:
		return http.StatusNotImplemented
	case connect.CodeUnavailable:
		return http.StatusServiceUnavailable
	case connect.CodeDeadlineExceeded:
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}
