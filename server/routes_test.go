package server

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"
	"testing"
)

const (
	removeProcedure = "/zitadel.management.v1.ManagementService/RemoveHumanAvatar"
	bobsPicture     = "/management/v1/users/" + bob + "/avatar"
)

// routeCalls are requests with paths, methods and media types that almost name something, and their answers.
var routeCalls = []struct {
	title, method, path, contentType string
	anonymous                        bool
	status                           int
	grpc, allow, body                string // body: how it begins
}{
	{title: "trailing slash", method: "DELETE", path: bobsPicture + "/", status: 404,
		body: `{"code":5,"message":"no such route; DELETE /management/v1/users/{user_id}/avatar deletes a user's picture, without a slash at the end"}`},
	{title: "one's own picture, on the route that reads it", method: "DELETE", path: "/assets/v1/users/me/avatar", status: 405, allow: "GET, HEAD, POST",
		body: `{"code":12,"message":"the route does not have this method; DELETE /auth/v1/users/me/avatar deletes one's own picture"}`},
	{title: "extra segment", method: "DELETE", path: bobsPicture + "/x", status: 404, body: `{"code":5`},
	{title: "missing prefix", method: "DELETE", path: "/users/1/avatar", status: 404, body: `{"code":5`},
	{title: "other case", method: "DELETE", path: "/Management/v1/users/1/avatar", status: 404, body: `{"code":5`},
	{title: "no route needs no token", method: "DELETE", path: "/", anonymous: true, status: 404, body: `{"code":5`},
	{title: "doubled slash is an empty id", method: "DELETE", path: "/management/v1/users//avatar", status: 400,
		body: `{"code":3,"message":"invalid request: user_id: must be at least 1 character"`},
	{title: "leading doubled slash", method: "DELETE", path: "/" + bobsPicture, status: 404, body: `{"code":5,"message":"no such route"}`},
	{title: "dots are an id", method: "DELETE", path: "/management/v1/users/../avatar", status: 404, body: `{"code":5,"message":"user not found`},
	{title: "escaped dots and slash are an id", method: "DELETE", path: "/management/v1/users/%2e%2e%2F/avatar", status: 404, body: `{"code":5,"message":"user not found`},
	{title: "escapes are decoded once", method: "DELETE", path: "/management/v1/users/%25%33%31/avatar", status: 404, body: `{"code":5,"message":"user not found`},
	{title: "escaped letter in the prefix", method: "DELETE", path: "/m%61nagement/v1/users/" + bob + "/avatar", status: 404, body: `{"code":5,"message":"no such route"}`},
	{title: "escaped letter at the end", method: "DELETE", path: "/management/v1/users/" + bob + "/avat%61r", status: 404, body: `{"code":5,"message":"no such route"}`},
	{title: "escaped me", method: "DELETE", path: "/auth/v1/users/m%65/avatar", status: 404, body: `{"code":5,"message":"no such route"}`},
	{title: "escaped health", method: "GET", path: "/health%7A", anonymous: true, status: 404, body: `{"code":5,"message":"no such route"}`},
	{title: "escaped separator", method: "DELETE", path: "/management%2Fv1/users/" + bob + "/avatar", status: 404, body: `{"code":5,"message":"no such route"}`},
	{title: "escaped digits", method: "DELETE", path: "/management/v1/users/%31" + bob[1:] + "/avatar?connect=v1&userId=x", status: 200, body: `{"details":{"sequence":"1","creationDate":"2`},
	{title: "no UTF-8", method: "DELETE", path: "/management/v1/users/%FF/avatar", status: 400, body: `{"code":3,"message":"the path holds text that is not UTF-8"}`},
	{title: "no UTF-8 and no token", method: "DELETE", path: "/management/v1/users/%FF/avatar", anonymous: true, status: 401, body: `{"code":16`},
	{title: "media type of the route is ignored", method: "DELETE", path: bobsPicture, contentType: "application/grpc", status: 200, body: `{"details"`},
	{title: "other method", method: "PUT", path: bobsPicture, status: 405, allow: "DELETE, POST", body: `{"code":12,"message":"`},
	{title: "other method without token", method: "GET", path: bobsPicture, anonymous: true, status: 405, allow: "DELETE, POST", body: `{"code":12`},
	{title: "HEAD has no body", method: "HEAD", path: bobsPicture, status: 405, allow: "DELETE, POST"},
	{title: "other method on a picture", method: "DELETE", path: "/assets/v1/users/me/avatar", status: 405, allow: "GET, HEAD, POST", body: `{"code":12`},
	{title: "GET on an RPC", method: "GET", path: removeProcedure + "?encoding=json&message=%7B%7D", anonymous: true, status: 405, allow: "POST", body: "a procedure is called with POST"},
	{title: "DELETE on an RPC", method: "DELETE", path: removeProcedure, status: 405, allow: "POST", body: "a procedure is called with POST"},
	{title: "unknown procedure, Connect", method: "POST", path: "/zitadel.auth.v1.AuthService/Remove", contentType: "application/json", anonymous: true, status: 404, body: `{"code":"unimplemented","message":"no such procedure"}`},
	{title: "unknown procedure, gRPC", method: "POST", path: "/zitadel.auth.v1.AuthService/", contentType: "application/grpc", anonymous: true, status: 200, grpc: "12"},
	{title: "unknown service, gRPC", method: "POST", path: "/any.Service/Call", contentType: "application/grpc+proto", anonymous: true, status: 200, grpc: "12"},
	{title: "unknown service, gRPC-Web text", method: "POST", path: "/any.Service/Call", contentType: "application/grpc-web-text", anonymous: true, status: 200, grpc: "12"},
	{title: "unknown service, Connect", method: "POST", path: "/any.Service/Call", contentType: "application/json", anonymous: true, status: 404, body: `{"code":5`},
	{title: "procedure with an escape", method: "POST", path: "/zitadel.auth.v1.AuthService/%52emoveMyAvatar", contentType: "application/json", anonymous: true, status: 404, body: `{"code":"unimplemented"`},
	{title: "unknown media type", method: "POST", path: removeProcedure, contentType: "text/plain", status: 415, body: "the media type is none of a message"},
	{title: "unknown gRPC encoding", method: "POST", path: removeProcedure, contentType: "application/grpc+thrift", status: 415, body: "the media type is none of a message"},
	{title: "unknown media type without token", method: "POST", path: removeProcedure, contentType: "text/plain", anonymous: true, status: 401, body: `{"code":"unauthenticated"`},
	{title: "JSON with a charset", method: "POST", path: removeProcedure, contentType: "application/json; charset=UTF-8", status: 400, body: `{"code":"invalid_argument"`},
}

