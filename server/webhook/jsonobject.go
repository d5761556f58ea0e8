package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"example.org/avatard/internal/ids"
)

// maxDepth bounds objects and lists inside each other. The events have two.
const maxDepth = 16

// Errors of a body. They repeat nothing of it.
var (
	errNoJSON    = errors.New("the body is no JSON of one value in UTF-8")
	errDuplicate = errors.New("the body has a name twice in one object")
	errDeep      = errors.New("the body has more than 16 levels")
	errNoObject  = errors.New("the body is no JSON object")
)

// object is a JSON object. Names count as they are written, upper and lower case.
type object map[string]any

// readObject reads JSON that has one meaning only: other readers of it cannot see another event.
func readObject(body []byte) (object, error) {
	if !utf8.Valid(body) || !json.Valid(body) { // the decoder alone forgives some missing commas, and whatever follows
		return nil, errNoJSON
	}
	r := objectReader{json.NewDecoder(bytes.NewReader(body))}
	r.UseNumber()
	value, err := r.value(0)
	if err != nil {
		return nil, err
	}
	read, ok := value.(object)
	if !ok {
		return nil, errNoObject
	}
	return read, nil
}

type objectReader struct{ *json.Decoder }

// value reads a value that is depth levels deep.
func (r objectReader) value(depth int) (any, error) {
	token, err := r.Token()
	delim, nested := token.(json.Delim)
	switch {
	case err != nil:
		return nil, errNoJSON
	case !nested:
		return token, nil
	case depth == maxDepth:
		return nil, errDeep
	case delim == '[':
		return nil, r.list(depth + 1)
	}
	return r.object(depth + 1)
}

// list reads a list, of which nothing is needed.
func (r objectReader) list(depth int) error {
	for r.More() {
		if _, err := r.value(depth); err != nil {
			return err
		}
	}
	_, err := r.Token()
	return err
}

func (r objectReader) object(depth int) (object, error) {
	read := object{}
	for r.More() {
		token, err := r.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, errNoJSON
		}
		if _, again := read[name]; again {
			return nil, errDuplicate
		}
		if read[name], err = r.value(depth); err != nil {
			return nil, err
		}
	}
	_, err := r.Token()
	return read, err
}

// text returns a member that is a text, "" when it is none.
func (o object) text(name string) string {
	text, _ := o[name].(string)
	return text
}

// id returns a member that is an id, "" when it is none. Half a surrogate pair, which the decoder replaces, is in no id.
func (o object) id(name string) string {
	id := o.text(name)
	if !ids.Valid(id) || strings.ContainsRune(id, utf8.RuneError) {
		return ""
	}
	return id
}
