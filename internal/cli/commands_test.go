package cli

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"avatard/internal/config"
)

func TestExitCodes(t *testing.T) {
	tests := []struct {
		name   string
		args   string
		code   int
		stderr string // contained in what the user sees
	}{
		{"no command shows the list", "", ExitUsage, "usage: avatard COMMAND"},
		{"an unknown command is named, with the list", "srve", ExitUsage, "unknown command \"srve\"\nusage: avatard COMMAND"},
		{"half a command is none", "org", ExitUsage, "unknown command \"org\""},
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

func TestReport(t *testing.T) {
	var stderr bytes.Buffer
	if code := Report(&stderr, nil); code != ExitOK || stderr.Len() > 0 {
		t.Errorf("report(nil) = %d, %q, want silence", code, &stderr)
	}
	if code := Report(&stderr, errors.New("disk full")); code != ExitFailed || stderr.String() != "avatard: disk full\n" {
		t.Errorf("report = %d, %q, want %d and one line", code, &stderr, ExitFailed)
	}
}

func TestHelp(t *testing.T) {
	for _, c := range commands() {
		want := []string{"usage: avatard " + c.name, c.about}
		if c.name == "serve" {
			for _, s := range config.Settings() {
				want = append(want, s.Key+" ", "--"+s.FlagName()+" ", s.Variable()+"\n", s.About)
			}
		}
		if c.name == "dev" {
			want = append(want, "--seed-users N", "--env-file FILE")
		}
		got, err := runCommand(t, append([]string{"help"}, strings.Fields(c.name)...)...)
		if err != nil {
			t.Errorf("help %s: %v", c.name, err)
		}
		for _, text := range want {
			if !strings.Contains(got, text) {
				t.Errorf("help %s does not say %q:\n%s", c.name, text, got)
			}
		}
		if c.name == "help" || c.name == "version" {
			continue
		}
		flag, err := runCommand(t, append(strings.Fields(c.name), "--help")...)
		if err != nil || flag != got {
			t.Errorf("%s --help printed %q, %v, want the same as help", c.name, flag, err)
		}
	}
	list, err := runCommand(t, "--help")
	if err != nil || list != commandList() {
		t.Errorf("--help printed %q, %v, want the list", list, err)
	}
}

func TestVersion(t *testing.T) {
	got, err := runCommand(t, "version")
	if err != nil || !strings.HasPrefix(got, "avatard "+new(Program).version()) || !strings.Contains(got, ", go") || strings.Count(got, "\n") != 1 {
		t.Errorf("version printed %q, %v, want one line with version and Go release", got, err)
	}
}

// Whoever asks for help or for the version gets it on standard output, with exit code 0; what cannot be meant is refused with the
// commands that might be.
func TestHelpEverywhere(t *testing.T) {
	for _, tt := range []struct {
		args string
		code int
		text string // on standard output, with another code on standard error
	}{
		{"--version", ExitOK, "avatard " + new(Program).version()},
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
		{"user ad", ExitUsage, "unknown command \"user ad\"\nusage: avatard user COMMAND"},
		{"help user add alice", ExitUsage, "the name of one command"},
		{"--version now", ExitUsage, "takes no arguments"},
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