func TestRoutes(t *testing.T) {
	f := start(t, nil)
	for _, row := range routeCalls {
		t.Run(row.title, func(t *testing.T) {
			headers := []string{"Content-Type", row.contentType}
			if !row.anonymous {
				headers = append(headers, bearer("admin-token-1")...)
			}
			res, body := f.do(t, row.method, row.path, strings.NewReader("{}"), headers...)
			grpc := res.Header.Get("Grpc-Status") + res.Trailer.Get("Grpc-Status")
			if res.StatusCode != row.status || grpc != row.grpc || res.Header.Get("Allow") != row.allow || !strings.HasPrefix(body, row.body) {
				t.Errorf("%d, grpc-status %q, Allow %q, %s\nwant %d, %q, %q, %s…", res.StatusCode, grpc, res.Header.Get("Allow"),
					body, row.status, row.grpc, row.allow, row.body)
			}
			if row.body == "" && body != "" {
				t.Errorf("body = %q, want none", body)
			}
			if row.grpc != "" && res.Header.Get("Content-Type") != row.contentType {
				t.Errorf("Content-Type = %q, want %q", res.Header.Get("Content-Type"), row.contentType)
			}
			if res.Header.Get("X-Request-Id") == "" || res.Header.Get("Set-Cookie") != "" || res.Header.Get("Location") != "" {
				t.Errorf("headers = %v", res.Header)
			}
		})
	}
}

func TestConnectClientCanReadThatAServiceIsUnknown(t *testing.T) {
	f := start(t, nil)
	res, body := f.do(t, http.MethodPost, "/any.Service/Call", strings.NewReader("{}"),
		"Content-Type", "application/json", "Connect-Protocol-Version", "1")
	if want := `{"code":"unimplemented","message":"no such procedure"}`; res.StatusCode != http.StatusNotFound || body != want {
		t.Errorf("%d %s, want 404 %s", res.StatusCode, body, want)
	}
	if _, body := f.do(t, http.MethodDelete, "/auth/v1/users/me/avatar", nil, "Connect-Protocol-Version", "1"); !strings.HasPrefix(body, `{"code":16`) {
		t.Errorf("a REST route answers %s to a request with that header, want its own form", body)
	}
}

