package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	"example.org/avatard/authz/devidp"
	avatardv1 "example.org/avatard/gen/avatard/v1"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
	"example.org/avatard/test/client"
)

// Whoever has the permission in an organisation deletes there for everybody who belongs to it at the provider. Nobody else makes the server
// ask about users, and nobody is registered who does not belong there.
func TestUsersUnknownHere(t *testing.T) {
	d := startWithDirectory(t, nil)
	for _, row := range []struct {
		name, token, org, user string
		status                 int
		id                     string
		asked                  int64
		registered             string
	}{
		{"no role", "TOKEN_NOBODY", "", devidp.UserBob, 404, "AUTHZ-cdgFk", 0, ""},
		{"no permission", "TOKEN_VIEWER", "", devidp.UserBob, 403, "AUTH-5mWD2", 0, ""},
		{"a role elsewhere", "TOKEN_MANAGER", devidp.OrgGlobex, devidp.UserCarol, 404, "AUTHZ-cdgFk", 0, ""},
		{"no organisation", "TOKEN_MANAGER", "1", devidp.UserBob, 403, "AUTH-Bs7Ds", 0, ""},
		{"a token that has expired", "TOKEN_EXPIRED", "", devidp.UserBob, 401, "AUTH-7fs1e", 0, ""},
		{"nobody's id", "TOKEN_MANAGER", "", "150317214593159999", 404, "USER-35N8f", 1, ""},
		{"somebody of another organisation", "TOKEN_MANAGER", "", devidp.UserCarol, 404, "USER-35N8f", 1, ""},
		{"somebody of another organisation, by an administrator of both", "TOKEN_ADMIN", devidp.OrgInitech, devidp.UserCarol, 404, "USER-35N8f", 1, ""},
		{"a machine", "TOKEN_MANAGER", "", machine, 404, "USER-35N8f", 1, ""},
		{"somebody there", "TOKEN_MANAGER", "", devidp.UserBob, 200, `"resourceOwner":"` + devidp.OrgAcme + `"`, 1, devidp.OrgAcme},
		{"again", "TOKEN_MANAGER", "", devidp.UserBob, 200, `"sequence":"1"`, 0, devidp.OrgAcme},
		{"elsewhere, who is registered", "TOKEN_ADMIN", devidp.OrgGlobex, devidp.UserBob, 404, "USER-35N8f", 0, devidp.OrgAcme},
		{"somebody of an organisation new here", "TOKEN_GLOBEX_OWNER", devidp.OrgGlobex, devidp.UserCarol, 200, `"resourceOwner":"` + devidp.OrgGlobex + `"`, 1, devidp.OrgGlobex},
	} {
		before := d.lookUps(row.user)
		status, body := d.remove(t, row.user, d.as(row.token, row.org))
		if status != row.status || !strings.Contains(body, row.id) {
			t.Errorf("%s: %d %s, want %d with %s", row.name, status, body, row.status, row.id)
		}
		if asked, org := d.lookUps(row.user)-before, d.registered(t, row.user); asked != row.asked || org != row.registered {
			t.Errorf("%s: %d questions and registered in %q, want %d and %q", row.name, asked, org, row.asked, row.registered)
		}
	}
	if by := d.registrations(t, devidp.UserBob); !slices.Equal(by, []string{machine}) {
		t.Errorf("Bob was registered by %v, want the manager", by)
	}
}

