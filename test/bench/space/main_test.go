package main

import (
	"os"
	"strings"
	"testing"
)

// A small run stays within its limits.
func TestRun(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"-users", "120", "-dir", t.TempDir()}, &out, os.Stderr); err != nil {
		t.Errorf("run = %v", err)
	}
	t.Log(out.String())
	if strings.Count(out.String(), "\n") != 12 {
		t.Errorf("printed %q", out.String())
	}
}
