package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"example.org/avatard/internal/config"
)

func TestExitCodes(t *testing.T) {
	tests := []struct {
		name   string
		args   string
		code   int
		stderr string // contained in what the user sees
	}{
		{"no command shows the list", "", ExitUsage, "usage: avatard COMMAND"},
		{"an unknown command is named, with the list", "serrve", ExitUsage, "unknown command serrve, did you mean \"serve\"?\nusage: avatard COMMAND"},
		{"half a command is none", "org", ExitUsage, "usage: avatard org COMMAND"},
		{"an unknown flag shows the usage of its command", "dev --prot 1", ExitUsage, "usage: avatard dev"},
		{"a word too many", "dev now", ExitUsage, "usage: avatard dev"},
		{"a word too many", "version 1", ExitUsage, "usage: avatard version"},
		{"a flag without its value", "serve --listen", ExitUsage, "usage: avatard serve"},
		{"an organisation is missing", "org add", ExitUsage, "usage: avatard org add"},
		{"an id that is none", "org add a\x01b", ExitUsage, "no organisation id"},
		{"a user without an organisation", "user add alice", ExitUsage, "--org"},
		{"a configuration with faults", "serve", ExitUsage, "data: is not set"},
		{"dev is for this machine", "dev --listen 0.0.0.0:0", ExitUsage, "this machine alone"},
		{"help for what is not there", "help srve", ExitUsage, "unknown command"},
		{"an environment file in a directory that is not there", "dev --listen 127.0.0.1:0 --env-file /dev/null/x", ExitFailed, "environment file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stderr bytes.Buffer
			code := Report(&stderr, run(t.Context(), strings.Fields(tt.args), nil, io.Discard, io.Discard))
			if code != tt.code || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("avatard %s: exit code %d, stderr:\n%s\nwant %d and %q", tt.args, code, &stderr, tt.code, tt.stderr)
			}
		})
	}
}

// Help and version that cannot be printed are a failure, but not one of the command line, whether a flag or a command asks for them.
func TestHelpThatCannotBePrinted(t *testing.T) {
	full, w := io.Pipe()
	if err := full.CloseWithError(errors.New("no space left")); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"--version", "version", "--help", "help", "fsck -h", "help fsck"} {
		var stderr bytes.Buffer
		code := Report(&stderr, run(t.Context(), strings.Fields(args), nil, w, io.Discard))
		if code != ExitFailed || strings.Contains(stderr.String(), "usage:") || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%s: exit code %d, %q, want %d and why", args, code, &stderr, ExitFailed)
		}
	}
}

// A flag with an empty text is refused: a guard such as --org of user remove must not fall away with a variable that is not set.
func TestEmptyFlags(t *testing.T) {
	for _, c := range model(t).Leaves(true) {
		var words []string
		for _, arg := range c.Positional {
			word := "1"
			if arg.Enum != "" {
				word = arg.EnumSlice()[0]
			}
			words = append(words, word)
		}
		for _, f := range c.Flags {
			if isSetting(f) && f.Name != "config" {
				continue // package config refuses it
			}
			args := slices.Concat(strings.Fields(c.Path()), []string{"--" + f.Name + "="}, words)
			if f.Name != "org" && slices.ContainsFunc(c.Flags, func(f *kong.Flag) bool { return f.Required }) {
				args = append(args, "--org=acme")
			}
			_, err := new(Program).parse(args)
			if takesNone := f.Name == "env-file"; (err == nil) != takesNone {
				t.Errorf("%q: %v", args, err)
			}
		}
	}
	for _, flags := range []string{"--org=", "--issuer="} {
		if _, stderr, code := runAll(t, "user", "remove", "alice", flags, "--data", t.TempDir()); code != ExitUsage || !strings.Contains(stderr, "is empty; expected a value") {
			t.Errorf("user remove %s: exit code %d, %s", flags, code, stderr)
		}
	}
}

