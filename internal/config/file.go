package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxConfigBytes bounds the configuration file.
const maxConfigBytes = 1 << 20

// file reads the settings of a YAML file. It walks the syntax tree and does not decode into a struct: so every
// fault is found in one go and has a line, ids keep the digits they were written with, and the parser's own
// messages, which quote the source and with it secrets, are not shown.
func (r *reader) file(name string) {
	data, err := ReadBounded(name, maxConfigBytes)
	if err != nil {
		r.fault("--config", "%v; expected a readable YAML file", err)
		r.unread = true
		return
	}
	tree, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		where := name
		if syntax, ok := errors.AsType[yaml.Error](err); ok {
			where = position(name, syntax.GetToken())
		}
		r.fault(where, "is no YAML from here on; expected \"key: value\" lines")
		r.unread = true
		return
	}
	f := fileReader{reader: r, name: name, known: map[string]Setting{}, groups: map[string]bool{}, lines: map[string]int{}}
	for _, s := range Settings() {
		f.known[s.Key] = s
		if group, _, ok := strings.Cut(s.Key, "."); ok {
			f.groups[group] = true
		}
	}
	r.dir = filepath.Dir(name)
	defer func() { r.dir = "" }()
	for i, doc := range tree.Docs {
		switch {
		case i > 0 && doc.Body != nil:
			r.fault(position(name, doc.Body.GetToken()), "is a second document; expected one")
		case doc.Body != nil:
			f.mapping("", doc.Body)
		}
	}
}

type fileReader struct {
	*reader
	name   string
	known  map[string]Setting
	groups map[string]bool // first words of the keys that have two
	lines  map[string]int  // where each key was met first
}

// mapping reads the entries of the file (prefix "") or of a group.
func (f *fileReader) mapping(prefix string, n ast.Node) {
	entries, ok := mappingEntries(n)
	if !ok {
		f.unread = f.unread || prefix == ""
		f.fault(f.at(prefix, n), "is no group of settings; expected \"key: value\" lines")
		return
	}
	for _, e := range entries {
		key := prefix + keyText(e.Key)
		nested := prefix != "" || !strings.Contains(key, ".") // one way to write each key
		if line, again := f.lines[key]; again {
			f.fault(f.at(key, e.Key), "is there already in line %d; expected once", line)
			continue
		}
		f.lines[key] = e.Key.GetToken().Position.Line
		if s, ok := f.known[key]; ok && nested {
			f.set(s, f.at(key, e.Key), nodeValue{e.Value})
		} else if prefix == "" && f.groups[key] {
			f.mapping(key+".", e.Value)
		} else {
			f.fault(f.at(key, e.Key), "is no setting; expected one of those in \"avatard help serve\"")
		}
	}
}

func (f *fileReader) at(key string, n ast.Node) string {
	return strings.TrimSuffix(position(f.name, n.GetToken())+" "+strings.TrimSuffix(key, "."), " ")
}

func position(name string, t *token.Token) string {
	if t == nil || t.Position == nil {
		return name
	}
	return fmt.Sprintf("%s:%d", name, t.Position.Line)
}

func mappingEntries(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

func keyText(k ast.MapKeyNode) string {
	if text, err := scalarText(k); err == nil {
		return text
	}
	return k.String()
}

// value is a setting's value as some source gave it.
type value interface {
	asText() (string, error)
	asList() ([]string, error)
	asTable() (map[string][]string, error)
}

// textValue comes from a flag or a variable.
type textValue string

func (v textValue) asText() (string, error) { return string(v), nil }

func (v textValue) asList() ([]string, error) {
	var items []string
	for item := range strings.SplitSeq(string(v), ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items, nil
}

func (v textValue) asTable() (map[string][]string, error) {
	rows := map[string][]string{}
	var faults []error
	for part := range strings.SplitSeq(string(v), ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, items, ok := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		if _, again := rows[name]; !ok || again {
			faults = append(faults, fmt.Errorf("%q is no row of its own; expected ROW=a,b;ROW=c", part))
			continue
		}
		rows[name], _ = textValue(items).asList()
	}
	return rows, errors.Join(faults...)
}

// nodeValue comes from the configuration file.
type nodeValue struct{ node ast.Node }

func (v nodeValue) asText() (string, error) { return scalarText(v.node) }

func (v nodeValue) asList() ([]string, error) {
	seq, ok := v.node.(*ast.SequenceNode)
	if !ok {
		return nil, errors.New("is no list; expected [a, b] or lines that begin with \"- \"")
	}
	var items []string
	var faults []error
	for _, n := range seq.Values {
		if text, err := scalarText(n); err != nil {
			faults = append(faults, fmt.Errorf("an item %w", err))
		} else {
			items = append(items, text)
		}
	}
	return items, errors.Join(faults...)
}

func (v nodeValue) asTable() (map[string][]string, error) {
	entries, ok := mappingEntries(v.node)
	if !ok {
		return nil, errors.New("is no table; expected lines of the form \"row: [a, b]\"")
	}
	rows := map[string][]string{}
	var faults []error
	for _, e := range entries {
		name := keyText(e.Key)
		if _, again := rows[name]; again {
			faults = append(faults, fmt.Errorf("has the row %q twice; expected once", name))
			continue
		}
		items, err := nodeValue{e.Value}.asList()
		if err != nil {
			faults = append(faults, fmt.Errorf("row %q %w", name, err))
		}
		rows[name] = items
	}
	return rows, errors.Join(faults...)
}

// scalarText returns a single value as it is written. Numbers stay text: an id of digits must not become one.
func scalarText(n ast.Node) (string, error) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, nil
	case *ast.NullNode:
		return "", errors.New("has no value; expected one")
	}
	return "", errors.New("is not a single plain value; expected text, a number, true or false")
}
