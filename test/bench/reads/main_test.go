package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"example.org/avatard/test/program"
)

// TestMain lets the test serve as the processes that the program starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-serve" {
		os.Exit(program.Main("reads", run))
	}
	os.Exit(m.Run())
}

// Every way to read over HTTP is answered as it has to be; one round says nothing about rates.
func TestComparisonRuns(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"-http", "-rounds", "1", "-dir", t.TempDir()}, &out, &out); err != nil {
		t.Fatal(err, out.String())
	}
	if n := strings.Count(out.String(), "bare handler"); n != 4 {
		t.Errorf("%d comparisons, want 4:\n%s", n, out.String())
	}
}

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