// A value may begin with a hyphen, also that of a flag which may be given several times.
func TestValuesWithAHyphen(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, args := range [][]string{
		{"org", "add", "acme", "--data", "-d"},
		{"backup", "--data", "-d", "--", "-b"},
		{"backup", "--receipts-only", "--since", "-b", "--data", "-d", "--", "-r"},
		{"backup", "--receipts-only", "--since=-r", "--data", "-d", "--", "-s"},
		{"restore", "--receipts", "-r", "--receipts=-s", "--data", "-e", "--", "-b"},
		{"restore", "-check", "-receipts", "-r", "-receipts", "-s", "--", "-b"},
	} {
		if _, stderr, code := runAll(t, args...); code != ExitOK {
			t.Errorf("%q: exit code %d, %s", args, code, stderr)
		}
	}
}

func TestReport(t *testing.T) {
	var stderr bytes.Buffer
	if code := Report(&stderr, nil); code != ExitOK || stderr.Len() > 0 {
		t.Errorf("report(nil) = %d, %q, want silence", code, &stderr)
	}
	if code := Report(&stderr, errors.New("disk full")); code != ExitFailed || stderr.String() != "avatard: disk full\n" {
		t.Errorf("report = %d, %q, want %d and one line", code, &stderr, ExitFailed)
	}
}

// model returns all commands as they are parsed.
func model(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := new(Program).newParser()
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model
}

func TestHelp(t *testing.T) {
	for _, c := range model(t).Leaves(true) {
		want := []string{"usage: avatard " + c.Path(), c.Help}
		if c.Name == "serve" {
			for _, s := range config.Settings() {
				want = append(want, s.Key+" ", "--"+s.FlagName()+" ", s.Variable()+"\n", s.About)
			}
		}
		if c.Name == "dev" {
			want = append(want, "--seed-users N", "--env-file FILE")
		}
		got, err := runCommand(t, append([]string{"help"}, strings.Fields(c.Path())...)...)
		if err != nil {
			t.Errorf("help %s: %v", c.Path(), err)
		}
		for _, text := range want {
			if !strings.Contains(got, text) {
				t.Errorf("help %s does not say %q:\n%s", c.Path(), text, got)
			}
		}
		flag, err := runCommand(t, append(strings.Fields(c.Path()), "--help")...)
		if err != nil || flag != got {
			t.Errorf("%s --help printed %q, %v, want the same as help", c.Path(), flag, err)
		}
	}
	list, err := runCommand(t, "--help")
	if err != nil || !strings.HasPrefix(list, "usage: avatard COMMAND") || !strings.Contains(list, "user remove") || strings.Contains(list, "complete-words") {
		t.Errorf("--help printed %q, %v, want the list", list, err)
	}
}

// What the help of a command offers the command takes, before and after its words and with one hyphen or two; a flag that it does
// not offer is refused.
func TestHelpOffersWhatIsTaken(t *testing.T) {
	offered := regexp.MustCompile(`(?m)^  (?:.*   )?--([a-z-]+)`)
	takesValue := map[string]bool{}
	for _, c := range model(t).Leaves(true) {
		for _, f := range c.Flags {
			if takes, known := takesValue[f.Name]; known && takes == f.IsBool() {
				t.Errorf("--%s takes a value with one command and none with another", f.Name)
			}
			takesValue[f.Name] = !f.IsBool()
		}
		path := strings.Fields(c.Path())
		var words []string
		for _, arg := range c.Positional {
			word := "1"
			if arg.Enum != "" {
				word = arg.EnumSlice()[0]
			}
			words = append(words, word)
		}
		help, err := runCommand(t, append([]string{"help"}, path...)...)
		if err != nil {
			t.Fatal(err)
		}
		names := offered.FindAllStringSubmatch(help, -1)
		if len(names) != len(c.Flags) {
			t.Errorf("help %s offers %d flags of %d:\n%s", c.Path(), len(names), len(c.Flags), help)
		}
		var two, one []string // all at once: each parse makes the whole grammar anew
		for _, name := range names {
			two, one = append(two, "--"+name[1]+"=1"), append(one, "-"+name[1]+"=1")
		}
		for _, args := range [][]string{slices.Concat(path, two, words), slices.Concat(path, words, one), slices.Concat(path, two, []string{"--"}, words)} {
			if _, err := new(Program).parse(args); err != nil {
				t.Errorf("%q: %v", args, err)
			}
		}
		if _, err := new(Program).parse(slices.Concat(path, words, []string{"--seed-byte", "1"})); err == nil {
			t.Errorf("%s takes a flag that nobody has", c.Path())
		}
	}
	if _, stderr, code := runAll(t, "org", "add", "acme", "--org", "x"); code != ExitUsage || !strings.Contains(stderr, "unknown flag --org") {
		t.Errorf("org add with --org: exit code %d, %s", code, stderr)
	}
}

