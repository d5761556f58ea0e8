package main

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"example.org/avatard/storage/cluster/clustertest"
)

// A small run goes through everything, and one that may not take any memory fails.
func TestRun(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory is measured on Linux only")
	}
	var out strings.Builder
	small := []string{"-callers", "3", "-for", "300ms", "-users", "500", "-few", "500"}
	err := run(t.Context(), append(small, "-many", "1"), &out, os.Stderr)
	if clustertest.Skips(err) {
		t.Skip(err)
	}
	if err == nil || !strings.Contains(err.Error(), "resident, limit 1") {
		t.Errorf("run = %v, want a complaint about memory under the second load", err)
	}
	if printed := out.String(); strings.Count(printed, "MB at most") != 2 || !strings.Contains(printed, "500 users more") {
		t.Errorf("printed %q", printed)
	}
}
