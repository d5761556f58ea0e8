package reference

import (
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Schema is a JSON Schema (draft 2020-12), as far as the API needs it.
type Schema struct {
	Ref         string  `json:"$ref,omitempty"`
	Type        string  `json:"type,omitempty"`
	Format      string  `json:"format,omitempty"`
	Description string  `json:"description,omitempty"`
	Const       string  `json:"const,omitempty"`
	Enum        []any   `json:"enum,omitempty"`
	MinLength   *uint64 `json:"minLength,omitempty"`
	MaxLength   *uint64 `json:"maxLength,omitempty"`
	Pattern     string  `json:"pattern,omitempty"`
	// MediaType is that of bytes in a text or a form.
	MediaType  string          `json:"contentMediaType,omitempty"`
	Encoding   string          `json:"contentEncoding,omitempty"` // of bytes in a text
	Items      *Schema         `json:"items,omitempty"`
	Properties ordered[Schema] `json:"properties,omitempty"`
	Required   []string        `json:"required,omitempty"`
	Examples   []any           `json:"examples,omitempty"`
}

// schemas collects the schemas of messages by their names.
type schemas struct {
	comments comments
	all      ordered[Schema]
}

// of returns a reference to the schema of a message, which it makes if it is not there yet. Answers may get more fields some day, so no
// schema says that there are none.
func (s *schemas) of(message protoreflect.MessageDescriptor) *Schema {
	name := string(message.FullName())
	if s.all.get(name) == nil {
		made := &Schema{Type: "object", Description: s.comments.of(message)}
		s.all.add(name, made)
		fields := message.Fields()
		for i := range fields.Len() {
			made.Properties.add(fields.Get(i).JSONName(), s.field(fields.Get(i)))
		}
	}
	return &Schema{Ref: "#/components/schemas/" + name}
}

// field returns the schema of a field in protobuf's JSON mapping, of the kinds that the API has.
func (s *schemas) field(f protoreflect.FieldDescriptor) *Schema {
	made := s.value(f)
	if made.Ref == "" {
		made.Description = s.comments.of(f)
	}
	if f.IsList() {
		made = &Schema{Type: "array", Items: made, Description: made.Description}
		made.Items.Description = ""
	}
	return made
}

func (s *schemas) value(f protoreflect.FieldDescriptor) *Schema {
	if f.Kind() == protoreflect.MessageKind && f.Message().FullName() != timestamp {
		return s.of(f.Message())
	}
	return ScalarSchema(f)
}

// timestamp is the message that JSON has as a text.
const timestamp = "google.protobuf.Timestamp"

// ScalarSchema is the schema of a value of a field that is a time or no message, with the rules of its field.
func ScalarSchema(f protoreflect.FieldDescriptor) *Schema {
	switch f.Kind() {
	case protoreflect.MessageKind:
		return &Schema{Type: "string", Format: "date-time"}
	case protoreflect.EnumKind:
		made := &Schema{Type: "string"}
		for i := range f.Enum().Values().Len() {
			made.Enum = append(made.Enum, string(f.Enum().Values().Get(i).Name()))
		}
		return made
	case protoreflect.BoolKind:
		return &Schema{Type: "boolean"}
	case protoreflect.Int64Kind, protoreflect.Uint64Kind:
		return &Schema{Type: "string", Pattern: "^[0-9]+$"}
	case protoreflect.Int32Kind, protoreflect.Uint32Kind:
		return &Schema{Type: "integer"}
	case protoreflect.BytesKind:
		return &Schema{Type: "string", Encoding: "base64"}
	}
	return TextSchema(f)
}

// TextSchema is the schema of a text, with the rules of its field.
func TextSchema(f protoreflect.FieldDescriptor) *Schema {
	made := &Schema{Type: "string"}
	rules, err := protovalidate.ResolveFieldRules(f)
	if err != nil || rules.GetString() == nil {
		return made
	}
	text := rules.GetString()
	if text.HasMinLen() {
		made.MinLength = new(text.GetMinLen())
	}
	if text.HasMaxLen() {
		made.MaxLength = new(text.GetMaxLen())
	}
	made.Pattern = text.GetPattern()
	return made
}