// A typing mistake is answered with what may have been meant.
func TestSuggestions(t *testing.T) {
	for args, want := range map[string]string{
		"serrve":                   `did you mean "serve"`,
		"user ad alice":            `did you mean "add"`,
		"serve --lisen 127.0.0.1:": `did you mean "--listen"`,
		"user add alice --ogr acm": `did you mean "--org"`,
	} {
		if _, stderr, code := runAll(t, strings.Fields(args)...); code != ExitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %s, want %s", args, code, stderr, want)
		}
	}
}

// The flags of long ago, with one hyphen, go on; a value that looks like a flag is a value, and so is everything behind "--".
func TestOneHyphen(t *testing.T) {
	for args, want := range map[string][]string{
		"user add -org acme -new-org bob": {"user", "add", "--org", "acme", "--new-org", "bob"},
		"user add -org -data -data=d bob": {"user", "add", "--org", "-data", "--data=d", "bob"},
		"user show -json -- -data":        {"user", "show", "--json", "--", "-data"},
		"-version":                        {"--version"},
		"backup - -force":                 {"backup", "-", "--force"},
	} {
		if got, err := twoHyphens(model(t), strings.Fields(args)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s is read as %q, %v, want %q", args, got, err, want)
		}
	}
	if _, stderr, code := runAll(t, "user", "add", "bob", "--data", "d", "-org"); code != ExitUsage || !strings.Contains(stderr, "--org needs a value\nusage: avatard user add") {
		t.Errorf("-org without its value: exit code %d, %s", code, stderr)
	}
}

