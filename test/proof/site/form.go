package site

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"

	"connectrpc.com/connect"
)

// Form is a wire form of a delete.
type Form string

// The wire forms.
const (
	REST         Form = "rest"
	ConnectJSON  Form = "connect-json"
	ConnectProto Form = "connect-proto"
	GRPC         Form = "grpc"
	GRPCWeb      Form = "grpc-web"
	GRPCWebText  Form = "grpc-web-text"
)

// Forms returns all wire forms.
func Forms() []Form { return []Form{REST, ConnectJSON, ConnectProto, GRPC, GRPCWeb, GRPCWebText} }

// options make a Connect client speak the form.
func (f Form) options() []connect.ClientOption {
	switch f {
	case ConnectJSON:
		return []connect.ClientOption{connect.WithProtoJSON()}
	case GRPC:
		return []connect.ClientOption{connect.WithGRPC()}
	case GRPCWeb, GRPCWebText:
		return []connect.ClientOption{connect.WithGRPCWeb()}
	}
	return nil
}

// http2 reports whether calls of this form go over HTTP/2; the first three of gRPC's family do not all have to.
func (f Form) http2() bool { return f == GRPC || f == ConnectJSON || f == GRPCWebText }

// textTransport speaks gRPC-Web text for a client that speaks gRPC-Web.
type textTransport struct{ next http.RoundTripper }

func (t textTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	text := base64.StdEncoding.EncodeToString(body)
	out := req.Clone(req.Context())
	out.Body, out.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	out.GetBody = nil
	out.Header.Set("Content-Type", "application/grpc-web-text+proto")
	res, err := t.next.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	if kind := res.Header.Get("Content-Type"); kind != "application/grpc-web-text+proto" {
		return nil, errors.Join(errors.New("the answer's type is "+kind), res.Body.Close())
	}
	coded, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return nil, err
	}
	plain, err := decodePieces(string(coded))
	if err != nil {
		return nil, err
	}
	res.Header.Set("Content-Type", "application/grpc-web+proto")
	res.Header.Del("Content-Length")
	res.Body, res.ContentLength = io.NopCloser(strings.NewReader(plain)), int64(len(plain))
	return res, nil
}

// decodePieces decodes base64 that may be several padded pieces one after the other.
func decodePieces(text string) (string, error) {
	var plain strings.Builder
	for len(text) > 0 {
		end := len(text)
		if i := strings.IndexByte(text, '='); i >= 0 {
			end = min(len(text), i+4-i%4)
		}
		piece, err := base64.StdEncoding.DecodeString(text[:end])
		if err != nil {
			return "", err
		}
		plain.Write(piece)
		text = text[end:]
	}
	return plain.String(), nil
}
