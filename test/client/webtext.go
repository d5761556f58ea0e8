package client

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const (
	mediaWeb     = "application/grpc-web+proto"
	mediaWebText = "application/grpc-web-text+proto"
)

// textTransport speaks gRPC-Web text for a client that speaks gRPC-Web.
type textTransport struct{ next http.RoundTripper }

func (t textTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	half := len(body) / 2 // two padded pieces, as a client that streams sends them
	text := base64.StdEncoding.EncodeToString(body[:half]) + base64.StdEncoding.EncodeToString(body[half:])
	out := req.Clone(req.Context())
	out.Body, out.ContentLength, out.GetBody = io.NopCloser(strings.NewReader(text)), int64(len(text)), nil
	out.Header.Set("Content-Type", mediaWebText)
	res, err := t.next.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	if kind := res.Header.Get("Content-Type"); kind != mediaWebText {
		return nil, errors.Join(errors.New("the answer's type is "+kind), res.Body.Close())
	}
	coded, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return nil, err
	}
	plain, err := DecodeBase64Pieces(coded)
	if err != nil {
		return nil, err
	}
	res.Header.Set("Content-Type", mediaWeb)
	res.Header.Del("Content-Length")
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(plain)), int64(len(plain))
	return res, nil
}

// DecodeBase64Pieces decodes padded pieces of base64, one after the other.
func DecodeBase64Pieces(text []byte) (plain []byte, err error) {
	for rest := text; len(rest) > 0; {
		end := len(rest)
		if pad := bytes.IndexByte(rest, '='); pad >= 0 {
			end = min(pad+4-pad%4, len(rest))
		}
		if plain, err = base64.StdEncoding.AppendDecode(plain, rest[:end]); err != nil {
			return nil, fmt.Errorf("%q is not base64: %w", text, err)
		}
		rest = rest[end:]
	}
	return plain, nil
}
