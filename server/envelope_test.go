package server

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"connectrpc.com/connect"
)

// trailers returns the fields in the frame at the end of a gRPC-Web answer, with the headers and trailers of HTTP.
func trailers(t *testing.T, res *http.Response, body string) http.Header {
	t.Helper()
	if strings.HasPrefix(res.Header.Get("Content-Type"), textMediaType) {
		raw, err := io.ReadAll(&textBody{body: io.NopCloser(strings.NewReader(body))})
		if err != nil {
			t.Fatal(err)
		}
		body = string(raw)
	}
	found := res.Header.Clone()
	maps.Copy(found, res.Trailer)
	for len(body) >= 5 {
		end := 5 + int(binary.BigEndian.Uint32([]byte(body[1:5])))
		if end > len(body) {
			t.Fatalf("an answer is cut off: %q", body)
		}
		for line := range strings.Lines(body[5:end]) {
			if name, value, ok := strings.Cut(line, ":"); ok && body[0] == 0x80 {
				found.Set(strings.TrimSpace(name), strings.TrimSpace(value))
			}
		}
		body = body[end:]
	}
	return found
}

// aliceMessage is the request to delete Alice's picture, and aliceEnvelope the same with its envelope.
const aliceMessage = "\x0a\x12" + alice

var aliceEnvelope = envelope(0, len(aliceMessage), aliceMessage)

// brokenEnvelopes are bodies with the gRPC code of their answer and part of its message.
var brokenEnvelopes = []struct {
	title, body, code, says string
	headers                 []string
}{
	{"JSON without an envelope", `{}`, "3", "ends in the middle", nil},
	{"a byte", "\x00", "3", "ends in the middle", nil},
	{"all but a byte of the length", aliceEnvelope[:4], "3", "ends in the middle", nil},
	{"a length and no message", aliceEnvelope[:5], "3", "ends in the middle", nil},
	{"all but a byte of the message", aliceEnvelope[:len(aliceEnvelope)-1], "3", "ends in the middle", nil},
	{"a length larger than the body", envelope(0, 1000, aliceMessage), "3", "ends in the middle", nil},
	{"a length larger than the limit", envelope(0, MaxMessageBytes+1, aliceMessage), "8", "larger than 65536 bytes", nil},
	{"the largest length", envelope(0, 1<<32-1, aliceMessage), "8", "larger than 65536 bytes", nil},
	{"a message, and a piece of another", aliceEnvelope + aliceEnvelope[:3], "3", "ends in the middle", nil},
	{"two messages", aliceEnvelope + aliceEnvelope, "12", "multiple messages", nil},
	{"two, the first one empty", envelope(0, 0, "") + aliceEnvelope, "12", "multiple messages", nil},
	{"no message", "", "12", "zero messages", nil},
	{"an empty message is one, but not one with a user", envelope(0, 0, ""), "3", "user_id", nil},
	{"compressed, and nothing said about how", envelope(1, len(aliceMessage), aliceMessage), "13", "names no compression", nil},
	{"compressed by not compressing", envelope(1, len(aliceMessage), aliceMessage), "13", "names no compression", []string{"Grpc-Encoding", "identity"}},
	{"compressed, but not really", envelope(1, len(aliceMessage), aliceMessage), "3", "not valid gzip", []string{"Grpc-Encoding", "gzip"}},
	{"a reserved flag", envelope(2, len(aliceMessage), aliceMessage), "3", "flags", nil},
	{"all flags", envelope(0xff, len(aliceMessage), aliceMessage), "3", "flags", []string{"Grpc-Encoding", "gzip"}},
	{"trailers in a request", envelope(0x80, len(aliceMessage), aliceMessage), "3", "flags", nil},
	{"a message and trailers", aliceEnvelope + envelope(0x80, 0, ""), "3", "flags", nil},
}

