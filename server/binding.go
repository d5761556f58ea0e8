package server

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// binding is one REST route of a procedure, as google.api.http in the .proto file describes it (google/api/http.proto).
type binding struct {
	method, pattern string
	url             *url.URL // of the procedure; never changed
	handler         http.Handler
	input           protoreflect.MessageDescriptor
	// variables are the fields of the request that the variables of the path set.
	variables []protowire.Number
	// body says what the body is: "*" = the request, "" = nothing, else the field of this name.
	body string
	// stream: the answer is one, of any number of messages.
	stream bool
	// query are the fields that query parameters may set: those that neither path nor body does.
	query map[protowire.Number]bool
}

// newBinding reads a rule. It refuses what the adapter does not do: streams of requests, verbs other than DELETE, GET and POST, bodies of DELETE
// and GET, response_body, variables that are not texts or span several segments, and fields that no query parameter can hold.
func newBinding(path string, handler http.Handler, method protoreflect.MethodDescriptor, rule *annotations.HttpRule) (*binding, error) {
	if method.IsStreamingClient() {
		return nil, fmt.Errorf("server: %s: a stream of requests cannot have a REST route", path)
	}
	b := &binding{url: &url.URL{Path: path}, handler: handler, input: method.Input(), body: rule.GetBody(), stream: method.IsStreamingServer(),
		query: make(map[protowire.Number]bool)}
	b.method, b.pattern = methodAndPattern(rule)
	fields := b.input.Fields()
	wrongBody := b.body != "" && (b.method != http.MethodPost || b.body != "*" && fields.ByName(protoreflect.Name(b.body)) == nil)
	if b.pattern == "" || wrongBody || rule.GetResponseBody() != "" || strings.ContainsAny(b.pattern, "*=:") {
		return nil, fmt.Errorf("server: %s: this kind of REST route is not supported", path)
	}
	for i := range fields.Len() {
		field := fields.Get(i)
		b.query[field.Number()] = b.body != "*" && b.body != string(field.Name())
	}
	for segment := range strings.SplitSeq(b.pattern, "/") {
		if !isVariable(segment) {
			continue
		}
		field := fields.ByName(protoreflect.Name(strings.Trim(segment, "{}")))
		if field == nil || field.Kind() != protoreflect.StringKind || field.Cardinality() == protoreflect.Repeated {
			return nil, fmt.Errorf("server: %s: %s in the REST route does not name a text field of the request", path, segment)
		}
		b.variables = append(b.variables, field.Number())
		b.query[field.Number()] = false
	}
	maps.DeleteFunc(b.query, func(_ protowire.Number, may bool) bool { return !may })
	seen := make(map[protoreflect.FullName]bool)
	for i := range fields.Len() {
		if field := fields.Get(i); b.query[field.Number()] && holdsFreeJSON(field, seen) {
			return nil, fmt.Errorf("server: %s: the field %s of the REST route cannot be a query parameter, since it holds JSON of any form", path, field.Name())
		}
	}
	return b, nil
}

func methodAndPattern(rule *annotations.HttpRule) (method, pattern string) {
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

// request returns the procedure's own request. It has only those headers that say who calls, where and in which trace: one
// that negotiates an encoding would change the form of the answer.
func (b *binding) request(w http.ResponseWriter, r *http.Request, variables []string) (*http.Request, error) {
	message, err := b.message(w, r, variables)
	if err != nil {
		return nil, err
	}
	header := http.Header{"Content-Type": {"application/proto"}, "Connect-Protocol-Version": {"1"}}
	if b.stream {
		header["Content-Type"] = []string{connectStreamPrefix + "proto"}
		message = slices.Concat([]byte{0}, binary.BigEndian.AppendUint32(nil, uint32(len(message))), message)
	}
	for _, name := range [...]string{"Authorization", "Traceparent", "Tracestate", "X-Zitadel-Orgid"} {
		if values := r.Header[name]; len(values) > 0 {
			header[name] = values
		}
	}
	inner := r.WithContext(r.Context()) // a shallow copy
	inner.Method, inner.URL, inner.Header = http.MethodPost, b.url, header
	inner.Body, inner.ContentLength = io.NopCloser(bytes.NewReader(message)), int64(len(message))
	inner.TransferEncoding, inner.Trailer = nil, nil
	return inner, nil
}

// message puts the procedure's request together. The variables of the path come last, because a decoder takes the last value of
// a field. Their values are not checked here: the decoder and the validation rules do that for every form of call.
func (b *binding) message(w http.ResponseWriter, r *http.Request, variables []string) (message []byte, err error) {
	if queried := len(b.query) > 0 && r.URL.RawQuery != ""; queried || b.body != "" {
		m := dynamicpb.NewMessage(b.input)
		if b.body != "" {
			err = b.readBody(w, r, m)
		}
		if err == nil && queried {
			err = b.readQuery(r.URL.RawQuery, m)
		}
		if err == nil {
			message, err = proto.Marshal(m)
		}
		if err != nil {
			return nil, err
		}
	}
	for i, field := range b.variables {
		message = protowire.AppendTag(message, field, protowire.BytesType)
		message = protowire.AppendString(message, variables[i])
	}
	if len(message) > MaxMessageBytes {
		return nil, &apiError{reason: messageTooLarge}
	}
	return message, nil
}

// readBody reads JSON, which may be compressed. An empty body is a message without fields.
func (b *binding) readBody(w http.ResponseWriter, r *http.Request, into proto.Message) error {
	unpacked, err := gunzipUpload(w, r, maxBodyBytes)
	if err != nil {
		return err
	}
	defer unpacked()
	text, err := io.ReadAll(http.MaxBytesReader(innermost(w), r.Body, maxBodyBytes))
	switch {
	case err != nil:
		return &apiError{reason: bodyReason(r.Context(), err)}
	case len(text) > MaxMessageBytes:
		return &apiError{reason: messageTooLarge}
	case len(text) == 0:
		return nil
	}
	if b.body != "*" {
		if !json.Valid(text) {
			return &apiError{reason: invalidRequest, message: errNotJSON.Error()}
		}
		text = slices.Concat([]byte(`{"`+b.body+`":`), text, []byte(`}`))
	}
	if err := (jsonCodec{}).Unmarshal(text, into); err != nil {
		return &apiError{reason: invalidRequest, message: err.Error()}
	}
	return nil
}
