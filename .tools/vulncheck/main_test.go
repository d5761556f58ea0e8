package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	const scan = `{"config":{"go_version":"go1.26.8"}}` + "\n"
	const called = `{"finding":{"osv":"GO-1","fixed_version":"v1.2.3","trace":[{"module":"%","package":"%/p","function":"F"}]}}`
	for _, row := range []struct {
		name, in string
		ok       bool
		want     string
	}{
		{"nothing found", scan, true, "0 known"},
		{"a module's", scan + strings.ReplaceAll(called, "%", "example.com/m"), false, "RAISE"},
		{"the standard library's", scan + strings.ReplaceAll(called, "%", "stdlib"), true, "newer Go"},
		{"imported and not called", scan + `{"finding":{"osv":"GO-1","trace":[{"module":"m","package":"m/p"}]}}`, true, "0 known"},
		{"found in several functions", scan + strings.ReplaceAll(called+called, "%", "stdlib"), true, "1 known"},
		{"no scan", "", false, ""},
		{"no JSON", "vulnerabilities: none", false, ""},
	} {
		var out strings.Builder
		ok, err := report(strings.NewReader(row.in), &out)
		if ok && err != nil || ok != row.ok || !strings.Contains(out.String(), row.want) {
			t.Errorf("%s: report = %v, %v with %q, want %v with %q", row.name, ok, err, out.String(), row.ok, row.want)
		}
	}
}
