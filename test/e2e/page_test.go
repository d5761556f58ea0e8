package e2e

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// checkPage compares parts of a page with what they should be, by name. A part stands between "<!-- NAME: a note -->"
// and "<!-- end of NAME -->". With UPDATE_DOCS=1 it writes them.
func checkPage(t *testing.T, file string, parts map[string]string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		before, rest, ok := strings.Cut(page, "<!-- "+name+":")
		note, rest, ok2 := strings.Cut(rest, "-->\n")
		_, after, ok3 := strings.Cut(rest, "<!-- end of "+name+" -->")
		if !ok || !ok2 || !ok3 {
			t.Fatalf("%s has no place for %s", file, name)
		}
		page = before + "<!-- " + name + ":" + note + "-->\n" + parts[name] + "<!-- end of " + name + " -->" + after
	}
	if os.Getenv("UPDATE_DOCS") == "1" {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(page, string(data)); diff != "" {
		t.Errorf("%s is out of date; write it with UPDATE_DOCS=1 go test -run '^%s$' ./test/e2e (-want +got):\n%s", file, t.Name(), diff)
	}
}
