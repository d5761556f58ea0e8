//go:build unix

package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// get --force replaces files, and neither pipes and devices nor links to them.
func TestGetReplacesFilesAlone(t *testing.T) {
	dir := t.TempDir()
	file, pipe, link := filepath.Join(dir, "file"), filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), syscall.Mkfifo(pipe, 0o600), os.Symlink("/dev/null", link)); err != nil {
		t.Fatal(err)
	}
	for name, replaced := range map[string]bool{file: true, pipe: false, link: false, "/dev/null": false, dir: false} {
		flags := getCommand{callFlags: callFlags{Org: "acme"}, Force: true, User: "ann", File: name}
		if err := flags.check(&Program{}); replaced != (err == nil) || err != nil && !strings.Contains(err.Error(), "no file of bytes") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
