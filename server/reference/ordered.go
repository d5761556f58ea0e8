package reference

import (
	"bytes"
	"encoding/json"
)

// ordered is an object in JSON whose members come in the order in which they were added.
type ordered[T any] []member[T]

type member[T any] struct {
	Name  string
	Value *T
}

func (o *ordered[T]) add(name string, value *T) { *o = append(*o, member[T]{name, value}) }

// get returns the member of a name; nil for none.
func (o ordered[T]) get(name string) *T {
	for _, m := range o {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

// MarshalJSON implements [json.Marshaler].
func (o ordered[T]) MarshalJSON() ([]byte, error) {
	var text bytes.Buffer
	text.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			text.WriteByte(',')
		}
		name, err := json.Marshal(m.Name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.Value)
		if err != nil {
			return nil, err
		}
		text.Write(name)
		text.WriteByte(':')
		text.Write(value)
	}
	text.WriteByte('}')
	return text.Bytes(), nil
}
