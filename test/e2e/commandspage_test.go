//go:build unix

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// The examples of the page about commands, one after the other, as somebody types them who has the program.
func TestExamplesOfTheCommands(t *testing.T) {
	becomeProgram()
	t.Parallel()
	term := devTerminal(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf(`#!/bin/sh
%s=$(printf '%%s\n' "$@") %s=1 %s=1 exec '%s' -test.run='^%s$'
`, programArgs, programInput, programEnviron, self, t.Name())
	programs := t.TempDir()
	if err := os.WriteFile(filepath.Join(programs, "avatard"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	term.environ = append(term.environ, "PATH="+programs+string(filepath.ListSeparator)+os.Getenv("PATH"), "HOME="+t.TempDir())
	page := examplesOf(t, "docs/commands.md")
	if len(page) < 3 {
		t.Fatalf("found %d examples, want 3 or more", len(page))
	}
	for _, e := range page {
		t.Run(fmt.Sprintf("line %d", e.line), func(t *testing.T) {
			e.check(t, term.run(t, e.script))
		})
	}
}