// Arguments are taken as they are: names of files may be no UTF-8, and ids that are none are refused.
func TestArgumentsAreBytes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "b\xe9")
	if _, stderr, code := runAll(t, "org", "add", "acme", "--data", dir); code != ExitOK {
		t.Fatalf("org add: exit code %d, %s", code, stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "avatard.db")); err != nil {
		t.Error(err)
	}
	if _, stderr, code := runAll(t, "user", "add", "\xff", "--org", "acme", "--issuer", "https://id.example", "--data", dir); code != ExitUsage {
		t.Errorf("a user id that is no UTF-8: exit code %d, %s", code, stderr)
	}
	file := filepath.Join(t.TempDir(), "backup\xff")
	if _, stderr, code := runAll(t, "backup", file, "--data", dir); code != ExitOK {
		t.Errorf("backup: exit code %d, %s", code, stderr)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

// Shells complete commands and flags by asking the program; files they complete themselves.
func TestCompletion(t *testing.T) {
	for words, want := range map[string]string{
		"us":                       "user\n",
		"user m":                   "move\n",
		"user add --new":           "--new-issuer\n--new-org\n",
		"backup file --s":          "--since\n",
		"help or":                  "org\n",
		"receipts e":               "export\n",
		"erase org --d":            "--data\n--database\n--database-file\n--dry-run\n",
		"audit --fo":               "--follow\n--format\n",
		"serve --introspection-ca": "--introspection-cache-ttl\n",
		"restore fi":               "",
		"complete":                 "",
	} {
		if got, err := runCommand(t, append([]string{"complete-words", "--"}, strings.Fields(words)...)...); err != nil || got != want {
			t.Errorf("%q goes on with %q, %v, want %q", words, got, err, want)
		}
	}
	if got, err := runCommand(t, "complete-words", "--", "issuer", ""); err != nil || got != "move\n" {
		t.Errorf("after issuer comes %q, %v", got, err)
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if got, err := runCommand(t, "completion", shell); err != nil || !strings.Contains(got, "avatard complete-words -- ") {
			t.Errorf("completion %s printed %q, %v", shell, got, err)
		}
	}
}

func TestVersion(t *testing.T) {
	got, err := runCommand(t, "version")
	if err != nil || !strings.HasPrefix(got, "avatard "+version()) || !strings.Contains(got, ", go") || strings.Count(got, "\n") != 1 {
		t.Errorf("version printed %q, %v, want one line with version and Go release", got, err)
	}
}

// Help and version go to standard output, with exit code 0. A command line that is wrong is refused with the commands that might be
// meant.
func TestHelpEverywhere(t *testing.T) {
	for _, tt := range []struct {
		args string
		code int
		text string // on standard output, with another code on standard error
	}{
		{"--version", ExitOK, "avatard " + version()},
		{"-h", ExitOK, "usage: avatard COMMAND"},
		{"--help user add", ExitOK, "usage: avatard user add USER"},
		{"help user add", ExitOK, "usage: avatard user add USER"},
		{"user add -h", ExitOK, "usage: avatard user add USER"},
		{"user add alice --help", ExitOK, "usage: avatard user add USER"},
		{"user --help", ExitOK, "usage: avatard user COMMAND"},
		{"org -h", ExitOK, "usage: avatard org COMMAND"},
		{"help org", ExitOK, "usage: avatard org COMMAND"},
		{"version --help", ExitOK, "usage: avatard version"},
		{"help --help", ExitOK, "usage: avatard help"},
		{"user", ExitUsage, "usage: avatard user COMMAND"},
		{"user ad", ExitUsage, "unknown command ad, did you mean \"add\"?\nusage: avatard user COMMAND"},
		{"help user add alice", ExitUsage, "the name of one command"},
		{"--version now", ExitUsage, "unknown command now"},
		{"migrate now --data d", ExitUsage, "usage: avatard migrate"},
		{"fsck now --data d", ExitUsage, "usage: avatard fsck"},
		{"org list now --data d", ExitUsage, "usage: avatard org list"},
		{"user list now --data d", ExitUsage, "usage: avatard user list"},
		{"user remove --data d", ExitUsage, "usage: avatard user remove USER"},
		{"org remove a b --data d", ExitUsage, "usage: avatard org remove ORG"},
		{"serve now", ExitUsage, "usage: avatard serve"},
	} {
		stdout, stderr, code := runAll(t, strings.Fields(tt.args)...)
		said, silent := stdout, strings.TrimPrefix(stderr, stdout) // runAll has the output of both in one
		if code != ExitOK {
			said, silent = stderr, stdout
		}
		if code != tt.code || !strings.Contains(said, tt.text) || silent != "" {
			t.Errorf("avatard %s: exit code %d, %q, and %q; want %d, %q, and nothing", tt.args, code, said, silent, tt.code, tt.text)
		}
	}
}

// A file of which nothing can be read is one fault: what stands in it is not missing.
func TestUnreadableConfigurationIsOneFault(t *testing.T) {
	for title, file := range map[string]string{
		"not there":   filepath.Join(t.TempDir(), "no.yaml"),
		"a directory": t.TempDir(),
		"no YAML":     writeFile(t, "c.yaml", "data: [\n"),
		"no settings": writeFile(t, "c.yaml", "data"),
	} {
		_, stderr, code := runAll(t, "serve", "--config", file)
		if code != ExitUsage || !strings.Contains(stderr, "the configuration has a fault:") || strings.Count(stderr, "\n  ") != 1 {
			t.Errorf("%s: exit code %d, %s, want one fault", title, code, stderr)
		}
	}
}

// Without a server a user is moved only of an issuer that somebody on record has.
func TestUserMoveOfAnotherIssuer(t *testing.T) {
	dir := t.TempDir()
	store := openStore(t, dir)
	putFor(t, store, "ann", 10)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := runCommand(t, "user", "move", "ann", "--org", "acme", "--data", dir, "--issuer", "https://other.example")
	if err == nil || !strings.Contains(err.Error(), "nobody on record has the issuer") {
		t.Errorf("user move = %v, want that the issuer is unknown", err)
	}
}
