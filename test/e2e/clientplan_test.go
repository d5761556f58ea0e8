//go:build unix

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clientPlan is what the programs in test/e2e/testdata/clients get to do.
type clientPlan struct {
	URL   string       `json:"url"`
	Calls []clientCall `json:"calls"`
	// Users holds the user that each client has to itself, by the client's name.
	Users map[string]string `json:"users"`
}

// clientCall is one removal.
type clientCall struct {
	Step         string `json:"step"`
	Token        string `json:"token"`
	User         string `json:"user"` // "" = the client's own
	Organization string `json:"organization"`
}

// clientLine is what such a program tells of one call: what it got, how it was refused, or how it failed by itself.
type clientLine struct {
	Client  string         `json:"client"`
	Step    string         `json:"step"`
	Details map[string]any `json:"details"`
	Receipt string         `json:"receipt"`
	Refused *clientRefusal `json:"refused"`
	Failed  string         `json:"failed"`
}

type clientRefusal struct {
	Code      int            `json:"code"`
	Message   string         `json:"message"`
	Details   []clientDetail `json:"details"`
	Challenge string         `json:"challenge"`
}

type clientDetail struct {
	Type    string `json:"type"`
	ID      string `json:"id"`
	Message string `json:"message"`
}

// clientRefusals are the calls of every plan that are refused. Steps and what comes of them are in one place, for
// all clients alike.
var clientRefusals = []struct {
	step, token, user, organization string // variables of dev, the user as it is where there is no such variable
	code                            int
	id                              string // of the ErrorDetail, "" for none
	violations                      bool   // rules of the request, broken
	challenge                       string
}{
	{"no token", "", "USER_ALICE", "", 16, "", false, `Bearer realm="avatard"`},
	{"revoked token", "TOKEN_REVOKED", "USER_ALICE", "", 16, "AUTH-7fs1e", false, `Bearer realm="avatard", error="invalid_token"`},
	{"no role", "TOKEN_NOBODY", "USER_ALICE", "", 5, "AUTHZ-cdgFk", false, ""},
	{"no permission", "TOKEN_VIEWER", "USER_ALICE", "", 7, "AUTH-5mWD2", false, ""},
	{"unknown organisation", "TOKEN_ADMIN", "USER_ALICE", "nowhere", 7, "AUTH-Bs7Ds", false, ""},
	{"user of another organisation", "TOKEN_ADMIN", "USER_CAROL", "", 5, "USER-35N8f", false, ""},
	{"slash and more in the id", "TOKEN_ADMIN", "a/../é%2F?#", "", 5, "USER-35N8f", false, ""},
	{"control character in the id", "TOKEN_ADMIN", "a\tb", "", 3, "", true, ""},
}

// newClientPlan gives each client a user of its own among the seeded ones.
func newClientPlan(t *testing.T, env map[string]string, clients []string) clientPlan {
	t.Helper()
	first, err := strconv.ParseUint(env["SEED_FIRST_USER"], 10, 64)
	if count, _ := strconv.Atoi(env["SEED_COUNT"]); err != nil || count < len(clients) {
		t.Fatalf("%d clients need a user each, dev has %s: %v", len(clients), env["SEED_COUNT"], err)
	}
	plan := clientPlan{URL: env["AVATARD_URL"], Users: map[string]string{}, Calls: []clientCall{
		{Step: "remove", Token: env["TOKEN_ADMIN"]},
		{Step: "again", Token: env["TOKEN_MANAGER"], Organization: env["ORG_ACME"]},
	}}
	for i, client := range clients {
		plan.Users[client] = strconv.FormatUint(first+uint64(i), 10)
	}
	for _, row := range clientRefusals {
		plan.Calls = append(plan.Calls, clientCall{Step: row.step, Token: env[row.token], User: orItself(env, row.user),
			Organization: orItself(env, row.organization)})
	}
	return plan
}

func orItself(env map[string]string, name string) string {
	if value, ok := env[name]; ok {
		return value
	}
	return name
}

// check compares what clients tell with what the contract promises, and with the pictures that are left.
func (plan clientPlan) check(t *testing.T, env map[string]string, lines []clientLine) {
	t.Helper()
	told := map[string]map[string]clientLine{}
	for _, line := range lines {
		if told[line.Client] == nil {
			told[line.Client] = map[string]clientLine{}
		}
		told[line.Client][line.Step] = line
	}
	if len(told) != len(plan.Users) {
		t.Errorf("%d clients tell something, want %d", len(told), len(plan.Users))
	}
	for client, user := range plan.Users {
		t.Run(client, func(t *testing.T) {
			checkRemoved(t, env, user, told[client]["remove"], told[client]["again"])
			for _, row := range clientRefusals {
				want := &clientRefusal{Code: row.code, Details: []clientDetail{}, Challenge: row.challenge}
				if client == "connect-node gRPC" {
					want.Challenge = "" // net/http sends no such HTTP/2 trailer
				}
				got := told[client][row.step]
				if got.Refused == nil || got.Failed != "" {
					t.Errorf("%s: got %+v, want a refusal", row.step, got)
					continue
				}
				want.Message = got.Refused.Message
				switch {
				case row.id != "":
					plain, ok := strings.CutSuffix(got.Refused.Message, " ("+row.id+")")
					if !ok || plain == "" {
						t.Errorf("%s: the message is %q, want words and (%s)", row.step, got.Refused.Message, row.id)
					}
					want.Details = []clientDetail{{"zitadel.v1.ErrorDetail", row.id, plain}}
				case row.violations:
					want.Details = []clientDetail{{Type: "buf.validate.Violations"}}
				}
				if diff := cmp.Diff(want, got.Refused); diff != "" || want.Message == "" {
					t.Errorf("%s (-want +got):\n%s", row.step, diff)
				}
			}
		})
	}
}

// checkRemoved checks the two answers about one user: the same details, those that REST gives here, and no picture.
func checkRemoved(t *testing.T, env map[string]string, user string, first, again clientLine) {
	t.Helper()
	if first.Details["sequence"] != "3" || first.Details["resourceOwner"] != env["ORG_ACME"] || first.Receipt == "" {
		t.Errorf("removed: %+v, want the third change in %s and a receipt", first, env["ORG_ACME"])
	}
	first.Step = again.Step
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("removed again (-first +again):\n%s", diff)
	}
	env = map[string]string{"AVATARD_URL": env["AVATARD_URL"], "ORG": env["ORG_ACME"], "USER": user, "TOKEN": env["TOKEN_ADMIN"]}
	wantStatus(t, 404, "GET", avatarURL(env, "ORG", "USER"), "")
	var answer struct{ Details map[string]any }
	if _, body := call(t, "DELETE", removalURL(env, "USER"), env["TOKEN"]); json.Unmarshal([]byte(body), &answer) != nil {
		t.Errorf("REST answers %s", body)
	}
	if diff := cmp.Diff(answer.Details, again.Details); diff != "" {
		t.Errorf("details (-REST here +client):\n%s", diff)
	}
}

// tell runs a program that reads one JSON value and writes lines of them, which are returned.
func tell[Line any](t *testing.T, input any, name string, args ...string) []Line {
	t.Helper()
	stdin, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &stderr
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir()) // whatever it keeps there is gone afterwards
	cmd.WaitDelay = 5 * time.Second
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, &stderr)
	}
	var lines []Line
	for dec := json.NewDecoder(bytes.NewReader(stdout)); ; {
		var line Line
		if err := dec.Decode(&line); errors.Is(err, io.EOF) {
			return lines
		} else if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stdout)
		}
		lines = append(lines, line)
	}
}
