//go:build unix

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/server/picture"
)

// A reader of the API reference signs in, deletes a picture twice, is refused with another token, uploads and reads; nothing is stored in
// the browser, nothing leaves the origin, and axe finds nothing on any tab.
func TestDocsPage(t *testing.T) {
	node, dir := npmClients(t)
	_, env := startDev(t)
	type answer struct {
		Sent                            []string
		Faults, Foreign                 []string
		Sample, SampleWithToken, Stored string
		Focused                         string
	}
	told := tell[answer](t, map[string]any{
		"executable": Program(t, "chromium"), "url": env["AVATARD_URL"], "person": env["USER_ERIN"], "user": env["USER_ALICE"],
		"organization": env["ORG_ACME"], "viewer": env["TOKEN_VIEWER"], "manager": env["TOKEN_MANAGER"], "errors": []int{403},
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
	case !strings.HasPrefix(got.Sent[0], "200") || !strings.Contains(got.Sent[0], env["ORG_ACME"]):
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
	if !strings.Contains(got.Sample, env["USER_ALICE"]) || strings.Contains(got.Sample, env["TOKEN_MANAGER"]) || !strings.Contains(got.SampleWithToken, env["TOKEN_MANAGER"]) {
		t.Errorf("request line: %q, and with the token: %q", got.Sample, got.SampleWithToken)
	}
	if got.Focused != "grpcurl" {
		t.Errorf("behind the first tab is %q, want grpcurl", got.Focused)
	}
}

// The OpenAPI document is one by the specification's own schema.
func TestOpenAPIIsValid(t *testing.T) {
	node, dir := npmClients(t)
	_, env := startDev(t)
	var document any
	_, text := call(t, "GET", env["AVATARD_URL"]+"/openapi.json", "")
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	type verdict struct {
		Valid           bool
		Version, Errors string
	}
	told := tell[verdict](t, document, node, filepath.Join(dir, "openapi.js"))
	if len(told) != 1 || !told[0].Valid || told[0].Version != "3.1" {
		t.Errorf("the verdict is %+v, want valid as 3.1", told)
	}
}

// The reference is opened at the address that the provider of dev knows, also when this machine is named in another way.
func TestDocsPageOfAnotherName(t *testing.T) {
	_, env := startDev(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(env["AVATARD_URL"], "http://"), ":")
	if status, _ := call(t, "GET", env["AVATARD_URL"]+"/docs", "", "Host", "localhost:"+port); status != 302 {
		t.Errorf("GET /docs of localhost = %d, want 302", status)
	}
	wantStatus(t, 200, "GET", env["AVATARD_URL"]+"/docs", "")
}
