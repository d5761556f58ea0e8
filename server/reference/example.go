package reference

import (
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// exampleTime is the time in examples.
var exampleTime = time.Date(2026, time.March, 2, 9, 41, 7, 783527000, time.UTC)

// exampleOf returns a message in which every field has a value, in protobuf's JSON mapping.
func exampleOf(message protoreflect.MessageDescriptor) (json.RawMessage, error) {
	m := dynamicpb.NewMessage(message)
	if err := fill(m); err != nil {
		return nil, err
	}
	return protojson.Marshal(m)
}

// fill gives every field a value. It fails for kinds of fields that the API does not have yet.
func fill(m protoreflect.Message) error {
	if m.Descriptor().FullName() == timestamp {
		fields := m.Descriptor().Fields()
		m.Set(fields.ByName("seconds"), protoreflect.ValueOfInt64(exampleTime.Unix()))
		m.Set(fields.ByName("nanos"), protoreflect.ValueOfInt32(int32(exampleTime.Nanosecond())))
		return nil
	}
	for i := range m.Descriptor().Fields().Len() {
		f := m.Descriptor().Fields().Get(i)
		if f.IsList() {
			first := m.Mutable(f).List().AppendMutable() // lists of messages are all there are
			if err := fill(first.Message()); err != nil {
				return err
			}
			continue
		}
		switch f.Kind() {
		case protoreflect.MessageKind:
			if err := fill(m.Mutable(f).Message()); err != nil {
				return err
			}
		case protoreflect.StringKind:
			m.Set(f, protoreflect.ValueOfString(exampleText(f)))
		case protoreflect.Uint64Kind:
			m.Set(f, protoreflect.ValueOfUint64(3))
		case protoreflect.Int64Kind:
			m.Set(f, protoreflect.ValueOfInt64(48213))
		case protoreflect.BoolKind:
			m.Set(f, protoreflect.ValueOfBool(true))
		case protoreflect.EnumKind:
			m.Set(f, protoreflect.ValueOfEnum(1))
		default:
			return fmt.Errorf("no example for %s", f.FullName())
		}
	}
	return nil
}

// The ids in examples.
const (
	ExampleOrganization = "69629023906488334"
	ExampleUser         = "163840776835432705"
	ExampleReceipt      = "5f1c9ab0e8d24c7f93a6d1b2047e58c3"
)

// exampleTexts are those of fields that are not the id of a user, by name. Nothing changes them.
var exampleTexts = map[protoreflect.Name]string{ //nolint:gosec // a page token is no secret
	"resource_owner":         ExampleOrganization,
	"organization_id":        ExampleOrganization,
	"caller_organization_id": ExampleOrganization,
	"receipt_id":             ExampleReceipt,
	"issuer":                 "https://login.example",
	"request_id":             "mfzq5jx2tk7e4hwcgr3y6uabn1",
	"next_page_token":        "Wb0mXh4rcQ8xNjM4",
	"media_type":             "image/png",
	"picture_url":            "/assets/v1/" + ExampleOrganization + "/users/" + ExampleUser + "/avatar?generation=" + ExampleReceipt,
}

func exampleText(f protoreflect.FieldDescriptor) string {
	if text, known := exampleTexts[f.Name()]; known {
		return text
	}
	return ExampleUser
}
