package main

import (
	"context"
	"os"
	"runtime"
	"strings"
	"testing"
)

// TestMain makes the test's own program the process that opens the directory.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == openRole {
		if err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// A small run goes through everything, and one that may not take any memory fails.
func TestRun(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory is measured on Linux only")
	}
	var out strings.Builder
	if err := run(t.Context(), []string{"-users", "2000", "-dir", t.TempDir(), "-limit", "1m"}, &out, os.Stderr); err != nil {
		t.Errorf("run = %v", err)
	}
	t.Log(out.String())
	if !strings.Contains(out.String(), "again: opened in ") {
		t.Errorf("printed %q", out.String())
	}
	err := run(t.Context(), []string{"-users", "2000", "-dir", t.TempDir(), "-limit", "1m", "-memory", "1"}, &out, os.Stderr)
	if err == nil || !strings.Contains(err.Error(), "resident") {
		t.Errorf("run = %v, want a complaint about memory", err)
	}
}
