package metrics

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The table of docs/operating.md says what there is. With UPDATE_DOCS=1 the test writes it.
func TestOperatingPage(t *testing.T) {
	const file, begin, end = "../../docs/operating.md", "<!-- metrics:", "<!-- end of metrics -->"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	note, rest, ok2 := strings.Cut(rest, "-->\n")
	_, after, ok3 := strings.Cut(rest, end)
	if !ok || !ok2 || !ok3 {
		t.Fatalf("%s has no place for the table", file)
	}
	page := before + begin + note + "-->\n" + metricsTable(t) + end + after
	if os.Getenv("UPDATE_DOCS") == "1" {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(page, string(data)); diff != "" {
		t.Errorf("%s is out of date; write it with UPDATE_DOCS=1 go test -run %s ./server/metrics (-want +got):\n%s", file, t.Name(), diff)
	}
}

func metricsTable(t *testing.T) string {
	families, err := watched().registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("| metric | type | labels | |\n|---|---|---|---|\n")
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "avatard_") {
			continue
		}
		var labels []string
		for _, label := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+label.GetName()+"`")
		}
		slices.Sort(labels)
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", family.GetName(), strings.ToLower(family.GetType().String()),
			strings.Join(labels, ", "), family.GetHelp())
	}
	return b.String()
}
