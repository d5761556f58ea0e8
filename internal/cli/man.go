package cli

import (
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"

	"example.org/avatard/internal/config"
)

// manCommand is "man".
type manCommand struct{}

// Run prints the page that `man avatard` shows once it is in place, in the language of man(7).
func (*manCommand) Run(p *Program, ctx *kong.Context) error {
	_, err := io.WriteString(p.Stdout, manPage(ctx.Model.Node))
	return err
}

// manPage is made from the same model as the help.
func manPage(root *kong.Node) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH AVATARD 1 %q %q\n", commitDate(), "avatard "+version())
	b.WriteString(".SH NAME\navatard \\- users' avatars, deleted for real\n.SH SYNOPSIS\n.B avatard\n.I COMMAND\n\\&...\n.SH COMMANDS\n")
	for _, leaf := range root.Leaves(true) {
		manCommandSection(&b, leaf)
	}
	b.WriteString(".SH SETTINGS\nCommands that take settings have them as flags; a flag wins over a variable, a variable over the file of\n.BR \\-\\-config .\n")
	for _, s := range config.Settings() {
		text := s.About
		if s.Fallback != "" {
			text += " (default: " + s.Fallback + ")"
		}
		manItem(&b, s.Key+"   --"+s.FlagName()+"   "+s.Variable(), text)
	}
	b.WriteString(".SH EXIT STATUS\n")
	for _, e := range exitCodes {
		manItem(&b, fmt.Sprint(e.code), e.meaning)
	}
	return b.String()
}

// manCommandSection tells of one command: its line, what it does, and its flags but for those that are settings.
func manCommandSection(b *strings.Builder, n *kong.Node) {
	fmt.Fprintf(b, ".SS %s\n%s\n", roff(n.Path()), roffLine(n.Help+"."))
	fmt.Fprintf(b, ".PP\n.B %s\n", roff(usageOf(n)))
	for _, arg := range n.Positional {
		manItem(b, arg.Name, arg.Help)
	}
	for _, f := range n.Flags {
		if isSetting(f) {
			continue
		}
		text := f.Help
		if f.HasDefault && f.Default != "" {
			text += " (default " + f.Default + ")"
		}
		manItem(b, formOf(f), text)
	}
}

func manItem(b *strings.Builder, name, text string) {
	fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(name), roffLine(text))
}

// roff writes a text so that none of it is taken for an instruction: a backslash begins one, and a hyphen may become a dash.
var roff = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n", " ").Replace

// roffLine does the same for a line of its own, on which a dot or an apostrophe in the first place is an instruction.
func roffLine(text string) string { return `\&` + roff(text) }

// commitDate is the day of the commit that the program was built from, or "undated".
func commitDate() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.time" {
				day, _, _ := strings.Cut(s.Value, "T")
				return day
			}
		}
	}
	return "undated"
}
