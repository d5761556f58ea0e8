package reference

import (
	"crypto/sha256"
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
			if f.Kind() == protoreflect.BytesKind {
				m.Mutable(f).List().Append(protoreflect.ValueOfBytes(exampleHash[:]))
			} else if err := fill(m.Mutable(f).List().AppendMutable().Message()); err != nil { // the others are lists of messages
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
		case protoreflect.BytesKind:
			m.Set(f, protoreflect.ValueOfBytes(exampleHash[:]))
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

// exampleHash is a hash or a salt.
var exampleHash = sha256.Sum256([]byte("example"))

// A log of one receipt: its signed head, its key, and a proof.
const (
	exampleHead = "avatard/9d41e07c\n1\n7xZTU6zvgUNHTrdPD99W1cWmV1mx1mbGzhnPczx/OKM=\n\n" +
		"— avatard/9d41e07c VjmFM+mnEZM8H+MtYZW+SekcIqNe1ZLUteGIFOy3XCo7OVuPze3mYL24Q3XVr7FctNVuhNZuTsvo5d5dTvOZ5WguAA0=\n"
	exampleKey   = "avatard/9d41e07c+56398533+ASYBy/zrhja25QDY1GN3nCJ7fj6zqdOP1mJ0zCFM5NiC"
	exampleProof = "c2sp.org/tlog-proof@v1\nextra AV8cmrDo0kx/k6bRsgR+WMMABkwHYuLnZwAAAAAAAAABz9uXeT42jgTKD+V6OMM7d/fagZv977rX7J0hgnf0kzhwMR4/PCvcGi9knPXnnqkN" +
		"IVwJFIYpYmsNWTw3J/498SlhFWDOS0lqTtJy99pWE8ZG8It5hOsPEZRnZLde2l4qNjk2MjkwMjM5MDY0ODgzMzQ=\nindex 0\n\n" + exampleHead
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
	"head":                   exampleHead,
	"key":                    exampleKey,
	"text":                   exampleProof,
	"media_type":             "image/png",
	"picture_url":            "/assets/v1/" + ExampleOrganization + "/users/" + ExampleUser + "/avatar?generation=" + ExampleReceipt,
}

func exampleText(f protoreflect.FieldDescriptor) string {
	if text, known := exampleTexts[f.Name()]; known {
		return text
	}
	return ExampleUser
}
