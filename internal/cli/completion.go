package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completionScripts ask the program itself how a word can go on, so that they need not be written anew when commands change.
var completionScripts = map[string]string{
	"bash": `_avatard() {
  local IFS=$'\n'
  COMPREPLY=($(avatard complete-words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _avatard avatard
`,
	"zsh": `autoload -U +X bashcompinit && bashcompinit
_avatard() {
  local IFS=$'\n'
  COMPREPLY=($(avatard complete-words -- "${COMP_WORDS[@]:1:$COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _avatard avatard
`,
	"fish": `complete -c avatard -a '(avatard complete-words -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
}

// completionCommand is "completion".
type completionCommand struct {
	Shell string `arg:"" name:"SHELL" enum:"bash,zsh,fish" help:"bash, zsh or fish"`
}

// Run prints a script: source <(avatard completion bash).
func (c *completionCommand) Run(p *Program) error {
	_, err := fmt.Fprint(p.Stdout, completionScripts[c.Shell])
	return err
}

// completeCommand is what those scripts call.
type completeCommand struct {
	Words []string `arg:"" optional:"" passthrough:"" name:"WORDS" help:"the command line up to the word that is to go on"`
}

// Run prints a line for each way in which the last word can go on. Where that is a file or an id it prints nothing.
func (c *completeCommand) Run(p *Program, ctx *kong.Context) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if len(words) == 0 {
		return nil
	}
	begun, last := words[:len(words)-1], words[len(words)-1]
	node := ctx.Model.Node
	if len(begun) > 0 && begun[0] == "help" {
		begun = begun[1:]
	}
	for _, word := range begun {
		if next := childOf(node, word); next != nil {
			node = next
		}
	}
	for _, candidate := range candidatesOf(node) {
		if strings.HasPrefix(candidate, last) && (last != "" || !strings.HasPrefix(candidate, "-")) {
			if _, err := fmt.Fprintln(p.Stdout, candidate); err != nil {
				return err
			}
		}
	}
	return nil
}

// candidatesOf returns the commands of a group and the flags of a command.
func candidatesOf(node *kong.Node) (words []string) {
	for _, c := range node.Children {
		if !c.Hidden {
			words = append(words, c.Name)
		}
	}
	for _, flags := range node.AllFlags(true) {
		for _, f := range flags {
			words = append(words, "--"+f.Name)
		}
	}
	slices.Sort(words)
	return words
}
