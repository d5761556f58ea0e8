package main

import (
	"context"
	"os"
	"runtime"
	"strings"
	"testing"
)

// TestMain makes the test's own program do the steps.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == stepRole {
		if err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// A small run goes through every step, and one that may not take any memory fails.
func TestRun(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory is measured on Linux only")
	}
	var out strings.Builder
	if err := run(t.Context(), []string{"-few", "50", "-users", "400", "-dir", t.TempDir(), "-growth", "64"}, &out, os.Stderr); err != nil {
		t.Errorf("run = %v", err)
	}
	t.Log(out.String())
	if !strings.Contains(out.String(), "400 users: filled in ") {
		t.Errorf("printed %q", out.String())
	}
	err := run(t.Context(), []string{"-few", "50", "-users", "400", "-dir", t.TempDir(), "-growth", "-1000"}, &out, os.Stderr)
	if err == nil || !strings.Contains(err.Error(), "grows") {
		t.Errorf("run = %v, want a complaint about memory", err)
	}
}
