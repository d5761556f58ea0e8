//go:build unix && pages

package e2e

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// People sign in on the page at /, drop a picture on it, choose a square, see it, delete it and see the receipt, and sign out; with the keyboard alone,
// on a small screen and in German as well. A manager does the same for somebody else. axe finds nothing, nothing is stored in the browser,
// and no request leaves the origin.
func TestPageOfPeople(t *testing.T) {
	_, env := startDev(t)
	checkPersonPage(t, pageVisit{url: env["AVATARD_URL"], person: env["USER_ALICE"], manager: env["USER_ERIN"], user: env["USER_BOB"], organization: env["ORG_ACME"]})
}

// What is pressed while a call runs does nothing; no picture goes to somebody else, or stands under another name, when answers are late or
// fail; a delete that worked stays told; sign-ins that fail, and calls that take too long, are told in words; whoever signs out leaves nothing.
func TestPageOfPeopleInDisorder(t *testing.T) {
	_, env := startDev(t)
	node, dir := npmClients(t)
	type answer struct{ Faults, Foreign []string }
	told := tell[answer](t, map[string]any{
		"executable": Program(t, "chromium"), "url": env["AVATARD_URL"], "person": env["USER_ALICE"], "manager": env["USER_ERIN"],
		"user": env["USER_BOB"], "organisation": env["ORG_ACME"], "disorder": true,
	}, node, filepath.Join(dir, "person.js"))
	if len(told) != 1 || len(told[0].Faults) > 0 || len(told[0].Foreign) > 0 {
		t.Errorf("%q, want one answer without faults", told)
	}
}

func checkPersonPage(t *testing.T, v pageVisit) {
	t.Helper()
	node, dir := npmClients(t)
	type answer struct {
		Title, German, Stored            string
		Seen, SignedOut, Faults, Foreign []string
		Size, Sizes, StandIn             []int
		Kept, Gone                       bool
	}
	told := tell[answer](t, map[string]any{
		"executable": Program(t, "chromium"), "url": v.url, "provider": v.provider, "person": v.person, "manager": v.manager,
		"user": v.user, "organisation": v.organization,
	}, node, filepath.Join(dir, "person.js"))
	if len(told) != 1 {
		t.Fatalf("%d answers, want 1", len(told))
	}
	got := told[0]
	if got.Title != "Your picture" || got.German != "Ihr Bild" {
		t.Errorf("titles %q and %q", got.Title, got.German)
	}
	if len(got.Seen) != 6 || !strings.Contains(got.Seen[1], "gone for good") || !strings.Contains(got.Seen[3], "endgültig weg") || !strings.Contains(got.Seen[5], "gone for good") {
		t.Errorf("the page said %q", got.Seen)
	}
	if len(got.SignedOut) != 2 || !strings.Contains(got.SignedOut[0], "the provider has ended") || !strings.Contains(got.SignedOut[1], "der Anbieter hat beendet") {
		t.Errorf("after signing out the page said %q", got.SignedOut)
	}
	if len(got.Size) != 2 || got.Size[0] != got.Size[1] || got.Size[0] != 900 {
		t.Errorf("of 1600×900 pixels %v were stored, want a square of 900", got.Size)
	}
	for what, shown := range map[string][]int{"the picture": got.Sizes, "what stands for it": got.StandIn} {
		want := []int{900, 128, 64, 32}
		if what != "the picture" {
			want[0] = 256
		}
		if len(shown) != 5 || !slices.Equal(shown[:4], want) || shown[4] < 3 {
			t.Errorf("%s was shown as %v: widths, and number of colours; want %v and some colours", what, shown, want)
		}
	}
	if !got.Kept || !got.Gone {
		t.Errorf("kept when it was cancelled: %v; gone when it was confirmed: %v", got.Kept, got.Gone)
	}
	if len(got.Faults) > 0 || len(got.Foreign) > 0 || got.Stored != "0,0," {
		t.Errorf("faults: %q\nrequests to elsewhere: %q\nkept in the browser: %q", got.Faults, got.Foreign, got.Stored)
	}
}
