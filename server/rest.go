package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// binding is one REST route of a procedure.
type binding struct {
	url     *url.URL // of the procedure; never changed
	handler http.Handler
	fields  []protowire.Number // of the request message, one for each variable of the path
}

// mountREST adds the REST routes in a method's google.api.http annotation. Bodies and patterns that span several
// segments are not built, and refused.
func (s *Server) mountREST(path string, handler http.Handler, method protoreflect.MethodDescriptor) error {
	rule, _ := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
	if rule == nil {
		return nil
	}
	for _, rule := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		verb, pattern := verbAndPattern(rule)
		if pattern == "" || rule.GetBody() != "" || strings.ContainsAny(pattern, "*=:") {
			return fmt.Errorf("server: %s: this kind of REST route is not supported", path)
		}
		b := &binding{url: &url.URL{Path: path}, handler: handler}
		for segment := range strings.SplitSeq(pattern, "/") {
			if !isVariable(segment) {
				continue
			}
			field := method.Input().Fields().ByName(protoreflect.Name(strings.Trim(segment, "{}")))
			if field == nil || field.Kind() != protoreflect.StringKind || field.Cardinality() == protoreflect.Repeated {
				return fmt.Errorf("server: %s: %s in the REST route is no text field of the request", path, segment)
			}
			b.fields = append(b.fields, field.Number())
		}
		serve := func(w http.ResponseWriter, r *http.Request, variables []string) error {
			return s.serveREST(w, r, b, variables)
		}
		if err := s.handle(verb, pattern, &endpoint{serve: serve, procedure: path}); err != nil {
			return err
		}
	}
	return nil
}

func verbAndPattern(rule *annotations.HttpRule) (verb, pattern string) {
	switch {
	case rule.GetDelete() != "":
		return http.MethodDelete, rule.GetDelete()
	case rule.GetGet() != "":
		return http.MethodGet, rule.GetGet()
	case rule.GetPost() != "":
		return http.MethodPost, rule.GetPost()
	}
	return "", ""
}

// serveREST calls the procedure behind a route in the Connect protocol, on the same handler as every other caller, and writes
// what the call ended with.
func (s *Server) serveREST(w http.ResponseWriter, r *http.Request, b *binding, variables []string) error {
	c := callOf(r.Context())
	c.condition = conditionIn(r.Header)
	inner := s.headers.Get().(*headersOnly)
	defer func() { clear(inner.header); s.headers.Put(inner) }()
	b.handler.ServeHTTP(inner, b.request(r, variables))
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

// request returns the procedure's own request. The path alone makes its message, put together without a look at the
// values: a bad one is for the decoder and the rules to find, after permission. Of the headers go with it those that
// mean something here; what negotiates the encoding of an answer must not.
func (b *binding) request(r *http.Request, variables []string) *http.Request {
	var message []byte
	for i, field := range b.fields {
		message = protowire.AppendTag(message, field, protowire.BytesType)
		message = protowire.AppendString(message, variables[i])
	}
	header := http.Header{"Content-Type": {"application/proto"}, "Connect-Protocol-Version": {"1"}}
	for _, name := range [...]string{"Authorization", "Traceparent", "Tracestate", "X-Zitadel-Orgid"} {
		if values := r.Header[name]; len(values) > 0 {
			header[name] = values
		}
	}
	inner := r.WithContext(r.Context()) // a shallow copy
	inner.Method, inner.URL, inner.Header = http.MethodPost, b.url, header
	inner.Body, inner.ContentLength = io.NopCloser(bytes.NewReader(message)), int64(len(message))
	inner.TransferEncoding, inner.Trailer = nil, nil
	return inner
}
