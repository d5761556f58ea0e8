package metrics

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"example.org/avatard/test/docpage"
)

// The table of docs/operating.md lists every metric. With UPDATE_DOCS=1 the test writes it.
func TestOperatingPage(t *testing.T) {
	docpage.Check(t, "../../docs/operating.md", map[string]string{"metrics": metricsTable(t)})
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
