//go:build unix

package cli

import (
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
)

// A sweep removes what killed processes have left, and nothing that somebody uses, keeps or has made otherwise.
func TestSweepTempDirs(t *testing.T) {
	parent := t.TempDir()
	made := func(prefix string, then func(*tempDir) error) string {
		t.Helper()
		temp, err := newTempDir(parent, prefix)
		if err == nil && then != nil {
			err = then(temp)
		}
		if err != nil {
			t.Fatal(err)
		}
		if then == nil {
			t.Cleanup(func() { _ = temp.remove() })
		}
		return temp.dir
	}
	killed := func(t *tempDir) error { return t.lock.Close() } // as the end of its process does
	made(proveTempPrefix, (*tempDir).remove)
	made(proveTempPrefix, killed)
	want := []string{made(proveTempPrefix, nil), made(proveTempPrefix, (*tempDir).keep), made(devTempPrefix, killed)}
	sweepTempDirs(parent, proveTempPrefix, slog.New(slog.DiscardHandler))
	left, err := filepath.Glob(filepath.Join(parent, "*"))
	slices.Sort(want)
	if err != nil || !slices.Equal(left, want) {
		t.Errorf("left are %v, %v, want %v", left, err, want)
	}
}
