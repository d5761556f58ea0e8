//go:build unix

package bulkimport

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A file that is no journal of this import is refused and left as it is, and no text of it is repeated: it may hold a secret.
func TestFilesThatAreNoJournal(t *testing.T) {
	subject := Subject{"http://127.0.0.1", "acme", "/pictures"}
	header := `{"server":"http://127.0.0.1","organisation":"acme","from":"/pictures"}` + "\n"
	line := `{"user":"ann","sha256":"` + strings.Repeat("00", 32) + `"}` + "\n"
	for title, text := range map[string]string{
		"a token":                      "secret",
		"a token in a line":            "secret\n",
		"notes with an open last line": "# Notes\n\nsecret",
		"a picture":                    "\x89PNG\r\n\x1a\n" + strings.Repeat("\x00", 2000),
		"another import's journal":     strings.Replace(header, "acme", "globex", 1) + line + `{"user":"b`,
		"a header with more behind it": strings.TrimSpace(header) + "secret\n" + line,
		"a damaged line":               header + "secret\n" + line + `{"user":"b`,
		"a line without an end":        header + strings.Repeat("x", 1<<20) + "\n",
	} {
		name := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := OpenJournal(name, subject, unlocked)
		if err == nil {
			t.Errorf("%s: it is taken as a journal: %v", title, j.Close())
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error repeats the file: %v", title, err)
		}
		if after, err := os.ReadFile(name); err != nil || string(after) != text {
			t.Errorf("%s: %d bytes are %d bytes now, %v", title, len(text), len(after), err)
		}
	}
}

// What is not a file of bytes is refused before it is read, because its end may never come.
func TestJournalThatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	link := filepath.Join(dir, "link")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Symlink(pipe, link)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{pipe, link, "/dev/null", dir} {
		locked := false
		_, err := OpenJournal(name, Subject{}, func(*os.File) error { locked = true; return errors.New("stop") })
		if err == nil || locked {
			t.Errorf("%s is opened: %v", name, err)
		}
	}
}
