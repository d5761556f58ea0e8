package bulkimport

import (
	"encoding/json"
	"path/filepath"
	"testing"
)

// Names that are no UTF-8 can be told apart in JSON.
func TestNamesInJSON(t *testing.T) {
	for name, want := range map[string]string{
		"a.txt":     `{"file":"a.txt","reason":"name","text":"x"}`,
		"a\xff.txt": `{"file":"a\ufffd.txt","fileBytes":"Yf8udHh0","reason":"name","text":"x"}`,
		"a\xfe.txt": `{"file":"a\ufffd.txt","fileBytes":"Yf4udHh0","reason":"name","text":"x"}`,
	} {
		journal, err := OpenJournal(filepath.Join(t.TempDir(), "journal"), Subject{}, unlocked)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Run(t.Context(), []Item{{Name: name, Refused: &Refusal{Reason: BadName, Text: "x"}}}, Config{Journal: journal, Parallel: 1, Report: func(r Refusal) error {
			if got, err := json.Marshal(r); err != nil || string(got) != want {
				t.Errorf("%q is %s, %v, want %s", name, got, err, want)
			}
			return nil
		}})
		if err != nil {
			t.Error(err)
		}
		if err := journal.Close(); err != nil {
			t.Error(err)
		}
	}
}
