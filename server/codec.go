package server

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Errors of decoding, in our own words: those of the libraries repeat pieces of the message.
var (
	errNotProto = errors.New("this is no valid protobuf message, or a text in it is not UTF-8")
	errNotJSON  = errors.New("this is no valid JSON message")
	errNotText  = errors.New("ids are texts: put the number in quotes, {\"userId\":\"123\"}")
	errNotUTF8  = errors.New("the path holds text that is not UTF-8")
	errNoProto  = errors.New("not a protobuf type")
)

// protoCodec is the binary encoding.
type protoCodec struct{}

func (protoCodec) Name() string { return "proto" }

func (c protoCodec) Marshal(message any) ([]byte, error) { return c.MarshalAppend(nil, message) }

func (protoCodec) MarshalAppend(dst []byte, message any) ([]byte, error) {
	m, ok := message.(proto.Message)
	if !ok {
		return nil, errNoProto
	}
	return proto.MarshalOptions{}.MarshalAppend(dst, m)
}

func (protoCodec) Unmarshal(data []byte, message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return errNoProto
	}
	if proto.Unmarshal(data, m) != nil {
		return errNotProto
	}
	return nil
}

// jsonCodec is protobuf's JSON mapping without white space. The library's own output differs in white space from
// build to build on purpose.
type jsonCodec struct{ name string }

func (c jsonCodec) Name() string { return c.name }

func (jsonCodec) Marshal(message any) ([]byte, error) {
	m, ok := message.(proto.Message)
	if !ok {
		return nil, errNoProto
	}
	return compactJSON(m)
}

func (jsonCodec) Unmarshal(data []byte, message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return errNoProto
	}
	// Newer clients may know fields that this server does not.
	if (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, m) != nil {
		if hasNumberForText(data, m.ProtoReflect().Descriptor()) {
			return errNotText
		}
		return errNotJSON
	}
	return nil
}

// hasNumberForText reports whether an object has a number where the message has a text. It is the likeliest mistake: ids look like
// numbers, and a program that reads them as such loses their last digits beyond 2^53.
func hasNumberForText(data []byte, message protoreflect.MessageDescriptor) bool {
	var object map[string]json.RawMessage
	if json.Unmarshal(data, &object) != nil {
		return false
	}
	for name, value := range object {
		field := message.Fields().ByJSONName(name)
		if field == nil {
			field = message.Fields().ByTextName(name)
		}
		if field != nil && field.Kind() == protoreflect.StringKind && strings.IndexByte("-0123456789", value[0]) >= 0 {
			return true
		}
	}
	return false
}

// compactJSON returns a message in protobuf's JSON mapping, without white space.
func compactJSON(m proto.Message) ([]byte, error) {
	if text, ok := detailsJSON(m); ok {
		return text, nil
	}
	text, err := protojson.Marshal(m)
	if err != nil {
		return nil, err
	}
	compact := bytes.NewBuffer(text[:0])
	if err := json.Compact(compact, text); err != nil {
		return nil, err
	}
	return compact.Bytes(), nil
}

// withGzip offers gzip with bounds of our own: without them the library unpacks all of a message over the limit in
// order to tell its size.
func withGzip() connect.HandlerOption {
	return connect.WithCompression("gzip",
		func() connect.Decompressor { return new(gunzip) },
		func() connect.Compressor { return gzip.NewWriter(io.Discard) })
}

// gunzip unpacks at most maxBodyBytes.
type gunzip struct {
	source io.Reader
	reader gzip.Reader
	begun  bool
	left   int
}

func (g *gunzip) Reset(source io.Reader) error {
	g.source, g.begun, g.left = source, false, maxBodyBytes
	return nil
}

func (g *gunzip) Read(p []byte) (int, error) {
	if !g.begun {
		if err := g.reader.Reset(g.source); err != nil {
			return 0, errNotGzip()
		}
		g.begun = true
	}
	n, err := g.reader.Read(p)
	if g.left -= n; g.left < 0 {
		return 0, plainError(messageTooLarge)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, errNotGzip()
	}
	return n, err
}

func (g *gunzip) Close() error { return nil }

func errNotGzip() error {
	return connect.NewError(connect.CodeInvalidArgument, errors.New("the message is not valid gzip"))
}
