package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"

	"example.org/avatard/internal/config"
)

// configCommand is "config".
type configCommand struct {
	settingFlags
	Check bool `help:"try the identity provider, too; what does not work is exit code 2"`
}

// Run prints what serve would go by, and where each value comes from. No secret is shown.
func (flags *configCommand) Run(ctx context.Context, inv *Program) error {
	cfg, sources, err := config.ReadWithFiles(inv.Environ, flags.Flags, serveNeeds()...)
	if werr := printConfig(inv.Stdout, sources); err != nil || werr != nil {
		if err == nil {
			err = werr
		}
		return err
	}
	if !flags.Check {
		return nil
	}
	in, _, err := inv.newIdentity(cfg, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return err
	}
	trial := in.Try(ctx)
	if problem := faultOfTrial(trial); problem != nil {
		return &config.Error{Faults: []config.Fault{*problem}}
	}
	_, err = fmt.Fprintf(inv.Stdout, "\nidentity provider tried: it works, introspection at %s\n", trial.Endpoint)
	return err
}

// printConfig prints a line for each setting: its value, and where that stands.
func printConfig(w io.Writer, sources map[string]config.Source) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range config.Settings() {
		value, where := s.Fallback, "default"
		if source, ok := sources[s.Key]; ok {
			value, where = source.Text, source.Where
			if s.Secret {
				value = "(set)"
			}
		}
		if value == "" {
			value = "(not set)"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", s.Key, printableLine(value), printableLine(where))
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
