package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestExitCodes(t *testing.T) {
	tests := []struct {
		name   string
		args   string
		code   int
		stderr string // contained in what the user sees
	}{
		{"no command shows the list", "", exitUsage, "usage: avatard COMMAND"},
		{"an unknown command is named, with the list", "srve", exitUsage, "unknown command \"srve\"\nusage: avatard COMMAND"},
		{"half a command is none", "org", exitUsage, "unknown command \"org\""},
		{"an unknown flag shows the usage of its command", "dev --prot 1", exitUsage, "usage: avatard dev"},
		{"a word too many", "dev now", exitUsage, "usage: avatard dev"},
		{"a word too many", "version 1", exitUsage, "usage: avatard version"},
		{"a flag without its value", "serve --listen", exitUsage, "usage: avatard serve"},
		{"an organisation is missing", "org add", exitUsage, "usage: avatard org add"},
		{"an id that is none", "org add a\x01b", exitUsage, "no organisation id"},
		{"a user without an organisation", "user add alice", exitUsage, "--org"},
		{"a configuration with faults", "serve", exitUsage, "data: is not set"},
		{"dev is for this machine", "dev --listen 0.0.0.0:0", exitUsage, "this machine alone"},
		{"help for what is not there", "help srve", exitUsage, "unknown command"},
		{"an environment file in a directory that is not there", "dev --listen 127.0.0.1:0 --env-file /dev/null/x", exitFailed, "environment file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stderr bytes.Buffer
			code := report(&stderr, run(t.Context(), strings.Fields(tt.args), nil, io.Discard, io.Discard))
			if code != tt.code || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("avatard %s: exit code %d, stderr:\n%s\nwant %d and %q", tt.args, code, &stderr, tt.code, tt.stderr)
			}
		})
	}
}

func TestReport(t *testing.T) {
	var stderr bytes.Buffer
	if code := report(&stderr, nil); code != exitOK || stderr.Len() > 0 {
		t.Errorf("report(nil) = %d, %q, want silence", code, &stderr)
	}
	if code := report(&stderr, errors.New("disk full")); code != exitFailed || stderr.String() != "avatard: disk full\n" {
		t.Errorf("report = %d, %q, want %d and one line", code, &stderr, exitFailed)
	}
}

func TestHelp(t *testing.T) {
	for _, c := range commands() {
		want := []string{"usage: avatard " + c.name, c.about}
		if c.name == "serve" {
			for _, s := range settings() {
				want = append(want, s.key+" ", "--"+s.flagName()+" ", s.variable()+"\n", s.about)
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
	if err != nil || !strings.HasPrefix(got, "avatard "+buildVersion()) || !strings.Contains(got, ", go") || strings.Count(got, "\n") != 1 {
		t.Errorf("version printed %q, %v, want one line with version and Go release", got, err)
	}
}
