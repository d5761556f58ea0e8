package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"
)

type configCommandFlags struct {
	*configFlags
	check bool
}

func newConfigCommandFlags(fs *flag.FlagSet) *configCommandFlags {
	f := &configCommandFlags{configFlags: addConfigFlags(fs)}
	fs.BoolVar(&f.check, "check", false, "try the identity provider, too; what does not work is exit code 2")
	return f
}

func printConfigHelp(w io.Writer) {
	fmt.Fprint(w, "  --check\n        try the identity provider, too; what does not work is exit code 2\n")
	printSettings(w)
}

// runConfig prints what serve would go by, and where each value comes from. No secret is shown.
func runConfig(ctx context.Context, inv *avatardProgram, args []string) error {
	fs := newFlagSet("config")
	flags := newConfigCommandFlags(fs)
	words, err := parseFlags(fs, args)
	if err != nil {
		return err
	}
	if len(words) > 0 {
		return usagef("config takes flags only, not %q", words[0])
	}
	cfg, sources, err := readConfigAndSources(inv.environ, flags.configFlags, serveNeeds()...)
	if werr := printConfig(inv.stdout, sources); err != nil || werr != nil {
		if err == nil {
			err = werr
		}
		return err
	}
	if !flags.check {
		return nil
	}
	in, _, err := newIdentity(cfg, slog.New(slog.DiscardHandler), inv.now, nil)
	if err != nil {
		return err
	}
	trial := in.Try(ctx)
	if problem := faultOfTrial(trial); problem != nil {
		return &configError{faults: []fault{*problem}}
	}
	_, err = fmt.Fprintf(inv.stdout, "\nidentity provider tried: it works, introspection at %s\n", trial.Endpoint)
	return err
}

// printConfig prints a line for each setting: its value, and where that stands.
func printConfig(w io.Writer, sources map[string]settingSource) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range settings() {
		value, where := s.fallback, "default"
		if source, ok := sources[s.key]; ok {
			value, where = source.text, source.where
			if s.secret {
				value = "(set)"
			}
		}
		if value == "" {
			value = "(not set)"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", s.key, printableLine(value), printableLine(where))
	}
	return table.Flush()
}

// printableLine keeps a value in its line and column.
func printableLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
