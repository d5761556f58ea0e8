package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"example.org/avatard/internal/config"
)

// shown ends the parsing of a command line in which a flag asks for help or the version: that was written, or err tells why not.
type shown struct{ err error }

func (s *shown) Error() string { return fmt.Sprintf("printed in place of a command: %v", s.err) }

// helpFlag is --help, which may stand anywhere.
type helpFlag bool

// BeforeReset is called by the parser when the flag is given.
func (helpFlag) BeforeReset(p *Program, ctx *kong.Context) error {
	_, err := io.WriteString(p.Stdout, helpOf(selected(ctx)))
	return &shown{err}
}

// helpCommand is "help".
type helpCommand struct {
	Command []string `arg:"" optional:"" name:"COMMAND" help:"command to tell of"`
}

// Run prints the list of commands or the help of one.
func (c *helpCommand) Run(p *Program, ctx *kong.Context) error {
	node := ctx.Model.Node
	for i, word := range c.Command {
		next := childOf(node, word)
		switch {
		case next == nil && node.Leaf():
			return &usageError{fmt.Sprintf("help takes the name of one command, not %q", strings.Join(c.Command, " ")), hintOf(ctx.Selected())}
		case next == nil:
			return &usageError{fmt.Sprintf("unknown command %q", strings.Join(c.Command[:i+1], " ")), hintOf(node)}
		}
		node = next
	}
	_, err := io.WriteString(p.Stdout, helpOf(node))
	return err
}

func childOf(node *kong.Node, name string) *kong.Node {
	for _, c := range node.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// helpOf says what a command takes, or lists the commands of a group.
func helpOf(n *kong.Node) string {
	var b strings.Builder
	if !n.Leaf() {
		fmt.Fprintf(&b, "usage: %s COMMAND ...\n\n", n.FullPath())
		for _, leaf := range n.Leaves(true) {
			fmt.Fprintf(&b, "  %-15s %s\n", leaf.Path(), leaf.Help)
		}
		if n.Parent == nil {
			b.WriteString("\nExit codes:\n")
			for _, e := range exitCodes {
				fmt.Fprintf(&b, "  %d %s\n", e.code, e.meaning)
			}
		} else {
			fmt.Fprintf(&b, "\nTry \"avatard help %s COMMAND\".\n", n.Path())
		}
		return b.String()
	}
	fmt.Fprintf(&b, "usage: %s\n\n%s: %s.\n", usageOf(n), n.FullPath(), n.Help)
	if len(n.Flags) > 0 {
		b.WriteString("\n")
	}
	for _, f := range n.Flags {
		if takesAllSettings(n) && isSetting(f) {
			continue
		}
		fmt.Fprintf(&b, "  %s\n        %s", formOf(f), f.Help)
		if f.HasDefault && f.Default != "" {
			fmt.Fprintf(&b, " (default %s)", f.Default)
		}
		b.WriteString("\n")
	}
	if takesAllSettings(n) {
		config.PrintHelp(&b)
	}
	return b.String()
}

// hintOf is what follows the complaint about a command line: the usage of the command that was meant, or the commands that may be.
func hintOf(n *kong.Node) string {
	if !n.Leaf() {
		return helpOf(n)
	}
	return fmt.Sprintf("usage: %s\nTry \"avatard help %s\".\n", usageOf(n), n.Path())
}

// usageOf is a command's line.
func usageOf(n *kong.Node) string {
	words := []string{n.FullPath()}
	for _, arg := range n.Positional {
		switch {
		case arg.Required:
			words = append(words, arg.Name)
		default:
			words = append(words, "["+arg.Name+"]")
		}
	}
	for _, f := range n.Flags {
		switch {
		case takesAllSettings(n) && isSetting(f), isOfCluster(f):
			continue
		case f.Required:
			words = append(words, formOf(f))
		case f.IsSlice():
			words = append(words, "["+formOf(f)+"]...")
		default:
			words = append(words, "["+formOf(f)+"]")
		}
	}
	if takesAllSettings(n) {
		words = append(words, "[--config FILE] [--SETTING VALUE ...]")
	}
	return strings.Join(words, " ")
}

func takesAllSettings(n *kong.Node) bool { return n.Tag.Get("settings") == "*" }

// isSetting reports whether a flag is one that addSettings added.
func isSetting(f *kong.Flag) bool {
	_, ok := f.Mapper.(settingMapper)
	return ok || f.Name == "config"
}

// isOfCluster reports whether a flag is a setting of a cluster. A usage line leaves those out: they are many, and mostly in a file.
func isOfCluster(f *kong.Flag) bool {
	m, ok := f.Mapper.(settingMapper)
	return ok && m.setting.OfStore && m.setting.Key != "data"
}

// formOf is a flag with the form of its value.
func formOf(f *kong.Flag) string {
	switch {
	case f.IsBool():
		return "--" + f.Name
	case f.PlaceHolder == "":
		return "--" + f.Name + " VALUE"
	}
	return "--" + f.Name + " " + f.PlaceHolder
}
