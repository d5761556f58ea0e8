package main

import (
	"strings"
	"testing"
	"time"
)

// The program runs; a millisecond says nothing about times.
func TestRuns(t *testing.T) {
	var out strings.Builder
	args := []string{"-users", "50", "-sync", "0s", "-slice", time.Millisecond.String(), "-limit", "0", "-dir", t.TempDir()}
	if err := run(t.Context(), args, &out, &out); err != nil {
		t.Fatal(err, out.String())
	}
	if !strings.Contains(out.String(), "the slowest tenth takes") {
		t.Error(out.String())
	}
}
