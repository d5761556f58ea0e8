//go:build unix

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	zitadelv1 "example.org/avatard/gen/zitadel/v1"
)

// buf curl speaks each protocol; it reads the API from the .proto files or asks the server.
func TestBufCurl(t *testing.T) {
	buf := Program(t, "buf")
	_, env := startDev(t)
	var first map[string]string
	for _, row := range []struct {
		name string
		args []string
	}{
		{"Connect", []string{"--protocol", "connect"}},
		{"gRPC", []string{"--protocol", "grpc", "--http2-prior-knowledge"}},
		{"gRPC-Web", []string{"--protocol", "grpcweb"}},
		{"Connect, API from files", []string{"--protocol", "connect", "--schema", "api"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.args[len(row.args)-1] == "api" {
				needDirectory(t, ".protos", ".tools/protos.sh")
			} else if row.args[1] != "grpc" {
				// Reflection is a stream, for which HTTP/1.1 has no room.
				row.args = append(row.args, "--http2-prior-knowledge")
			}
			remove := func(token, user string) (stdout, stderr string) {
				args := append([]string{"curl", "--header", "Authorization: Bearer " + env[token], "--data", `{"userId":"` + env[user] + `"}`}, row.args...)
				cmd := exec.CommandContext(t.Context(), buf, append(args, env["AVATARD_URL"]+"/zitadel.management.v1.ManagementService/RemoveHumanAvatar")...)
				var out, errs strings.Builder
				cmd.Stdout, cmd.Stderr = &out, &errs
				_ = cmd.Run() // a refusal is its exit code; what it prints tells more
				return out.String(), errs.String()
			}
			stdout, stderr := remove("TOKEN_ADMIN", "USER_ALICE")
			var answer struct{ Details map[string]string }
			if err := json.Unmarshal([]byte(stdout), &answer); err != nil || answer.Details["sequence"] != "3" {
				t.Errorf("answered %s%s, want the details of Alice's third change", stdout, stderr)
			}
			if first == nil {
				first = answer.Details
			}
			if diff := cmp.Diff(first, answer.Details); diff != "" {
				t.Errorf("removed again (-first +now):\n%s", diff)
			}
			stdout, stderr = remove("TOKEN_ADMIN", "USER_CAROL")
			wantBufRefusal(t, stderr, "not_found", "USER-35N8f")
			if stdout != "" {
				t.Errorf("a refusal comes with the answer %s", stdout)
			}
		})
	}
	wantStatus(t, 404, "GET", avatarURL(env, "ORG_ACME", "USER_ALICE"), "")
	wantStatus(t, 200, "GET", avatarURL(env, "ORG_GLOBEX", "USER_CAROL"), "")
}

// wantBufRefusal checks the error that buf curl prints.
func wantBufRefusal(t *testing.T, stderr, code, id string) {
	t.Helper()
	var refused struct {
		Code, Message string
		Details       []struct{ Type, Value string }
	}
	if err := json.Unmarshal([]byte(stderr), &refused); err != nil {
		t.Fatalf("the refusal is no JSON: %v\n%s", err, stderr)
	}
	if refused.Code != code || len(refused.Details) != 1 || refused.Details[0].Type != "zitadel.v1.ErrorDetail" {
		t.Fatalf("refused with %+v, want %s and an ErrorDetail", refused, code)
	}
	var detail zitadelv1.ErrorDetail
	value, err := base64.RawStdEncoding.DecodeString(refused.Details[0].Value)
	if err == nil {
		err = proto.Unmarshal(value, &detail)
	}
	if want := detail.GetMessage() + " (" + id + ")"; err != nil || detail.GetId() != id || refused.Message != want {
		t.Errorf("refused with %q and %v, %v, want %q", refused.Message, &detail, err, want)
	}
}
