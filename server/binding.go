package server

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

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
	// query are the fields that query parameters may set: those that neither path nor body does.
	query map[protowire.Number]bool
}

// newBinding reads a rule. What is not built is refused: verbs other than DELETE, GET and POST, bodies of DELETE and GET,
// response_body, and variables that are not texts or span several segments.
func newBinding(path string, handler http.Handler, method protoreflect.MethodDescriptor, rule *annotations.HttpRule) (*binding, error) {
	b := &binding{url: &url.URL{Path: path}, handler: handler, input: method.Input(), body: rule.GetBody(), query: make(map[protowire.Number]bool)}
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
			return nil, fmt.Errorf("server: %s: %s in the REST route is no text field of the request", path, segment)
		}
		b.variables = append(b.variables, field.Number())
		b.query[field.Number()] = false
	}
	maps.DeleteFunc(b.query, func(_ protowire.Number, may bool) bool { return !may })
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

// request returns the procedure's own request. Of the headers go with it those that mean something here; what negotiates the
// encoding of an answer must not.
func (b *binding) request(w http.ResponseWriter, r *http.Request, variables []string) (*http.Request, error) {
	message, err := b.message(w, r, variables)
	if err != nil {
		return nil, err
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
	return inner, nil
}

// message puts the procedure's request together. The variables of the path come last: of a field that is there more than once
// a decoder takes the last one. They are not looked at; a bad one is for the decoder and the rules to find.
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

// readQuery sets the fields that query parameters name, those of inner messages with dots in between. Unknown parameters
// are ignored.
func (b *binding) readQuery(query string, into proto.Message) error {
	parameters, err := url.ParseQuery(query)
	if err != nil {
		return &apiError{reason: invalidRequest, message: "the query cannot be read"}
	}
	seen := make(map[string]bool)
	for _, parameter := range slices.Sorted(maps.Keys(parameters)) {
		path, values := b.queryPath(parameter), parameters[parameter]
		if path == nil {
			continue
		}
		name := fieldPath(path)
		if seen[name] || len(values) > 1 && !path[len(path)-1].IsList() {
			return &apiError{reason: invalidRequest, message: "the query parameter " + name + " is there more than once"}
		}
		seen[name] = true
		part := into.ProtoReflect().New().Interface()
		text, ok := queryJSON(path, values)
		if !ok || (jsonCodec{}).Unmarshal(text, part) != nil {
			return &apiError{reason: invalidRequest, message: "the query parameter " + name + " cannot be read"}
		}
		proto.Merge(into, part)
	}
	return nil
}

// queryPath returns the field that a query parameter names, behind those of the messages that it is in; nil = none.
func (b *binding) queryPath(parameter string) (path []protoreflect.FieldDescriptor) {
	message := b.input
	for name := range strings.SplitSeq(parameter, ".") {
		if message == nil {
			return nil
		}
		field := cmp.Or(message.Fields().ByJSONName(name), message.Fields().ByTextName(name))
		if field == nil || field.IsMap() || len(path) == 0 && !b.query[field.Number()] {
			return nil
		}
		path = append(path, field)
		if message = field.Message(); field.IsList() {
			message = nil
		}
	}
	return path
}

// fieldPath writes a path as people name it in a query.
func fieldPath(path []protoreflect.FieldDescriptor) string {
	names := make([]string, len(path))
	for i, field := range path {
		names[i] = string(field.Name())
	}
	return strings.Join(names, ".")
}

// queryJSON is the JSON of a message in which one field has values. Protobuf's JSON mapping has texts for values of every kind
// but truth and numbers of enums. ok is false for texts that are not UTF-8.
func queryJSON(path []protoreflect.FieldDescriptor, values []string) (text []byte, ok bool) {
	field := path[len(path)-1]
	var list []json.RawMessage
	for _, value := range values {
		quoted, err := json.Marshal(value)
		if err != nil || !utf8.ValidString(value) {
			return nil, false
		}
		truth := field.Kind() == protoreflect.BoolKind && (value == "true" || value == "false")
		number := field.Kind() == protoreflect.EnumKind && value != "" && strings.Trim(value, "0123456789") == ""
		if truth || number {
			quoted = []byte(value)
		}
		list = append(list, quoted)
	}
	var whole any = list
	if !field.IsList() {
		whole = list[0]
	}
	for _, field := range slices.Backward(path) {
		whole = map[string]any{string(field.Name()): whole}
	}
	text, err := json.Marshal(whole)
	return text, err == nil
}
