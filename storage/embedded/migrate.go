package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
	"example.org/avatard/storage/embedded/internal/sqlitefs"
)

// SchemaVersion returns the version of the schema that this program works with. The first one is 1.
func SchemaVersion() int { return len(migrations) }

// Migrate brings the metadata in cfg.Dir to SchemaVersion, one version at a time, and calls step for each as soon as it
// is durable. It returns the version that it found. When it fails in between, the versions that step was called for stay
// and the next try goes on from there. Open does the same before anything else; Migrate does it ahead of time.
//
// The errors are storage.ErrInUse while a process serves the directory, storage.ErrNewerSchema, storage.ErrForeign, storage.ErrNoStore, storage.ErrDamaged, and
// those of the disk.
func Migrate(ctx context.Context, cfg Config, step func(version int)) (from int, err error) {
	return migrateTo(ctx, cfg, migrations, step)
}

func migrateTo(ctx context.Context, cfg Config, list []string, step func(version int)) (from int, err error) {
	err = withMetadata(cfg, func(db *database) (err error) {
		if err := sqlitefs.RemoveTemps(cfg.Dir); err != nil {
			return err
		}
		// Before anything is written, so that a database of another program stays as it is.
		if from, err = db.version(list); err != nil {
			return err
		}
		if err := db.configure(); err != nil {
			return err
		}
		if err := db.migrate(ctx, list, step); err != nil {
			return err
		}
		return db.truncateLog()
	})
	return from, err
}

// CheckSchema returns the version of the schema of the metadata in cfg.Dir, which it leaves as it is. Its errors are
// those of Migrate.
func CheckSchema(cfg Config) (version int, err error) {
	err = withMetadata(cfg, func(db *database) error {
		if _, err := db.conn.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true); err != nil {
			return err
		}
		version, err = db.version(migrations)
		return err
	})
	return version, err
}

// withMetadata connects to the metadata of a directory that no process serves.
func withMetadata(cfg Config, do func(*database) error) (err error) {
	if _, err := os.Lstat(filepath.Join(cfg.Dir, databaseName)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w in %s", storage.ErrNoStore, cfg.Dir)
	}
	dir := datadir.Dir{Path: cfg.Dir, Wrap: cfg.WrapFile}
	lock, err := dir.Lock(lockName)
	if err != nil {
		return explain(err)
	}
	defer func() { err = explain(errors.Join(err, lock.Release())) }()
	if err := inspect(dir, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	defer catchMemory(&err)
	// SQLite's URIs need an absolute path.
	if dir.Path, err = filepath.Abs(dir.Path); err != nil {
		return err
	}
	db, err := connect(dir, databaseName)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	// Before SQLite first reads the log, see lockingMode: otherwise it makes a file for the log's index.
	if err := db.conn.Exec(lockingMode); err != nil {
		return err
	}
	return do(db)
}

// version returns the version of the schema, or why a program with these migrations must not use it.
func (db *database) version(list []string) (int, error) {
	version, err := db.pragma("user_version")
	if err != nil {
		return 0, err
	}
	app, err := db.pragma("application_id")
	if err != nil {
		return 0, err
	}
	changes, err := db.pragma("schema_version")
	if err != nil {
		return 0, err
	}
	// A crash may leave a file of ours in which there is nothing at all yet.
	if app != applicationID && (app != 0 || version != 0 || changes != 0) {
		return 0, storage.ErrForeign
	}
	if version > int64(len(list)) {
		return 0, fmt.Errorf("%w: the data has version %d, this program knows up to %d; use the newer program, or restore a backup made before it",
			storage.ErrNewerSchema, version, len(list))
	}
	return int(version), nil
}

// migrate brings the schema to the newest version in list, one transaction a version, and calls step, unless it is nil, after each. Its
// memory is bounded whatever the size of the database: rows that have to be sorted go into temporary files.
func (db *database) migrate(ctx context.Context, list []string, step func(version int)) (err error) {
	version, err := db.version(list)
	if err != nil || version == len(list) {
		return err
	}
	if err := db.conn.Exec(migrationPragmas); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.conn.Exec(servingPragmas)) }()
	for ; version < len(list); version++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		sql := fmt.Sprintf("BEGIN IMMEDIATE; %s; PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT;",
			list[version], applicationID, version+1)
		if err := db.conn.Exec(sql); err != nil {
			return fmt.Errorf("migrate the schema to version %d: %w", version+1, errors.Join(err, db.rollback()))
		}
		if step != nil {
			step(version + 1)
		}
	}
	return nil
}
