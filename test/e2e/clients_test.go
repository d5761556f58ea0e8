//go:build unix

package e2e

import (
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	managementv1 "example.org/avatard/gen/zitadel/management/v1"
	managementconnect "example.org/avatard/gen/zitadel/management/v1/managementv1connect"
	zitadelv1 "example.org/avatard/gen/zitadel/v1"
)

// grpcurl knows nothing of this API but what reflection tells it.
func TestGrpcurl(t *testing.T) {
	Program(t, "grpcurl")
	term := devTerminal(t)
	const call = ` 127.0.0.1:8080 zitadel.management.v1.ManagementService/RemoveHumanAvatar`
	details := func(org string) string {
		return `{"details": {"sequence": "3", "creationDate": "…", "changeDate": "…", "resourceOwner": "` + org + `"}}`
	}
	refused := func(code, id string) string {
		return "ERROR:\n  Code: " + code + "\n  Message: … (" + id + ")\n  Details:\n  1)\t{\n" +
			"    \t  \"@type\": \"type.googleapis.com/zitadel.v1.ErrorDetail\",\n    \t  \"id\": \"" + id + "\",\n    \t  \"message\": \"…\"\n    \t}"
	}
	for _, row := range []struct {
		name   string
		script string
		answer string
		isJSON bool
	}{
		{"list the services", `grpcurl -plaintext 127.0.0.1:8080 list`,
			"avatard.v1.ErasureService\navatard.v1.UserService\ngrpc.health.v1.Health\nzitadel.auth.v1.AuthService\nzitadel.management.v1.ManagementService", false},
		{"list the methods", `grpcurl -plaintext 127.0.0.1:8080 list zitadel.auth.v1.AuthService`, "zitadel.auth.v1.AuthService.RemoveMyAvatar", false},
		{"describe a service", `grpcurl -plaintext 127.0.0.1:8080 describe zitadel.management.v1.ManagementService | grep -E 'rpc|delete:'`,
			"rpc RemoveHumanAvatar ( .zitadel.management.v1.RemoveHumanAvatarRequest ) returns ( .zitadel.management.v1.RemoveHumanAvatarResponse ) {\n" +
				"      delete: \"/management/v1/users/{user_id}/avatar\"", false},
		{"describe a message", `grpcurl -plaintext 127.0.0.1:8080 describe zitadel.v1.ObjectDetails`,
			"zitadel.v1.ObjectDetails is a message:\nmessage ObjectDetails {\n  uint64 sequence = 1;\n" +
				"  .google.protobuf.Timestamp creation_date = 2;\n  .google.protobuf.Timestamp change_date = 3;\n  string resource_owner = 4;\n}", false},
		{"describe the details of errors", `grpcurl -plaintext 127.0.0.1:8080 describe zitadel.v1.ErrorDetail`,
			"zitadel.v1.ErrorDetail is a message:\nmessage ErrorDetail {\n  string id = 1;\n  string message = 2;\n}", false},
		{"call", `grpcurl -plaintext -H "authorization: Bearer $TOKEN_ADMIN" -d "{\"userId\":\"$USER_ALICE\"}"` + call, details("69629023906488334"), true},
		{"call by the names of the .proto file", `grpcurl -plaintext -H "authorization: Bearer $TOKEN_ADMIN" -d "{\"user_id\":\"$USER_ALICE\"}"` + call, details("69629023906488334"), true},
		{"call with an organisation", `grpcurl -plaintext -H "authorization: Bearer $TOKEN_GLOBEX_OWNER" -H "x-zitadel-orgid: $ORG_GLOBEX" -d "{\"userId\":\"$USER_CAROL\"}"` + call, details("69629023906488335"), true},
		{"call on one's own account", `grpcurl -plaintext -H "authorization: Bearer $TOKEN_ALICE" 127.0.0.1:8080 zitadel.auth.v1.AuthService/RemoveMyAvatar`, details("69629023906488334"), true},
		{"no token", `grpcurl -plaintext` + call, "ERROR:\n  Code: Unauthenticated\n  Message: no bearer token", false},
		{"details of errors are decoded", `grpcurl -plaintext -H "authorization: Bearer $TOKEN_REVOKED"` + call, refused("Unauthenticated", "AUTH-7fs1e"), false},
		{"no role", `grpcurl -plaintext -H "authorization: Bearer $TOKEN_NOBODY"` + call, refused("NotFound", "AUTHZ-cdgFk"), false},
		{"no permission", `grpcurl -plaintext -H "authorization: Bearer $TOKEN_VIEWER"` + call, refused("PermissionDenied", "AUTH-5mWD2"), false},
		{"broken rules are decoded, too", `grpcurl -plaintext -H "authorization: Bearer $TOKEN_ADMIN"` + call + ` 2>&1 | grep -E 'Code|Violations|ruleId'`,
			"Code: InvalidArgument\n    \t  \"@type\": \"type.googleapis.com/buf.validate.Violations\",\n    \t      \"ruleId\": \"string.min_len\",", false},
		{"health of the server", `grpcurl -plaintext 127.0.0.1:8080 grpc.health.v1.Health/Check`, `{"status": "SERVING"}`, true},
		{"health of a service", `grpcurl -plaintext -d '{"service": "zitadel.auth.v1.AuthService"}' 127.0.0.1:8080 grpc.health.v1.Health/Check`, `{"status": "SERVING"}`, true},
		{"health of what is not there", `grpcurl -plaintext -d '{"service": "x"}' 127.0.0.1:8080 grpc.health.v1.Health/Check`, "ERROR:\n  Code: NotFound\n  Message: no such service", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			example{script: row.script, answer: row.answer, isJSON: row.isJSON}.check(t, term.run(t, row.script))
		})
	}
}

