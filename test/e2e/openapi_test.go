//go:build unix

package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

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
