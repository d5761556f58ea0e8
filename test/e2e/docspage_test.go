//go:build unix && pages

package e2e

import (
	"encoding/base64"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/server/picture"
)

// A reader of the API reference signs in, deletes a picture twice, is refused with another token, uploads and reads; nothing is stored in
// the browser, nothing leaves the origin, and axe finds nothing on any tab.
func TestPageOfTheReference(t *testing.T) {
	_, env := startDev(t)
	checkDocsPage(t, pageVisit{url: env["AVATARD_URL"], manager: env["USER_ERIN"], user: env["USER_ALICE"], organization: env["ORG_ACME"],
		viewerToken: env["TOKEN_VIEWER"], managerToken: env["TOKEN_MANAGER"]})
}

// pageVisit is where pages are opened, and by which people.
type pageVisit struct {
	url, provider             string // of the provider "" where it is the server's
	person, manager, user     string // ids: who signs in, who manages others, and whose picture the manager deletes
	organization              string // of all of them
	viewerToken, managerToken string
}

func checkDocsPage(t *testing.T, v pageVisit) {
	t.Helper()
	node, dir := npmClients(t)
	type answer struct {
		Sent                            []string
		Faults, Foreign                 []string
		Sample, SampleWithToken, Stored string
		Focused                         string
		Odd                             []string                     // shown of answers that are not what they say, with a late one among them
		Samples, Proxied                map[string]map[string]string // by operation and language, and those behind a proxy with TLS
	}
	told := tell[answer](t, map[string]any{
		"executable": Program(t, "chromium"), "url": v.url, "provider": v.provider, "person": v.manager, "user": v.user,
		"organization": v.organization, "viewer": v.viewerToken, "manager": v.managerToken, "errors": []int{403},
		"picture": base64.StdEncoding.EncodeToString(picture.Sample(1, 3000)),
	}, node, filepath.Join(dir, "docs.js"))
	if len(told) != 1 {
		t.Fatalf("%d answers, want 1", len(told))
	}
	got := told[0]
	if len(got.Sent) != 5 {
		t.Fatalf("%d calls were answered, want 5: %q", len(got.Sent), got.Sent)
	}
	details := func(s string) string { _, d, _ := strings.Cut(s, "{"); return d }
	switch {
	case !strings.HasPrefix(got.Sent[0], "200") || !strings.Contains(got.Sent[0], v.organization):
		t.Errorf("delete: %s", got.Sent[0])
	case !strings.HasPrefix(got.Sent[1], "200") || details(got.Sent[1]) != details(got.Sent[0]):
		t.Errorf("the second delete: %s, want the details of the first: %s", got.Sent[1], got.Sent[0])
	case !strings.HasPrefix(got.Sent[2], "403") || !strings.Contains(got.Sent[2], "AUTH-5mWD2"):
		t.Errorf("delete as a viewer: %s", got.Sent[2])
	case !strings.HasPrefix(got.Sent[3], "200"):
		t.Errorf("upload: %s", got.Sent[3])
	case !strings.HasPrefix(got.Sent[4], "200") || !strings.Contains(got.Sent[4], "image/"):
		t.Errorf("read: %s", got.Sent[4])
	}
	if len(got.Faults) > 0 || len(got.Foreign) > 0 {
		t.Errorf("faults: %q\nrequests to elsewhere: %q", got.Faults, got.Foreign)
	}
	if got.Stored != "0,0," {
		t.Errorf("the browser keeps %q, want nothing", got.Stored)
	}
	if !strings.Contains(got.Sample, v.user) || strings.Contains(got.Sample, v.managerToken) || !strings.Contains(got.SampleWithToken, v.managerToken) {
		t.Errorf("request line: %q, and with the token: %q", got.Sample, got.SampleWithToken)
	}
	checkSamples(t, got.Samples)
	for operation, samples := range got.Proxied {
		for language, sample := range samples {
			if !strings.Contains(sample, "avatars_1.example") || strings.Contains(sample, "-plaintext") || strings.Contains(sample, "http://") {
				t.Errorf("%s in %s, behind a proxy with TLS: %s", operation, language, sample)
			}
		}
	}
	if len(got.Proxied) == 0 || len(got.Proxied) != len(got.Samples) {
		t.Errorf("samples for %d operations behind a proxy, want %d", len(got.Proxied), len(got.Samples))
	}
	for i, want := range []string{"no JSON", "cannot show", "cannot show"} {
		if len(got.Odd) != 3 || !strings.HasPrefix(got.Odd[i], "200") || !strings.Contains(got.Odd[i], want) {
			t.Errorf("odd answers are shown as %q, want their status and %q in number %d", got.Odd, want, i)
			break
		}
	}
	if got.Focused != "grpcurl" {
		t.Errorf("behind the first tab is %q, want grpcurl", got.Focused)
	}
}
