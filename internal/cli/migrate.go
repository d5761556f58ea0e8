package cli

import (
	"context"
	"errors"
	"fmt"

	"example.org/avatard/internal/config"
	"example.org/avatard/storage"
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
		err = checkSchema(ctx, inv, inv.placeOf(cfg))
	} else {
		err = migrate(ctx, inv, inv.placeOf(cfg))
	}
	switch {
	case errors.Is(err, storage.ErrInUse):
		return fmt.Errorf("migrate: %w: stop the server first", err)
	case err != nil:
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

func migrate(ctx context.Context, inv *Program, place storage.Place) error {
	var printed error
	done := false
	from, err := place.Migrate(ctx, func(version int) {
		_, err := fmt.Fprintf(inv.Stdout, "schema version %d: done\n", version)
		printed, done = errors.Join(printed, err), true
	})
	if err = errors.Join(err, printed); err != nil {
		return err
	}
	if !done {
		_, err = fmt.Fprintf(inv.Stdout, "schema version %d is the newest: nothing to do\n", from)
	}
	return err
}

func checkSchema(ctx context.Context, inv *Program, place storage.Place) error {
	version, newest, err := place.Schema(ctx)
	if err != nil {
		return err
	}
	if version > newest {
		_, err = fmt.Fprintf(inv.Stdout, "schema version %d is newer than this program, which works with it, too: nothing to do\n", version)
		return err
	}
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
