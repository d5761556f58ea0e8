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
	if m.Descriptor().FullName() == "google.protobuf.Timestamp" {
		fields := m.Descriptor().Fields()
		m.Set(fields.ByName("seconds"), protoreflect.ValueOfInt64(exampleTime.Unix()))
		m.Set(fields.ByName("nanos"), protoreflect.ValueOfInt32(int32(exampleTime.Nanosecond())))
		return nil
	}
	for i := range m.Descriptor().Fields().Len() {
		switch f := m.Descriptor().Fields().Get(i); f.Kind() {
		case protoreflect.MessageKind:
			if err := fill(m.Mutable(f).Message()); err != nil {
				return err
			}
		case protoreflect.StringKind:
			m.Set(f, protoreflect.ValueOfString(exampleText(f)))
		case protoreflect.Uint64Kind:
			m.Set(f, protoreflect.ValueOfUint64(3))
		default:
			return fmt.Errorf("no example for %s", f.FullName())
		}
	}
	return nil
}

// ExampleOrganization and ExampleUser are the ids in examples.
const (
	ExampleOrganization = "69629023906488334"
	ExampleUser         = "163840776835432705"
)

func exampleText(f protoreflect.FieldDescriptor) string {
	if f.Name() == "resource_owner" {
		return ExampleOrganization
	}
	return ExampleUser
}
