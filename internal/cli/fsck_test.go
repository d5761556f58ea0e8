package cli

import (
	"strings"
	"testing"

	"example.org/avatard/storage"
)

// One of a kind is not called several.
func TestFsckCountsInEnglish(t *testing.T) {
	var out strings.Builder
	o := &fsckOutput{stdout: &out}
	if err := o.summary(storage.CheckSummary{Slots: 4, Pictures: 1, Users: 1, Receipts: 0}); err != nil {
		t.Fatal(err)
	}
	if want := "4 slots, 1 picture, 1 user and 0 receipts checked: clean\n"; out.String() != want {
		t.Errorf("the summary is %q, want %q", out.String(), want)
	}
}
