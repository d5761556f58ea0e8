package server

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"

	authv1 "avatard/gen/zitadel/auth/v1"
	authconnect "avatard/gen/zitadel/auth/v1/authv1connect"
	managementv1 "avatard/gen/zitadel/management/v1"
	managementconnect "avatard/gen/zitadel/management/v1/managementv1connect"
	zitadelv1 "avatard/gen/zitadel/v1"
)

// answer is what a caller got, in terms that all forms share.
type answer struct {
	code    connect.Code // 0 = success
	message string
	id      string // of the ErrorDetail
	details *zitadelv1.ObjectDetails
	header  http.Header // of the response, trailers included
	raw     string      // everything that arrived, for searching
}

// query is one delete: of user, or of the caller's own picture where own is set.
type query struct {
	own     bool
	user    string
	headers []string // name, value, …
}

// sender deletes in one wire form.
type sender struct {
	name string
	send func(*testing.T, *fixture, query) answer
}

// senders returns one sender for each wire form.
func senders() []sender {
	rpc := func(name string, http2 bool, wrap func(http.RoundTripper) http.RoundTripper, options ...connect.ClientOption) sender {
		return sender{name, func(t *testing.T, f *fixture, q query) answer {
			client := *f.http1
			if http2 {
				client = *f.http2
			}
			if wrap != nil {
				client.Transport = wrap(client.Transport)
			}
			return sendRPC(t, f, &client, q, options)
		}}
	}
	text := func(next http.RoundTripper) http.RoundTripper { return textTransport{next} }
	return []sender{
		{"rest", sendREST},
		rpc("connect proto", false, nil),
		rpc("connect json", true, nil, connect.WithProtoJSON()),
		rpc("grpc", true, nil, connect.WithGRPC()),
		rpc("grpc json", true, nil, connect.WithGRPC(), connect.WithProtoJSON()),
		rpc("grpc-web", false, nil, connect.WithGRPCWeb(), connect.WithSendGzip()),
		rpc("grpc-web-text", false, text, connect.WithGRPCWeb()),
	}
}

func sendRPC(t *testing.T, f *fixture, client *http.Client, q query, options []connect.ClientOption) answer {
	t.Helper()
	recording := &recordingTransport{next: client.Transport}
	client.Transport = recording
	ctx, info := connect.NewClientContext(t.Context())
	for i := 0; i+1 < len(q.headers); i += 2 {
		info.RequestHeader().Add(q.headers[i], q.headers[i+1])
	}
	var got answer
	var err error
	if q.own {
		var res *authv1.RemoveMyAvatarResponse
		res, err = authconnect.NewAuthServiceClient(client, f.url, options...).RemoveMyAvatar(ctx, &authv1.RemoveMyAvatarRequest{})
		got.details = res.GetDetails()
	} else {
		var res *managementv1.RemoveHumanAvatarResponse
		res, err = managementconnect.NewManagementServiceClient(client, f.url, options...).
			RemoveHumanAvatar(ctx, &managementv1.RemoveHumanAvatarRequest{UserId: q.user})
		got.details = res.GetDetails()
	}
	got.header, got.raw = recording.header, recording.text.String()
	if err == nil {
		return got
	}
	wire, ok := errors.AsType[*connect.Error](err)
	if !ok {
		t.Fatalf("not an RPC error: %v", err)
	}
	got.code, got.message = wire.Code(), wire.Message()
	for name, values := range wire.Meta() { // trailers of gRPC
		got.raw += name + strings.Join(values, " ")
	}
	for _, d := range wire.Details() {
		value, err := d.Value()
		if err != nil {
			t.Fatal(err)
		}
		got.raw += string(d.Bytes())
		if detail, ok := value.(*zitadelv1.ErrorDetail); ok {
			got.id = detail.GetId()
		}
	}
	return got
}

func sendREST(t *testing.T, f *fixture, q query) answer {
	t.Helper()
	path := "/management/v1/users/" + url.PathEscape(q.user) + "/avatar"
	if q.own {
		path = "/auth/v1/users/me/avatar"
	}
	res, body := f.do(t, http.MethodDelete, path, nil, q.headers...)
	got := answer{header: res.Header, raw: body}
	if res.Header.Get("Content-Type") != "application/json" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers = %v, want JSON that nobody stores", res.Header)
	}
	if res.StatusCode == http.StatusOK {
		var message managementv1.RemoveHumanAvatarResponse
		if err := protojson.Unmarshal([]byte(body), &message); err != nil {
			t.Fatalf("body %s: %v", body, err)
		}
		got.details = message.GetDetails()
		return got
	}
	var e struct {
		Code    connect.Code
		Message string
		Details []struct {
			Type    string `json:"@type"`
			ID      string
			Message string
		}
	}
	if err := json.Unmarshal([]byte(body), &struct{ Code *uint32 }{(*uint32)(&e.Code)}); err != nil {
		t.Fatalf("body %s: %v", body, err)
	}
	rest := struct {
		Message any
		Details any
	}{&e.Message, &e.Details}
	if err := json.Unmarshal([]byte(body), &rest); err != nil {
		t.Fatalf("body %s: %v", body, err)
	}
	got.code, got.message = e.Code, e.Message
	for _, d := range e.Details {
		if d.Type == "type.googleapis.com/zitadel.v1.ErrorDetail" {
			got.id = d.ID
			if want := d.Message + " (" + d.ID + ")"; e.Message != want {
				t.Errorf("message = %q, want that of the detail with its id, %q", e.Message, want)
			}
		}
	}
	return got
}

// recordingTransport keeps what an answer consisted of.
type recordingTransport struct {
	next   http.RoundTripper
	header http.Header
	text   bytes.Buffer
}

func (r *recordingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := r.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	r.header = res.Header
	_ = res.Header.Write(&r.text)
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(res.Body, &r.text), res.Body}
	return res, nil
}

// textTransport speaks gRPC-Web text for a client that speaks gRPC-Web.
type textTransport struct{ next http.RoundTripper }

func (tt textTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	half := len(body) / 2 // two padded pieces, as a client that streams sends them
	pieces := base64.StdEncoding.EncodeToString(body[:half]) + base64.StdEncoding.EncodeToString(body[half:])
	out := req.Clone(context.WithoutCancel(req.Context()))
	out.Body, out.ContentLength = io.NopCloser(strings.NewReader(pieces)), int64(len(pieces))
	out.Header.Set("Content-Type", "application/grpc-web-text+proto")
	res, err := tt.next.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	if got := res.Header.Get("Content-Type"); got != "application/grpc-web-text+proto" {
		return nil, errors.New("the answer's type is " + got)
	}
	res.Header.Set("Content-Type", "application/grpc-web+proto")
	res.Body = struct {
		io.Reader
		io.Closer
	}{&textBody{body: res.Body}, res.Body}
	return res, nil
}
