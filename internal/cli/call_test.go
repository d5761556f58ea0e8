package cli

import (
	"strings"
	"testing"

	"example.org/avatard/internal/client"
	"example.org/avatard/test/docpage"
)

// A person reads a sentence with facts below it, a script lines of a name and a value. What is not known is left out.
func TestResultsOfCalls(t *testing.T) {
	facts := []fact{{"user", "a b"}, {"receipt", ""}, {"sequence", "3"}}
	for forPeople, want := range map[bool]string{
		true:  "It is gone.\n  user          a b\n  sequence      3\n",
		false: "user: a b\nsequence: 3\n",
	} {
		var out strings.Builder
		if err := writeFacts(&out, forPeople, "It is gone.", facts); err != nil || out.String() != want {
			t.Errorf("for people %v: %q, %v, want %q", forPeople, &out, err, want)
		}
	}
	if mine, other := pictureOf(client.Me), pictureOf("a"); mine != "Your picture" || other != "The picture of a" {
		t.Errorf("pictures are called %q and %q", mine, other)
	}
}

// docs/commands.md has the table of exit codes.
func TestExitCodesOnThePage(t *testing.T) {
	docpage.Check(t, "../../docs/commands.md", map[string]string{"exit codes": exitCodesPage()})
}

func exitCodesPage() string {
	var b strings.Builder
	b.WriteString("\n| code | |\n|---|---|\n")
	for _, e := range exitCodes {
		b.WriteString("| " + string(rune('0'+e.code)) + " | " + e.meaning + " |\n")
	}
	return b.String() + "\n"
}