// curl gets the same answers over both versions of HTTP.
func TestCurl(t *testing.T) {
	term := devTerminal(t)
	const (
		rest    = ` -X DELETE "$AVATARD_URL/management/v1/users/$USER_ALICE/avatar"`
		rpc     = ` -H 'Content-Type: application/json' -d "{\"userId\":\"$USER_ALICE\"}" "$AVATARD_URL/zitadel.management.v1.ManagementService/RemoveHumanAvatar"`
		success = `{"details":{"sequence":"3","creationDate":"…","changeDate":"…","resourceOwner":"69629023906488334"}}`
	)
	var first string
	for _, version := range []struct{ flag, name string }{{"--http1.1", "1.1"}, {"--http2-prior-knowledge", "2"}} {
		for _, row := range []struct {
			name, token, request, answer, status string
		}{
			{"REST", "TOKEN_ADMIN", rest, success, "200"},
			{"Connect", "TOKEN_ADMIN", rpc, success, "200"},
			{"REST, refused", "TOKEN_VIEWER", rest,
				`{"code":7,"message":"… (AUTH-5mWD2)","details":[{"@type":"type.googleapis.com/zitadel.v1.ErrorDetail","id":"AUTH-5mWD2","message":"…"}]}`, "403"},
			{"Connect, refused", "TOKEN_VIEWER", rpc,
				`{"code":"permission_denied","message":"… (AUTH-5mWD2)","details":[{"type":"zitadel.v1.ErrorDetail","value":"…","debug":{"id":"AUTH-5mWD2","message":"…"}}]}`, "403"},
		} {
			t.Run("HTTP "+version.name+", "+row.name, func(t *testing.T) {
				output := term.run(t, `curl -w '\n%{http_version} %{http_code}' `+version.flag+` -H "Authorization: Bearer $`+row.token+`"`+row.request)
				body, end, _ := strings.Cut(output, "\n")
				if want := version.name + " " + row.status; end != want {
					t.Errorf("version and status are %q, want %q", end, want)
				}
				example{answer: row.answer, isJSON: true}.check(t, body)
				if row.answer != success {
					return
				}
				if first == "" {
					first = body
				}
				if body != first {
					t.Errorf("deleted again: %s, want the first answer %s", body, first)
				}
			})
		}
	}
}

// The client that connect generates, in each of its protocols.
func TestGeneratedClients(t *testing.T) {
	_, env := startDev(t)
	var first *managementv1.RemoveHumanAvatarResponse
	for _, row := range []struct {
		name    string
		http2   bool
		options []connect.ClientOption
	}{
		{"Connect, binary", false, nil},
		{"Connect, JSON", true, []connect.ClientOption{connect.WithProtoJSON()}},
		{"gRPC", true, []connect.ClientOption{connect.WithGRPC()}},
		{"gRPC-Web", false, []connect.ClientOption{connect.WithGRPCWeb()}},
	} {
		t.Run(row.name, func(t *testing.T) {
			protocols := new(http.Protocols)
			protocols.SetHTTP1(!row.http2)
			protocols.SetUnencryptedHTTP2(row.http2)
			transport := &http.Transport{Protocols: protocols}
			defer transport.CloseIdleConnections() // a server that shuts down would wait for it
			client := managementconnect.NewManagementServiceClient(&http.Client{Transport: transport}, env["AVATARD_URL"], row.options...)
			remove := func(token, user string) (*managementv1.RemoveHumanAvatarResponse, error) {
				ctx, info := connect.NewClientContext(t.Context())
				info.RequestHeader().Set("Authorization", "Bearer "+env[token])
				return client.RemoveHumanAvatar(ctx, &managementv1.RemoveHumanAvatarRequest{UserId: user})
			}

			got, err := remove("TOKEN_ADMIN", env["USER_ALICE"])
			if err != nil || got.GetDetails().GetSequence() != 3 || got.GetDetails().GetResourceOwner() != env["ORG_ACME"] {
				t.Fatalf("got %v, %v, want the details of Alice's third change", got, err)
			}
			if first == nil {
				first = got
			}
			if diff := cmp.Diff(first, got, protocmp.Transform()); diff != "" {
				t.Errorf("deleted again (-first +now):\n%s", diff)
			}

			_, err = remove("TOKEN_ADMIN", env["USER_CAROL"])
			wantErrorDetail(t, err, connect.CodeNotFound, "USER-35N8f")
			_, err = remove("TOKEN_REVOKED", env["USER_ALICE"])
			wantErrorDetail(t, err, connect.CodeUnauthenticated, "AUTH-7fs1e")
		})
	}
	wantStatus(t, 404, "GET", avatarURL(env, "ORG_ACME", "USER_ALICE"), "")
	wantStatus(t, 200, "GET", avatarURL(env, "ORG_GLOBEX", "USER_CAROL"), "")
}

func wantErrorDetail(t *testing.T, err error, code connect.Code, id string) {
	t.Helper()
	if connect.CodeOf(err) != code || !strings.HasSuffix(err.Error(), "("+id+")") {
		t.Errorf("the error is %v, want %v with %s", err, code, id)
		return
	}
	var ids []string
	for _, detail := range err.(*connect.Error).Details() { //nolint:errorlint // CodeOf has found one
		if message, err := detail.Value(); err == nil {
			if d, ok := message.(*zitadelv1.ErrorDetail); ok {
				ids = append(ids, d.GetId())
			}
		}
	}
	if diff := cmp.Diff([]string{id}, ids); diff != "" {
		t.Errorf("details of %v (-want +got):\n%s", err, diff)
	}
}