// Uploads and ends by administrators find who is unknown here, too. What reads does not, and nor does what people do with their own picture.
func TestCallsThatLookUsersUp(t *testing.T) {
	d := startWithDirectory(t, nil)
	managed := func(user string) string { return client.UserPicturePath(user) }
	manager, alice := d.provider.Tokens["TOKEN_MANAGER"], d.provider.Tokens["TOKEN_ALICE"]
	for _, read := range []struct{ path, token string }{
		{"/assets/v1/" + devidp.OrgAcme + "/users/" + devidp.UserErin + "/avatar", manager},
		{"/avatard/v1/users/" + devidp.UserErin, manager}, {"/assets/v1/users/me/avatar", alice},
	} {
		if res, body := d.do(t, http.MethodGet, read.path, nil, bearer(read.token)...); res.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s: %d %s, want 404", read.path, res.StatusCode, body)
		}
	}
	if res, body := d.do(t, http.MethodDelete, "/auth/v1/users/me/avatar", nil, bearer(alice)...); res.StatusCode != http.StatusNotFound {
		t.Errorf("a delete of one's own: %d %s, want 404", res.StatusCode, body)
	}
	if n := d.lookUps(devidp.UserErin) + d.lookUps(devidp.UserAlice); n != 0 {
		t.Errorf("%d questions about users by calls that need none", n)
	}
	if res, body := d.upload(t, managed(devidp.UserErin), manager, picture.Sample(1, 900)); res.StatusCode != http.StatusOK || !strings.Contains(body, `"sequence":"2"`) {
		t.Errorf("an upload: %d %s", res.StatusCode, body)
	}
	if res, body := d.upload(t, managed(devidp.UserCarol), manager, picture.Sample(1, 900)); res.StatusCode != http.StatusNotFound || !strings.Contains(body, "USER-35N8f") || d.registered(t, devidp.UserCarol) != "" {
		t.Errorf("an upload for somebody elsewhere: %d %s", res.StatusCode, body)
	}
	answer, ended := invoke[avatardv1.EraseUserResponse](t, d.fixture, client.GRPC, "EraseUser", bearer(manager), &avatardv1.EraseUserRequest{UserId: devidp.UserAlice})
	if answer.Code != 0 || len(ended) != 1 || ended[0].GetDetails().GetResourceOwner() != devidp.OrgAcme {
		t.Errorf("an end: %v %s %v", answer.Code, answer.Message, ended)
	}
	if res, body := d.upload(t, "/assets/v1/users/me/avatar", alice, picture.Sample(1, 900)); !strings.Contains(body, "AVATAR-u5Nd9") {
		t.Errorf("an upload of one who ended before they were ever here: %d %s", res.StatusCode, body)
	}
}

// Calls at once register a user once.
func TestUsersAreFoundOnce(t *testing.T) {
	d := startWithDirectory(t, nil)
	if _, err := d.store.AddOrganization(t.Context(), devidp.OrgAcme, storage.Origin{Caller: "test"}); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for i := range 32 {
		wait.Go(func() {
			form := client.Forms()[i%len(client.Forms())]
			got := d.client.Remove(t.Context(), form, client.Bearer(d.provider.Tokens["TOKEN_MANAGER"]), devidp.UserBob)
			if got.Code != 0 || got.Details.GetResourceOwner() != devidp.OrgAcme || got.Details.GetSequence() != 1 {
				t.Errorf("%s: %v %s %v", form, got.Code, got.Message, got.Details)
			}
		})
	}
	wait.Wait()
	if by := d.registrations(t, devidp.UserBob); len(by) != 1 {
		t.Errorf("registered by %v, want once", by)
	}
}

