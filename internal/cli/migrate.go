package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"avatard/internal/config"
	"avatard/storage/embedded"
)

// migrateFlags are the flags of migrate.
type migrateFlags struct {
	*config.Flags
	check bool
}

func newMigrateFlags(fs *flag.FlagSet) *migrateFlags {
	f := &migrateFlags{Flags: config.AddFlags(fs, "data")}
	fs.BoolVar(&f.check, "check", false, "say what would be done and change nothing")
	return f
}

// runMigrate brings the metadata of a data directory to the schema version of this program, which serve would do too:
// it is for doing it, or looking, ahead of that.
func runMigrate(ctx context.Context, inv *Program, args []string) error {
	fs := newFlagSet("migrate")
	flags := newMigrateFlags(fs)
	words, err := parseFlags(fs, args)
	if err != nil {
		return err
	}
	if len(words) > 0 {
		return usagef("migrate takes flags only, not %q", words[0])
	}
	cfg, err := config.Read(inv.Environ, flags.Flags, "data")
	if err != nil {
		return err
	}
	if flags.check {
		err = checkSchema(inv, cfg.Data)
	} else {
		err = migrate(ctx, inv, cfg.Data)
	}
	switch {
	case errors.Is(err, embedded.ErrLocked):
		return fmt.Errorf("migrate: %w: stop the server first", err)
	case err != nil:
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

func migrate(ctx context.Context, inv *Program, dir string) error {
	var printed error
	from, err := embedded.Migrate(ctx, embedded.Config{Dir: dir}, func(version int) {
		_, err := fmt.Fprintf(inv.Stdout, "schema version %d: done\n", version)
		printed = errors.Join(printed, err)
	})
	if err = errors.Join(err, printed); err != nil {
		return err
	}
	if from == embedded.SchemaVersion() {
		_, err = fmt.Fprintf(inv.Stdout, "schema version %d is the newest: nothing to do\n", from)
	}
	return err
}

func checkSchema(inv *Program, dir string) error {
	version, err := embedded.CheckSchema(embedded.Config{Dir: dir})
	if err != nil {
		return err
	}
	newest := embedded.SchemaVersion()
	if version == newest {
		_, err = fmt.Fprintf(inv.Stdout, "schema version %d is the newest: nothing to do\n", version)
		return err
	}
	for next := version + 1; next <= newest; next++ {
		if _, err := fmt.Fprintf(inv.Stdout, "schema version %d: would be done\n", next); err != nil {
			return err
		}
	}
	return nil
}