// Every fault in the framing of a message is answered as the contract says: with code 3, or the one that gRPC itself demands,
// in words that are always the same.
func TestBrokenEnvelopes(t *testing.T) {
	f := start(t, nil)
	for _, row := range brokenEnvelopes {
		for _, media := range []string{"application/grpc", "application/grpc-web", "application/grpc-web-text"} {
			body := row.body
			if media == textMediaType {
				body = base64.StdEncoding.EncodeToString([]byte(body))
			}
			res, said := f.do(t, http.MethodPost, removeProcedure, strings.NewReader(body),
				append(bearer("admin-token-1", "Content-Type", media), row.headers...)...)
			got := trailers(t, res, said)
			if got.Get("Grpc-Status") != row.code || !strings.Contains(got.Get("Grpc-Message"), row.says) {
				t.Errorf("%s, %s: code %q, %q; want %s, %q", row.title, media, got.Get("Grpc-Status"), got.Get("Grpc-Message"), row.code, row.says)
			}
			if strings.Contains(got.Get("Grpc-Message"), "protocol error") || res.Header.Get("X-Request-Id") == "" {
				t.Errorf("%s, %s: %q with request id %q", row.title, media, got.Get("Grpc-Message"), res.Header.Get("X-Request-Id"))
			}
		}
	}
	if !f.has(t, alice, acme) {
		t.Error("a broken message removed a picture")
	}
	for why, body := range map[string]string{
		"as it should be": aliceEnvelope,
		"compressed":      envelope(1, len(gzipped(aliceMessage)), gzipped(aliceMessage)),
	} {
		f.give(t, alice, acme)
		res, said := f.do(t, http.MethodPost, removeProcedure, strings.NewReader(body),
			bearer("admin-token-1", "Content-Type", "application/grpc-web", "Grpc-Encoding", "gzip")...)
		if code := trailers(t, res, said).Get("Grpc-Status"); code != "0" || f.has(t, alice, acme) {
			t.Errorf("%s: code %q and the picture is there: %v", why, code, f.has(t, alice, acme))
		}
	}
}

// The health service is open to everyone, so are its errors.
func TestBrokenEnvelopesOfOpenProcedures(t *testing.T) {
	f := start(t, nil)
	res, said := f.do(t, http.MethodPost, "/grpc.health.v1.Health/Check", strings.NewReader(`{}`), "Content-Type", "application/grpc-web")
	if got := trailers(t, res, said); got.Get("Grpc-Status") != "3" || strings.Contains(got.Get("Grpc-Message"), "protocol error") {
		t.Errorf("code %q, %q; want 3 in our words", got.Get("Grpc-Status"), got.Get("Grpc-Message"))
	}
}

// FuzzEnvelopes checks that whole messages pass unchanged up to the first fault, however the body is cut to pieces.
func FuzzEnvelopes(f *testing.F) {
	f.Add([]byte(envelope(0, 3, "abc")+envelope(0, 0, "")), false)
	f.Add([]byte(envelope(1, 1, "a")+"\x00\x00"), true)
	f.Add([]byte(envelope(0, 17, "a")), false)
	f.Add([]byte(envelope(0x80, 0, "")), true)
	const limit = 16
	f.Fuzz(func(t *testing.T, body []byte, compressed bool) {
		whole, want := 0, io.EOF
		for rest := body; len(rest) > 0; rest = body[whole:] {
			if len(rest) < 5 {
				want = errCutShort
				break
			}
			size := int64(binary.BigEndian.Uint32(rest[1:]))
			switch {
			case rest[0] > 1:
				want = errBadFlags
			case rest[0] == 1 && !compressed:
				want = errUnnamed
			case size > limit:
				want = plainError(messageTooLarge)
			case int64(len(rest)) < 5+size:
				want = errCutShort
			default:
				whole += 5 + int(size)
				continue
			}
			break
		}
		for _, r := range []io.Reader{bytes.NewReader(body), iotest.OneByteReader(bytes.NewReader(body)), iotest.DataErrReader(bytes.NewReader(body))} {
			e := &envelopeReader{body: bufio.NewReader(r), closer: io.NopCloser(nil), compressed: compressed, limit: limit}
			var got bytes.Buffer
			_, err := io.Copy(&got, e)
			if err == nil {
				err = io.EOF
			}
			if connect.CodeOf(err) != connect.CodeOf(want) || errors.Is(err, io.EOF) != errors.Is(want, io.EOF) || !bytes.HasPrefix(got.Bytes(), body[:whole]) {
				t.Fatalf("%q: %q, %v; want %q and %v", body, got.Bytes(), err, body[:whole], want)
			}
			if _, again := e.Read(make([]byte, 1)); !errors.Is(again, err) {
				t.Fatalf("%q: %v, and then %v", body, err, again)
			}
		}
	})
}
