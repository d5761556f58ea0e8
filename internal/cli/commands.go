package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"avatard/internal/config"
)

// command is one thing that avatard does.
type command struct {
	name  string // one or two words
	args  string // what follows the name, for the usage line
	about string // one line
	// help writes what the flags mean, nil when there are none.
	help func(w io.Writer)
	run  func(ctx context.Context, inv *Program, args []string) error
}

// commands lists all of them in the order in which a newcomer meets them.
func commands() []command {
	return []command{
		{"dev", "[--listen ADDR] [--data DIR] [--env-file FILE] [--seed-users N] [--seed-bytes N]",
			"try it out: server, identity provider and people, all on loopback", helpOf(newDevFlags), runDev},
		{"serve", "[--config FILE] [--SETTING VALUE ...]", "run the server", config.PrintHelp, runServe},
		{"config", "[--check] [--config FILE] [--SETTING VALUE ...]", "print what serve would go by and where each value stands, without secrets; --check tries the provider", printConfigHelp, runConfig},
		{"org add", "ORG [--data DIR] [--config FILE]", "register an organisation", helpOf(newRegisterFlags), runOrgAdd},
		{"org list", "[--json] [--data DIR] [--config FILE]", "list the organisations", helpOf(newListFlags), runOrgList},
		{"org remove", "ORG [--json] [--data DIR] [--config FILE]", "remove an organisation and its users, whose pictures are erased; its people's next uploads register it again",
			helpOf(newOrgRemoveFlags), runOrgRemove},
		{"user add", "USER --org ORG [--new-org] [--new-issuer] [--data DIR] [--issuer URL] [--config FILE]", "register a user in an organisation",
			helpOf(newUserAddFlags), runUserAdd},
		{"user move", "USER --org ORG [--data DIR] [--issuer URL] [--config FILE]", "put a user into another organisation, with picture and receipts",
			helpOf(newRegisterFlags), runUserMove},
		{"issuer move", "OLD NEW [--data DIR] [--config FILE]", "give the users of an issuer to another one, when its address has changed", helpOf(newIssuerMoveFlags), runIssuerMove},
		{"user list", "[--org ORG] [--json] [--data DIR] [--config FILE]", "list the users, and who has a picture", helpOf(newUserListFlags), runUserList},
		{"user show", "USER [--json] [--data DIR] [--config FILE]", "show the users of one id, each with the issuer", helpOf(newListFlags), runUserShow},
		{"user remove", "USER [--org ORG] [--issuer URL] [--json] [--data DIR] [--config FILE]", "erase a user's picture and take the user off the record, until their own next upload",
			helpOf(newUserRemoveFlags), runUserRemove},
		{"fsck", "[--repair] [--json] [--data DIR] [--config FILE]", "check that metadata and pictures agree, beside a running server or without one",
			helpOf(newFsckFlags), runFsck},
		{"backup", "FILE|- [--receipts-only [--since FILE]] [--force] [--data DIR] [--config FILE]", "write everything into a file, or with - to standard output, beside a running server or without one",
			helpOf(newBackupFlags), runBackup},
		{"restore", "FILE|- [--receipts FILE|-]... [--allow-gap] [--check] [--data DIR] [--config FILE]", "make data out of a backup, with - from standard input, without what was erased since",
			helpOf(newRestoreFlags), runRestore},
		{"migrate", "[--check] [--data DIR] [--config FILE]", "bring data of an older program forward, with no server running",
			helpOf(newMigrateFlags), runMigrate},
		{"version", "", "print version, commit and Go release", nil, runVersion},
		{"help", "[COMMAND]", "print this list, or what a command takes", nil, runHelp},
	}
}

// usageError is a command line that cannot be understood.
type usageError struct {
	command string // "" when it is not known which one was meant
	group   string // the first word of several that may have been meant, "" when not even that is known
	problem string
}

func (e *usageError) Error() string { return e.problem }

// hint tells how it would have been right.
func (e *usageError) hint() string {
	for _, c := range commands() {
		if c.name == e.command {
			return fmt.Sprintf("usage: %s\nTry \"avatard help %s\".\n", c.usage(), c.name)
		}
	}
	if e.group != "" {
		return groupHelp(e.group)
	}
	return commandList()
}

func usagef(format string, args ...any) error {
	return &usageError{problem: fmt.Sprintf(format, args...)}
}

func (c command) usage() string { return strings.TrimSpace("avatard " + c.name + " " + c.args) }

// findCommand tells which command args begin with and returns what is left for it.
func findCommand(args []string) (command, []string, error) {
	if len(args) == 0 {
		return command{}, nil, usagef("which command?")
	}
	switch {
	case isHelpFlag(args[0]):
		args = append([]string{"help"}, args[1:]...)
	case args[0] == "--version" || args[0] == "-version":
		args = append([]string{"version"}, args[1:]...)
	case len(args) > 1 && isHelpFlag(args[1]) && len(groupOf(args[0])) > 0: // "user --help"
		args = append([]string{"help", args[0]}, args[2:]...)
	}
	for _, c := range commands() {
		words := strings.Fields(c.name)
		if len(args) >= len(words) && slices.Equal(args[:len(words)], words) {
			return c, args[len(words):], nil
		}
	}
	if group := groupOf(args[0]); len(group) > 0 {
		return command{}, nil, &usageError{group: args[0], problem: fmt.Sprintf("unknown command %q", strings.Join(args[:min(len(args), 2)], " "))}
	}
	return command{}, nil, usagef("unknown command %q", args[0])
}

func isHelpFlag(arg string) bool { return arg == "-h" || arg == "-help" || arg == "--help" }

// groupOf returns the commands of two words that begin with one.
func groupOf(word string) (group []command) {
	for _, c := range commands() {
		if strings.HasPrefix(c.name, word+" ") {
			group = append(group, c)
		}
	}
	return group
}

func commandList() string {
	var b strings.Builder
	b.WriteString("usage: avatard COMMAND ...\n\n")
	listCommands(&b, commands())
	b.WriteString("\nExit codes: 0 done, 1 failed, 2 wrong command line or configuration, 3 data directory in use,\n" +
		"4 data damaged or not for this program.\n")
	return b.String()
}

func listCommands(w io.Writer, list []command) {
	for _, c := range list {
		fmt.Fprintf(w, "  %-11s %s\n", c.name, c.about)
	}
}

// groupHelp lists the commands that begin with one word.
func groupHelp(word string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "usage: avatard %s COMMAND ...\n\n", word)
	listCommands(&b, groupOf(word))
	fmt.Fprintf(&b, "\nTry \"avatard help %s COMMAND\".\n", word)
	return b.String()
}

func printCommandHelp(w io.Writer, c command) error {
	fmt.Fprintf(w, "usage: %s\n\navatard %s: %s.\n", c.usage(), c.name, c.about)
	if c.help != nil {
		fmt.Fprintln(w)
		c.help(w)
	}
	return nil
}

func runHelp(_ context.Context, inv *Program, args []string) error {
	if len(args) == 0 {
		_, err := io.WriteString(inv.Stdout, commandList())
		return err
	}
	if len(args) == 1 && len(groupOf(args[0])) > 0 {
		_, err := io.WriteString(inv.Stdout, groupHelp(args[0]))
		return err
	}
	c, rest, err := findCommand(args)
	if err != nil {
		return err
	}
	if len(rest) > 0 && !isHelpFlag(rest[0]) || len(rest) > 1 {
		return usagef("help takes the name of one command, not %q", strings.Join(args, " "))
	}
	return printCommandHelp(inv.Stdout, c)
}
