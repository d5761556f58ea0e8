package server

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// queryField is a field that a query sets: its path through the messages around it, and its values as they were sent.
type queryField struct {
	path   []protoreflect.FieldDescriptor
	values []string
}

// readQuery sets the fields that query parameters name; dots lead to fields of inner messages. Unknown parameters are ignored,
// even if they cannot be decoded.
func (b *binding) readQuery(query string, into proto.Message) error {
	fields, err := b.queryFields(query)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		field := fields[name]
		if len(field.values) > 1 && !field.last().IsList() {
			return queryError("the query parameter %s is there more than once", name)
		}
		if rival := oneofRival(into.ProtoReflect(), field.path); rival != "" {
			return queryError("the query parameter %s excludes the field %s, which is there too", name, rival)
		}
		part := into.ProtoReflect().New().Interface()
		text, ok := field.json()
		// Unlike in a body, nothing unknown is let pass: an enum value that does not exist would be dropped without a word.
		if !ok || protojson.Unmarshal(text, part) != nil {
			return queryError("the query parameter %s cannot be read", name)
		}
		proto.Merge(into, part)
	}
	return nil
}

func queryError(format string, args ...any) error {
	return &apiError{reason: invalidRequest, message: fmt.Sprintf(format, args...)}
}

// queryFields returns the fields that a query names, by the names of their paths. A semicolon, which some servers take for a
// separator, is refused in their values, as [url.ParseQuery] does.
func (b *binding) queryFields(query string) (map[string]*queryField, error) {
	fields := make(map[string]*queryField)
	for parameter := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(parameter, "=")
		key, err := url.QueryUnescape(key)
		if err != nil {
			continue
		}
		path := b.queryPath(key)
		if path == nil {
			continue
		}
		name := fieldPath(path)
		value, err = url.QueryUnescape(value)
		if err != nil || strings.Contains(parameter, ";") {
			return nil, queryError("the query parameter %s cannot be read", name)
		}
		if fields[name] == nil {
			fields[name] = &queryField{path: path}
		}
		fields[name].values = append(fields[name].values, value)
	}
	return fields, nil
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

// fieldPath writes a path as it stands in a query, by the names in the .proto file.
func fieldPath(path []protoreflect.FieldDescriptor) string {
	names := make([]string, len(path))
	for i, field := range path {
		names[i] = string(field.Name())
	}
	return strings.Join(names, ".")
}

// oneofRival returns the field of m that setting the field at path would unset, because both are in one oneof; "" = none.
func oneofRival(m protoreflect.Message, path []protoreflect.FieldDescriptor) string {
	for i, field := range path {
		if oneof := field.ContainingOneof(); oneof != nil {
			if set := m.WhichOneof(oneof); set != nil && set != field {
				return fieldPath(append(slices.Clone(path[:i]), set))
			}
		}
		if i < len(path)-1 {
			m = m.Get(field).Message()
		}
	}
	return ""
}

// last is the field itself.
func (f *queryField) last() protoreflect.FieldDescriptor { return f.path[len(f.path)-1] }

// json returns a message in which the field alone has its values, in protobuf's JSON mapping. ok is false for texts that are not UTF-8.
func (f *queryField) json() (text []byte, ok bool) {
	var list []json.RawMessage
	for _, value := range f.values {
		if !utf8.ValidString(value) {
			return nil, false
		}
		if bare(f.last(), value) {
			list = append(list, json.RawMessage(value))
			continue
		}
		quoted, err := json.Marshal(value)
		if err != nil {
			return nil, false
		}
		list = append(list, quoted)
	}
	var whole any = list
	if !f.last().IsList() {
		whole = list[0]
	}
	for _, field := range slices.Backward(f.path) {
		whole = map[string]any{string(field.Name()): whole}
	}
	text, err := json.Marshal(whole)
	return text, err == nil
}

// bare reports whether a value stands without quotes in protobuf's JSON mapping, which takes a text for values of every kind but
// truth values and numbers of enums.
func bare(field protoreflect.FieldDescriptor, value string) bool {
	switch {
	case field.Kind() == protoreflect.EnumKind:
		number, err := strconv.ParseInt(value, 10, 32)
		return err == nil && strconv.FormatInt(number, 10) == value
	case field.Kind() == protoreflect.BoolKind, field.Message() != nil && field.Message().FullName() == "google.protobuf.BoolValue":
		return value == "true" || value == "false"
	}
	return false
}

// holdsFreeJSON reports whether a field, or one within it, has a type whose JSON may be anything: google.api.http does not say
// how a query parameter would tell the number 5 from the text "5". seen are the messages that have been looked into.
func holdsFreeJSON(field protoreflect.FieldDescriptor, seen map[protoreflect.FullName]bool) bool {
	message := field.Message()
	if message == nil || field.IsMap() {
		return false
	}
	switch message.FullName() {
	case "google.protobuf.Any", "google.protobuf.ListValue", "google.protobuf.Struct", "google.protobuf.Value":
		return true
	}
	if field.IsList() || seen[message.FullName()] {
		return false
	}
	seen[message.FullName()] = true
	for i := range message.Fields().Len() {
		if holdsFreeJSON(message.Fields().Get(i), seen) {
			return true
		}
	}
	return false
}
