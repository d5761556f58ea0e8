package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
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
	docs, err := documents(data)
	if err != nil {
		r.fault(name+syntaxLine(err), "is no YAML from here on; expected \"key: value\" lines")
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
	for i, doc := range docs {
		switch {
		case i > 0:
			r.fault(position(name, doc), "is a second document; expected one")
		default:
			f.mapping("", doc)
		}
	}
}

// documents returns the content of each document that has one.
func documents(data []byte) (docs []*yaml.Node, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
			return docs, nil
		} else if err != nil {
			return nil, err
		}
		if content := doc.Content; len(content) == 1 && content[0].Tag != nullTag {
			docs = append(docs, content[0])
		}
	}
}

// The parser gives the line of a fault in its message alone.
var inLine = regexp.MustCompile(`^yaml: line (\d+):`)

// syntaxLine returns ":" and the line of a fault of syntax, "" when that is not known.
func syntaxLine(err error) string {
	if found := inLine.FindStringSubmatch(err.Error()); found != nil {
		return ":" + found[1]
	}
	return ""
}

type fileReader struct {
	*reader
	name   string
	known  map[string]Setting
	groups map[string]bool // first words of the keys that have two
	lines  map[string]int  // where each key was met first
}

// mapping reads the entries of the file (prefix "") or of a group.
func (f *fileReader) mapping(prefix string, n *yaml.Node) {
	entries, ok := mappingEntries(n)
	if !ok {
		f.unread = f.unread || prefix == ""
		f.fault(f.at(prefix, n), "is no group of settings; expected \"key: value\" lines")
		return
	}
	for _, e := range entries {
		key := prefix + keyText(e.key)
		nested := prefix != "" || !strings.Contains(key, ".") // one way to write each key
		if line, again := f.lines[key]; again {
			f.fault(f.at(key, e.key), "is there already in line %d; expected once", line)
			continue
		}
		f.lines[key] = e.key.Line
		if s, ok := f.known[key]; ok && nested {
			f.set(s, f.at(key, e.key), nodeValue{e.value})
		} else if prefix == "" && f.groups[key] {
			f.mapping(key+".", e.value)
		} else {
			f.fault(f.at(key, e.key), "is no setting; expected one of those in \"avatard help serve\"")
		}
	}
}

func (f *fileReader) at(key string, n *yaml.Node) string {
	return strings.TrimSuffix(position(f.name, n)+" "+strings.TrimSuffix(key, "."), " ")
}

func position(name string, n *yaml.Node) string { return fmt.Sprintf("%s:%d", name, n.Line) }

// mappingEntry is a key with its value.
type mappingEntry struct{ key, value *yaml.Node }

// mappingEntries returns the entries of a plain mapping: one with an anchor, or a tag of its own, is none.
func mappingEntries(n *yaml.Node) (entries []mappingEntry, ok bool) {
	if n.Kind != yaml.MappingNode || !plain(n) {
		return nil, false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		entries = append(entries, mappingEntry{n.Content[i], n.Content[i+1]})
	}
	return entries, true
}

// plain reports whether a node has neither an anchor nor a tag that somebody wrote.
func plain(n *yaml.Node) bool { return n.Anchor == "" && n.Style&yaml.TaggedStyle == 0 }

func keyText(k *yaml.Node) string {
	if text, err := scalarText(k); err == nil {
		return text
	}
	return k.Value
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
type nodeValue struct{ node *yaml.Node }

func (v nodeValue) asText() (string, error) { return scalarText(v.node) }

func (v nodeValue) asList() ([]string, error) {
	if v.node.Kind != yaml.SequenceNode || !plain(v.node) {
		return nil, errors.New("is no list; expected [a, b] or lines that begin with \"- \"")
	}
	var items []string
	var faults []error
	for _, n := range v.node.Content {
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
		name := keyText(e.key)
		if _, again := rows[name]; again {
			faults = append(faults, fmt.Errorf("has the row %q twice; expected once", name))
			continue
		}
		items, err := nodeValue{e.value}.asList()
		if err != nil {
			faults = append(faults, fmt.Errorf("row %q %w", name, err))
		}
		rows[name] = items
	}
	return rows, errors.Join(faults...)
}

// nullTag is the tag of a value that is not there.
const nullTag = "!!null"

// scalarText returns a single value as it is written. Numbers stay text: an id of digits must not become one.
func scalarText(n *yaml.Node) (string, error) {
	switch {
	case n.Kind != yaml.ScalarNode || !plain(n):
		return "", errors.New("is not a single plain value; expected text, a number, true or false")
	case n.Tag == nullTag:
		return "", errors.New("has no value; expected one")
	}
	return n.Value, nil
}
