package server

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"example.org/avatard/authz"
)

// owner gives every caller the permission.
type owner struct{}

func (owner) Grant(context.Context, authz.Identity, string) (authz.Grant, error) {
	return authz.Grant{Member: true, Allowed: []authz.Permission{authz.UserWrite}}, nil
}

// endings are calls with the gRPC code that they end with.
var endings = []struct {
	title, token string
	message      string // the request
	code         string
	details      bool
}{
	{"refused before the body is read", "unknown-token-1", "", "16", true},
	{"refused by a rule of the request", "admin-token-1", "", "3", true},
	{"not what the type says", "admin-token-1", "\x0a\x7f", "3", false},
	{"done", "admin-token-1", "\x0a\x05alice", "0", false},
}

// A gRPC client that is not written in Go or Java finds out how its call ended from the frames below, and waits
// forever where one is missing. Proxies leave the trailers out where the length of the body is named.
func TestAnswersEndWithTrailers(t *testing.T) {
	for _, row := range endings {
		t.Run(row.title, func(t *testing.T) {
			s, err := New(Config{Store: instantStore{}, Issuer: issuer, Authenticator: tokens(people()), Permissions: owner{}})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				c := serveFrames(t, s.Handler().ServeHTTP, false).open(t)
				c.must(c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: c.headersFor(removeProcedure,
					"content-type", "application/grpc+proto", "te", "trailers", "authorization", "Bearer "+row.token)}))
				c.must(c.WriteData(1, true, []byte(envelope(0, len(row.message), row.message))))
				got := c.take()
				blocks := only(got, http2.FrameHeaders)
				if len(blocks) != 2 {
					t.Fatalf("%d header blocks, want one and the trailers: %+v", len(blocks), got)
				}
				head, trailers := blocks[0].fields, blocks[1]
				if valueOf(head, ":status") != "200" || valueOf(head, "content-type") != "application/grpc+proto" {
					t.Errorf("the answer begins with %v", head)
				}
				for _, f := range head {
					if f.Name == "content-length" {
						t.Errorf("content-length %s", f.Value)
					}
				}
				if !trailers.Flags.Has(http2.FlagHeadersEndStream) {
					t.Error("the stream does not end with the trailers")
				}
				if code := valueOf(trailers.fields, "grpc-status"); code != row.code {
					t.Errorf("grpc-status %q, want %q", code, row.code)
				}
				done := row.code == "0"
				if data := only(got, http2.FrameData); len(data) > 0 != done {
					t.Errorf("data %+v in an answer with code %s", data, row.code)
				}
				if valueOf(trailers.fields, "grpc-message") == "" != done || valueOf(head, "grpc-status") != "" {
					t.Errorf("headers %v, trailers %v; want status and message in the trailers", head, trailers.fields)
				}
				if !row.details {
					return
				}
				raw, err := base64.RawStdEncoding.DecodeString(valueOf(trailers.fields, "grpc-status-details-bin"))
				details := new(rpcstatus.Status)
				if err != nil || proto.Unmarshal(raw, details) != nil || len(details.GetDetails()) != 1 {
					t.Errorf("grpc-status-details-bin %q holds no detail", valueOf(trailers.fields, "grpc-status-details-bin"))
				}
			})
		})
	}
}

// Over HTTP/1.1 the outcome is in the trailers, too.
func TestGRPCOverHTTP1(t *testing.T) {
	f := start(t, nil)
	message := "\x0a\x12" + alice
	res, body := f.do(t, http.MethodPost, removeProcedure, strings.NewReader(envelope(0, len(message), message)),
		"Content-Type", "application/grpc+proto", "Authorization", "Bearer admin-token-1")
	if status := res.Trailer.Get("Grpc-Status"); res.StatusCode != http.StatusOK || status != "0" || body == "" {
		t.Errorf("%s, grpc-status %q, %d bytes", res.Status, status, len(body))
	}
}