// Who has ended, or whose organisation has, is not brought back, and the answers are those of a server without a directory.
func TestDirectoryBringsNobodyBack(t *testing.T) {
	d := startWithDirectory(t, nil)
	ctx, by := t.Context(), storage.Origin{Caller: "test"}
	if _, _, err := d.store.AddUser(ctx, d.key(devidp.UserBob), devidp.OrgAcme, by); err != nil {
		t.Fatal(err)
	}
	if _, err := d.store.EraseUser(ctx, storage.Removal{User: d.key(devidp.UserBob), Organization: devidp.OrgAcme, By: by}); err != nil {
		t.Fatal(err)
	}
	for _, org := range []string{devidp.OrgGlobex, devidp.OrgInitech} {
		if _, err := d.store.AddOrganization(ctx, org, by); err != nil {
			t.Fatal(err)
		}
		if _, err := d.store.EndOrganization(ctx, org, by); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.store.RemoveOrganization(ctx, devidp.OrgGlobex, by); err != nil { // and initech is ending
		t.Fatal(err)
	}
	for user, headers := range map[string][]string{
		devidp.UserBob: d.as("TOKEN_MANAGER", ""), devidp.UserCarol: d.as("TOKEN_GLOBEX_OWNER", devidp.OrgGlobex), devidp.UserDave: d.as("TOKEN_ADMIN", devidp.OrgInitech),
	} {
		if status, body := d.remove(t, user, headers); status != http.StatusNotFound || !strings.Contains(body, "USER-35N8f") {
			t.Errorf("a delete for %s: %d %s, want 404 USER-35N8f", user, status, body)
		}
		want := "USER-35N8f"
		if user == devidp.UserBob {
			want = "AVATAR-u5Nd9"
		}
		form, media := formOf("file", picture.Sample(1, 900))
		if res, body := d.do(t, http.MethodPost, client.UserPicturePath(user), form, append(headers, "Content-Type", media)...); !strings.Contains(body, want) {
			t.Errorf("an upload for %s: %d %s, want %s", user, res.StatusCode, body, want)
		}
		if org := d.registered(t, user); org != "" {
			t.Errorf("%s is registered in %s", user, org)
		}
	}
}

// While the provider says nothing of use about users, such calls are to be repeated, and all others go on.
func TestDirectoryOutOfOrder(t *testing.T) {
	d := startWithDirectory(t, nil)
	if _, _, err := d.store.AddUser(t.Context(), d.key(devidp.UserErin), devidp.OrgAcme, storage.Origin{Caller: "test"}); err != nil {
		t.Fatal(err)
	}
	d.provider.Misbehave("/management/v1/users/"+devidp.UserBob, func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, secret+r.Header.Get("Authorization"), http.StatusInternalServerError)
	})
	for _, form := range client.Forms() {
		got := d.client.Remove(t.Context(), form, client.Bearer(d.provider.Tokens["TOKEN_MANAGER"]), devidp.UserBob)
		if got.Code != connect.CodeUnavailable || got.Header.Get("Retry-After") == "" || strings.Contains(got.Raw, secret) {
			t.Errorf("%s: %v %s, want that it is unavailable for a moment", form, got.Code, got.Raw)
		}
		if got := d.client.Remove(t.Context(), form, client.Bearer(d.provider.Tokens["TOKEN_MANAGER"]), devidp.UserErin); got.Code != 0 {
			t.Errorf("%s: somebody who is known: %v %s", form, got.Code, got.Message)
		}
	}
	if log := d.log.String(); strings.Contains(log, secret) || strings.Contains(log, d.provider.Tokens["TOKEN_MANAGER"]) || d.registered(t, devidp.UserBob) != "" {
		t.Errorf("Bob is registered in %q; the log:\n%s", d.registered(t, devidp.UserBob), log)
	}
}

// An upload that waits for the directory keeps no turn from the uploads of others.
func TestLookUpsHoldNoTurn(t *testing.T) {
	d := startWithDirectory(t, func(c *Config) { c.MaxUploads = 1 })
	asked, answer := make(chan struct{}), make(chan struct{})
	d.provider.Misbehave("/management/v1/users/"+devidp.UserBob, func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-answer
		d.provider.Handler().ServeHTTP(w, r)
	})
	var wait sync.WaitGroup
	wait.Go(func() {
		if res, body := d.upload(t, client.UserPicturePath(devidp.UserBob), d.provider.Tokens["TOKEN_MANAGER"], picture.Sample(1, 900)); res.StatusCode != http.StatusOK {
			t.Errorf("the upload that waited: %d %s", res.StatusCode, body)
		}
	})
	<-asked
	if res, body := d.upload(t, "/assets/v1/users/me/avatar", d.provider.Tokens["TOKEN_ALICE"], picture.Sample(1, 900)); res.StatusCode != http.StatusOK {
		t.Errorf("an upload meanwhile: %d %s", res.StatusCode, body)
	}
	close(answer)
	wait.Wait()
}

// One caller cannot have any number of invented users asked about, and is in nobody else's way.
func TestLookUpRate(t *testing.T) {
	d := startWithDirectory(t, func(c *Config) { c.Now = func() time.Time { return time.Unix(1_700_000_000, 0) } })
	for i := range lookUpRate.Burst + 1 {
		want := http.StatusNotFound
		if i == lookUpRate.Burst {
			want = http.StatusTooManyRequests
		}
		if status, body := d.remove(t, fmt.Sprint(i), d.as("TOKEN_MANAGER", "")); status != want {
			t.Fatalf("user %d: %d %s, want %d", i, status, body, want)
		}
	}
	if status, body := d.remove(t, devidp.UserBob, d.as("TOKEN_ADMIN", "")); status != http.StatusOK {
		t.Errorf("another caller: %d %s", status, body)
	}
	if status, body := d.remove(t, devidp.UserBob, d.as("TOKEN_MANAGER", "")); status != http.StatusOK {
		t.Errorf("somebody who is known by now: %d %s", status, body)
	}
}
