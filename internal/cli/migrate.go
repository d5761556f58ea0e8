package cli

import (
	"context"
	"errors"
	"fmt"

	"avatard/internal/config"
	"avatard/storage/embedded"
)

// migrateCommand is "migrate".
type migrateCommand struct {
	settingFlags
	Check bool `help:"say what would be done and change nothing"`
}

// Run brings the metadata of a data directory to the schema version of this program, which serve would do too:
// it is for doing it, or looking, ahead of that.
func (flags *migrateCommand) Run(ctx context.Context, inv *Program) error {
	cfg, err := config.Read(inv.Environ, flags.Flags, "data")
	if err != nil {
		return err
	}
	if flags.Check {
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
