package cli

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"example.org/avatard/internal/config"
)

// The manual page has each command with its flags, each setting and each exit code, and no instruction that comes from their texts.
func TestManualPage(t *testing.T) {
	page, err := runCommand(t, "man")
	if err != nil {
		t.Fatal(err)
	}
	want := func(text string) {
		t.Helper()
		if !strings.Contains(page, text) {
			t.Errorf("the page has no %q", text)
		}
	}
	parser, err := kong.New(new(grammar), kong.NoDefaultHelp())
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range parser.Model.Leaves(true) {
		want("\n.SS " + roff(leaf.Path()) + "\n")
		for _, f := range leaf.Flags {
			want("\n.B \\-\\-" + roff(f.Name))
		}
	}
	for _, s := range config.Settings() {
		want("\n.B " + roff(s.Key+"   --"+s.FlagName()+"   "+s.Variable()) + "\n")
	}
	for _, e := range exitCodes {
		want(roff(e.meaning))
	}
	if strings.Contains(page, "complete\\-words") {
		t.Error("the page has a hidden command")
	}
	if got, want := roffLine(`.SH a\b-c`), `\&.SH a\eb\-c`; got != want {
		t.Errorf("a text becomes %q, want %q", got, want)
	}
	for line := range strings.Lines(page) {
		macro, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if (line[0] == '.' || line[0] == '\'') && !strings.Contains(" .TH .SH .SS .PP .TP .B .BR .I ", " "+macro+" ") {
			t.Errorf("an instruction that is none of the page's: %q", line)
		}
	}
}
