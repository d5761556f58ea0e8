package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	removeHuman = "/zitadel.management.v1.ManagementService/RemoveHumanAvatar"
	removeOwn   = "/zitadel.auth.v1.AuthService/RemoveMyAvatar"
)

// wireForm is a protocol in one version of HTTP.
type wireForm struct {
	name    string
	family  string // as data files call it: rest, connect, grpc, grpc-web
	version int    // of HTTP
	media   string // Content-Type of requests; "" for REST
}

// wireForms lists every protocol in each version of HTTP that it is used over. Both spellings of a media type occur.
func wireForms() []wireForm {
	return []wireForm{
		{"rest-http1", "rest", 1, ""},
		{"rest-http2", "rest", 2, ""},
		{"connect-json-http1", "connect", 1, "application/json"},
		{"connect-json-http2", "connect", 2, "application/json"},
		{"connect-proto-http1", "connect", 1, "application/proto"},
		{"connect-proto-http2", "connect", 2, "application/proto"},
		{"grpc", "grpc", 2, "application/grpc"},
		{"grpc-proto", "grpc", 2, "application/grpc+proto"},
		{"grpc-json", "grpc", 2, "application/grpc+json"},
		{"grpc-web-http1", "grpc-web", 1, "application/grpc-web+proto"},
		{"grpc-web-http2", "grpc-web", 2, "application/grpc-web"},
		{"grpc-web-text-http1", "grpc-web", 1, "application/grpc-web-text"},
		{"grpc-web-text-http2", "grpc-web", 2, "application/grpc-web-text+proto"},
	}
}

// rpcForms lists the forms that name a procedure.
func rpcForms() []wireForm { return wireForms()[2:] }

func (f wireForm) rest() bool { return f.family == "rest" }
func (f wireForm) json() bool { return strings.Contains(f.media, "json") }
func (f wireForm) text() bool { return strings.Contains(f.media, "-text") }

// framed reports whether messages are in envelopes, as all of the gRPC family puts them.
func (f wireForm) framed() bool { return strings.HasPrefix(f.media, "application/grpc") }

// question is one delete that a caller asks for.
type question struct {
	own  bool   // the caller's own picture
	user string // whose picture, where it is not
	// fields are the headers beside those of the protocol.
	fields []wireField
	// message replaces the encoded message of an RPC.
	message []byte
	// gzip compresses it.
	gzip bool
}

// request puts a question into the form.
func (f wireForm) request(q question) wireRequest {
	if f.rest() {
		path := "/management/v1/users/" + url.PathEscape(q.user) + "/avatar"
		if q.own {
			path = "/auth/v1/users/me/avatar"
		}
		return wireRequest{method: http.MethodDelete, path: path, fields: q.fields}
	}
	message := q.message
	if message == nil {
		message = f.marshal(q)
	}
	req := wireRequest{method: http.MethodPost, path: removeHuman, fields: []wireField{{"Content-Type", f.media}}}
	if q.own {
		req.path = removeOwn
	}
	if f.family == "grpc" {
		req.fields = append(req.fields, wireField{"Te", "trailers"})
	}
	if q.gzip {
		message = gzipped(message)
		name := "Content-Encoding"
		if f.framed() {
			name = "Grpc-Encoding"
		}
		req.fields = append(req.fields, wireField{name, "gzip"})
	}
	req.fields = append(req.fields, q.fields...)
	req.body = f.frame(message, q.gzip)
	return req
}

func (f wireForm) marshal(q question) []byte {
	switch {
	case q.own && f.json():
		return []byte("{}")
	case q.own:
		return []byte{}
	case f.json():
		text, _ := json.Marshal(map[string]string{"userId": q.user})
		return text
	}
	return userField(q.user)
}

// userField is the field user_id of the request in protobuf's encoding.
func userField(user string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), user)
}

func (f wireForm) frame(message []byte, compressed bool) []byte {
	if !f.framed() {
		return message
	}
	flags := byte(0)
	if compressed {
		flags = 1
	}
	framed := append(binary.BigEndian.AppendUint32([]byte{flags}, uint32(len(message))), message...)
	if f.text() {
		return []byte(base64.StdEncoding.EncodeToString(framed))
	}
	return framed
}

func gzipped(data []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(data)
	_ = w.Close()
	return out.Bytes()
}

// timeout is the header that gives the call that many milliseconds in the form.
func (f wireForm) timeout(milliseconds string) wireField {
	if f.family == "connect" {
		return wireField{"Connect-Timeout-Ms", milliseconds}
	}
	return wireField{"Grpc-Timeout", milliseconds + "m"}
}

// inEveryForm runs a test for each of some forms.
func inEveryForm(t *testing.T, forms []wireForm, test func(t *testing.T, f wireForm)) {
	t.Helper()
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) { test(t, f) })
	}
}
