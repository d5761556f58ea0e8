package bulkimport

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func unlocked(*os.File) error { return nil }

// What the journal holds survives a kill in the middle of a line, and counts for one import alone.
func TestJournal(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal")
	subject := Subject{"http://127.0.0.1", "acme", "/pictures"}
	first, second := sha256.Sum256([]byte("1")), sha256.Sum256([]byte("2"))
	open := func() *Journal {
		t.Helper()
		j, err := OpenJournal(name, subject, unlocked)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { j.Close() })
		return j
	}
	j := open()
	for user, sum := range map[string][sha256.Size]byte{"ann": first, "a \"b\"\n": second} {
		if err := j.add(user, sum); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, torn := range []string{"", `{"user":"bob","sha`} {
		if err := os.WriteFile(name, append(text, torn...), 0o600); err != nil {
			t.Fatal(err)
		}
		j := open()
		for user, want := range map[string][2]bool{"ann": {true, true}, "a \"b\"\n": {true, false}, "bob": {false, false}} {
			if some, this := j.has(user, first); [2]bool{some, this} != want {
				t.Errorf("after %q the journal holds %v", torn, j.done)
			}
		}
		if err := j.add("eve", first); err != nil {
			t.Fatal(err)
		}
		if _, this := open().has("eve", first); !this {
			t.Errorf("after %q a line that follows is lost", torn)
		}
	}
	// A first line that was not written whole is completed.
	if err := os.WriteFile(name, text[:5], 0o600); err != nil {
		t.Fatal(err)
	}
	open()
	if text, err := os.ReadFile(name); err != nil || string(text) != `{"server":"http://127.0.0.1","organisation":"acme","from":"/pictures"}`+"\n" {
		t.Errorf("the journal is %q, %v", text, err)
	}
	if _, err := OpenJournal(name, Subject{"http://127.0.0.1", "globex", "/pictures"}, unlocked); !errors.Is(err, ErrNotTheJournal) {
		t.Errorf("another organisation: %v", err)
	}
	if _, err := OpenJournal(name, subject, func(*os.File) error { return errors.New("taken") }); err == nil || !strings.Contains(err.Error(), "another import") {
		t.Errorf("a journal that is in use: %v", err)
	}
	if err := os.WriteFile(name, append(text, "damaged\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(name, subject, unlocked); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged line: %v", err)
	}
}

// Behind a line that was not written whole nothing is written.
func TestJournalThatBreaks(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal")
	j, err := OpenJournal(name, Subject{}, unlocked)
	if err != nil {
		t.Fatal(err)
	}
	whole := j.file
	if j.file, err = os.Open(name); err != nil { // not for writing
		t.Fatal(err)
	}
	if err := j.add("ann", [32]byte{}); err == nil {
		t.Fatal("a line that could not be written is no error")
	}
	j.file = whole
	if err := j.add("bob", [32]byte{}); err == nil {
		t.Error("a line follows one that may be torn")
	}
}