// envelope is one message as gRPC frames it.
func envelope(flags byte, length int, message string) string {
	prefix := binary.BigEndian.AppendUint32([]byte{flags}, uint32(length))
	return string(prefix) + message
}

func TestBadMessages(t *testing.T) {
	f := start(t, nil)
	const hostile = "<script>hostile</script>"
	large := strings.Repeat("x", MaxMessageBytes+1)
	rows := []struct {
		title, contentType, body string
		headers                  []string
		code, says               string // code as Connect or gRPC writes it
	}{
		{"broken JSON", "application/json", `{"userId":` + hostile, nil, `"invalid_argument"`, "no valid JSON"},
		{"empty JSON", "application/json", "", nil, `"invalid_argument"`, "no valid JSON"},
		{"JSON of another type", "application/json", `{"userId":{"a":"` + hostile + `"}}`, nil, `"invalid_argument"`, "no valid JSON"},
		{"a number as an id", "application/json", `{"userId":69629023906488334}`, nil, `"invalid_argument"`, "ids are texts"},
		{"a number as an id, by its other name", "application/json", `{"more":"` + hostile + `","user_id":-1}`, nil, `"invalid_argument"`, "ids are texts"},
		{"broken protobuf", "application/proto", "\x0a\x7f" + hostile, nil, `"invalid_argument"`, "no valid protobuf"},
		{"protobuf without UTF-8", "application/proto", "\x0a\x01\xff", nil, `"invalid_argument"`, "not UTF-8"},
		{"rule broken", "application/json", `{"userId":"` + hostile + `\u0000"}`, nil, `"invalid_argument"`, "user_id"},
		{"no gzip", "application/json", hostile, []string{"Content-Encoding", "gzip"}, `"invalid_argument"`, "not valid gzip"},
		{"unknown compression", "application/json", `{}`, []string{"Content-Encoding", hostile}, `"unimplemented"`, "gzip and identity"},
		{"unknown gRPC compression", "application/grpc", "", []string{"Grpc-Encoding", "br"}, "12", "gzip and identity"},
		{"unknown version of Connect", "application/json", `{}`, []string{"Connect-Protocol-Version", hostile}, `"invalid_argument"`, "must be 1"},
		{"bad time-out", "application/json", `{}`, []string{"Connect-Timeout-Ms", hostile}, `"invalid_argument"`, "time-out"},
		{"bad gRPC time-out", "application/grpc", "", []string{"Grpc-Timeout", "1y"}, "3", "time-out"},
		{"over the limit, Connect", "application/json", large, nil, `"resource_exhausted"`, "larger than"},
		{"far over the limit, Connect", "application/json", strings.Repeat(large, 5), nil, `"resource_exhausted"`, "larger than"},
		{"over the limit, gRPC", "application/grpc", envelope(0, len(large), large), nil, "8", "larger than"},
		{"promises 4 GB, gRPC", "application/grpc", envelope(0, 1<<32-1, large), nil, "8", "larger than"},
		{"over the limit once unpacked", "application/json", gzipped(strings.Repeat("x", 8<<20)), []string{"Content-Encoding", "gzip"}, `"resource_exhausted"`, "larger than"},
		{"no base64", "application/grpc-web-text", hostile, nil, "3", "not valid base64"},
		{"half a group of base64", "application/grpc-web-text", base64.StdEncoding.EncodeToString([]byte(envelope(0, 0, "")))[:7], nil, "3", "not valid base64"},
	}
	for _, row := range rows {
		t.Run(row.title, func(t *testing.T) {
			res, body := f.do(t, http.MethodPost, removeProcedure, strings.NewReader(row.body),
				append(bearer("admin-token-1", "Content-Type", row.contentType), row.headers...)...)
			code := res.Header.Get("Grpc-Status") + res.Trailer.Get("Grpc-Status")
			said := body + res.Header.Get("Grpc-Message") + res.Trailer.Get("Grpc-Message")
			if code != row.code && !strings.HasPrefix(body, `{"code":`+row.code) {
				t.Errorf("%d, grpc-status %q, %q; want code %s", res.StatusCode, code, said, row.code)
			}
			if !strings.Contains(said, row.says) || strings.Contains(said, "hostile") {
				t.Errorf("answer %q, want it to say %q and to repeat nothing", said, row.says)
			}
			if row.code == `"resource_exhausted"` && (res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") != "") {
				t.Errorf("status %d, Retry-After %q; want 429 and none", res.StatusCode, res.Header.Get("Retry-After"))
			}
		})
	}
}
