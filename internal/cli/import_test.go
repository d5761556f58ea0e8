package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"example.org/avatard/internal/bulkimport"
)

// An import does not begin anew where somebody names the same server otherwise: that would bring back what users have deleted since.
func TestImportUnderAnotherAddress(t *testing.T) {
	inv := &Program{Environ: []string{"XDG_STATE_HOME=" + t.TempDir(), "HOME=" + t.TempDir()}}
	nothing := func(string) {}
	importOne := func(name string) {
		t.Helper()
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = fmt.Fprintf(f, `{"user":"ann","sha256":"%064d"}`+"\n", 1)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	open := func(flags importCommand, server, from string, then func(name string)) error {
		t.Helper()
		journal, err := flags.journal(inv, bulkimport.Subject{Server: server, Organization: "acme", From: from})
		if err != nil {
			return err
		}
		then(journal.Name())
		return journal.Close()
	}
	const first, second = "http://127.0.0.1:8080", "http://localhost:8080"
	for _, url := range []string{first + "0", first, first} { // at the first one nobody answers
		then := importOne
		if url != first {
			then = nothing
		}
		if err := open(importCommand{}, url, "/pictures", then); err != nil {
			t.Fatal(err)
		}
	}
	err := open(importCommand{}, second, "/pictures", nothing)
	if _, usage := errors.AsType[*usageError](err); !usage || !strings.Contains(err.Error(), "imported at "+first) {
		t.Errorf("another address = %v, want a refusal that names the first", err)
	}
	if err := open(importCommand{}, second, "/others", nothing); err != nil {
		t.Errorf("another directory: %v", err)
	}
	if err := open(importCommand{Journal: writeFile(t, "journal", "")}, second, "/pictures", nothing); err != nil {
		t.Errorf("a journal of its own: %v", err)
	}
}
