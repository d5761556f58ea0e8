//go:build unix && pages

package e2e

import (
	"path/filepath"
	"slices"
	"testing"
)

// A manager pages through the users of the organisation, with the browser's buttons too, ends accounts, and finds the receipts; with the
// keyboard alone, on a small screen and in German as well. An id is text, whatever it looks like; a double click ends one account once; who
// may not is told which permission is missing. axe finds nothing, nothing is stored in the browser, and no request leaves the origin.
func TestPageOfUsers(t *testing.T) {
	const seeded, odd = 450, `<b>Ä</b> <img src=x onerror="document.title=1">`
	dir := filepath.Join(t.TempDir(), "data")
	_, env := startDev(t, "--data", dir, "--seed-users", "450", "--seed-bytes", "900")
	want := []string{env["USER_ALICE"], env["USER_BOB"], env["USER_ERIN"]}
	for _, id := range []string{odd, ".."} {
		wantOutput(t, "user "+id+" added\n", "user", "add", id, "--org", env["ORG_ACME"], "--data", dir)
		want = append(want, id)
	}
	node, clients := npmClients(t)
	type answer struct {
		Pages           []int
		Listed          []string
		Receipt, Stored string
		Parts           map[string]string // of the receipt
		Faults, Foreign []string
	}
	told := tell[answer](t, map[string]any{
		"executable": Program(t, "chromium"), "url": env["AVATARD_URL"], "person": env["USER_BOB"], "manager": env["USER_ERIN"],
		"viewer": env["TOKEN_VIEWER"], "user": env["USER_ALICE"], "odd": odd,
	}, node, filepath.Join(clients, "users.js"))
	if len(told) != 1 {
		t.Fatalf("%d answers, want 1", len(told))
	}
	got := told[0]
	if len(got.Faults) > 0 || len(got.Foreign) > 0 || got.Stored != "0,0," {
		t.Errorf("faults: %q\nrequests to elsewhere: %q\nkept in the browser: %q", got.Faults, got.Foreign, got.Stored)
	}
	if !slices.Equal(got.Pages, []int{200, 200, seeded + len(want) - 400}) || !slices.IsSorted(got.Listed) || len(slices.Compact(got.Listed)) != seeded+len(want) {
		t.Errorf("pages of %v users, want each of %d once, in order", got.Pages, seeded+len(want))
	}
	for _, id := range want {
		if !slices.Contains(got.Listed, id) {
			t.Errorf("user %q is not listed", id)
		}
	}
	for part, value := range map[string]string{
		"receiptId": got.Receipt, "userId": env["USER_ALICE"], "organizationId": env["ORG_ACME"], "callerId": env["USER_ERIN"], "reason": "deleted",
	} {
		if value == "" || got.Parts[part] != value {
			t.Errorf("the receipt's %s is %q, want %q", part, got.Parts[part], value)
		}
	}
	wantStatus(t, 404, "GET", avatarURL(env, "ORG_ACME", "USER_ALICE"), "")
}
