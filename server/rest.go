package server

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// binding is one REST route of a procedure.
type binding struct {
	url       *url.URL // of the procedure; never changed
	procedure procedure
	fields    []protowire.Number // of the request message, one for each variable of the path
}

// mountREST adds the REST routes in a method's google.api.http annotation. Bodies and patterns that span several
// segments are not built, and refused.
func (s *Server) mountREST(path string, p procedure, method protoreflect.MethodDescriptor) error {
	rule, _ := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
	if rule == nil {
		return nil
	}
	for _, rule := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		verb, pattern := verbAndPattern(rule)
		if pattern == "" || rule.GetBody() != "" || strings.ContainsAny(pattern, "*=:") {
			return fmt.Errorf("server: %s: this kind of REST route is not supported", path)
		}
		b := binding{url: &url.URL{Path: path}, procedure: p}
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
		s.handle(verb, pattern, func(w http.ResponseWriter, r *http.Request, variables []string) {
			s.serveREST(w, r, b, variables)
		})
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

// serveREST calls the procedure behind a route in the Connect protocol, on the same handlers as every other caller,
// and translates the answer.
func (s *Server) serveREST(w http.ResponseWriter, r *http.Request, b binding, variables []string) {
	inner := b.request(r, variables)
	rec := s.buffers.Get().(*recorder)
	defer func() { rec.reset(); s.buffers.Put(rec) }()

	// Inside, errors are written as Connect writes them. A panic is answered out here again.
	c := callOf(r.Context())
	c.procedure, c.condition = b.url.Path, conditionIn(r.Header)
	func() {
		c.form = formConnect
		defer func() { c.form = formREST }()
		s.serveProcedure(rec, inner, b.procedure)
	}()

	for _, name := range [...]string{receiptHeader, "Retry-After", "Www-Authenticate"} {
		if values := rec.header[name]; len(values) > 0 {
			w.Header()[name] = values
		}
	}
	if rec.status != http.StatusOK || c.answer == nil {
		body, err := restErrorFrom(rec.body.Bytes())
		if err != nil {
			s.refuse(w, r, fmt.Errorf("translate an error: %w", err))
			return
		}
		if strings.HasSuffix(body.Message, errNotProto.Error()) { // we made the message, so it is the text in it
			body.Message = "the path holds text that is not UTF-8"
		}
		status := rec.status
		if c.status != 0 { // Connect's is coarser
			status = c.status
		}
		writeRESTError(w, status, body)
		return
	}
	s.writeREST(w, r, c.answer)
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
	for _, name := range [...]string{"Authorization", "Traceparent", "Tracestate"} {
		if values := r.Header[name]; len(values) > 0 {
			header[name] = values
		}
	}
	orgs := r.Header["X-Zitadel-Orgid"]
	if more := r.Header["Grpc-Metadata-X-Zitadel-Orgid"]; len(more) > 0 {
		orgs = append(orgs[:len(orgs):len(orgs)], more...)
	}
	if len(orgs) > 0 {
		header["X-Zitadel-Orgid"] = orgs
	}
	inner := r.WithContext(r.Context()) // a shallow copy
	inner.Method, inner.URL, inner.Header = http.MethodPost, b.url, header
	inner.Body, inner.ContentLength = io.NopCloser(bytes.NewReader(message)), int64(len(message))
	inner.TransferEncoding, inner.Trailer = nil, nil
	return inner
}
