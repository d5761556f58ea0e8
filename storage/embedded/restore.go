package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"avatard/storage"
	"avatard/storage/embedded/internal/datadir"
)

// restoreName is the directory, in the data directory, in which a restore builds. As long as it is there and no
// database beside it, nothing in the data directory is served.
const restoreName = "restore.unfinished"

// StreamName is the name of a file in RestoreOptions that stands for their Stream.
const StreamName = "-"

// RestoreOptions tell what to restore.
type RestoreOptions struct {
	// Backup is the name of the file to restore, one made without storage.ExportOptions.ReceiptsOnly.
	Backup string
	// Receipts are the names of other backups of the same store, usually newer ones made with ReceiptsOnly, in any order.
	// No picture is restored that they know to be erased, and users they know get the record that has come further.
	Receipts []string
	// AllowGap restores although erasures of some time between Backup and the last of Receipts are not known: because receipts
	// have gone that are not younger than the backup, or because a file is missing. Pictures that were erased then come back.
	AllowGap bool
	// Stream is read to its end in place of the one file that is called StreamName; nil = that is a file like others. It takes
	// its size in the directory, or the nearest one above that there is, until Restore returns: encrypted and without a name.
	Stream io.Reader
	// Progress, unless it is nil, hears now and then how many bytes of the backup are dealt with, twice over.
	Progress func(done, total int64)
}

// Restore builds a store from a backup in cfg.Dir, which may be missing but must not hold one. The store is the one that
// was backed up: ids of pictures and receipts, details of users, the audit trail. A picture is in it only when no
// receipt of either file names it; bytes of others are not even written.
//
// Until it returns nil nothing in the directory can be opened; a try that fails takes back what it wrote, and one
// that was killed is replaced by the next. The errors are storage.ErrInUse, storage.ErrStoreExists, ErrNoBackup, ErrBackupVersion,
// ErrBackupDamaged, storage.ErrOtherStore, storage.ErrGap, and those of the disk.
func Restore(ctx context.Context, cfg Config, opt RestoreOptions) (storage.ImportSummary, error) {
	sum, err := restoreAnd(ctx, cfg, opt, func(string) {})
	if err != nil {
		err = fmt.Errorf("restore into %s: %w", cfg.Dir, err)
	}
	return sum, err
}

// restoreAnd calls after behind each step that is a change of the data directory.
func restoreAnd(ctx context.Context, cfg Config, opt RestoreOptions, after func(step string)) (sum storage.ImportSummary, err error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return sum, err
	}
	if opt.streams() { // before that is read
		if err := hasNoStore(dir); err != nil {
			return sum, err
		}
	}
	backup, newer, err := openBackups(ctx, opt, dir, cfg.WrapFile)
	if err != nil {
		return sum, err
	}
	defer func() {
		for _, f := range append(newer, backup) {
			err = errors.Join(err, f.close())
		}
	}()
	if err := hasNoStore(dir); err != nil { // before anything is made
		return sum, err
	}
	if err := datadir.At(dir).Make(); err != nil {
		return sum, err
	}
	lock, err := datadir.At(dir).Lock(lockName)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	if err := errors.Join(datadir.At(dir).RefuseLinks(ownNames...), hasNoStore(dir)); err != nil {
		return sum, err
	}
	if err := clearHalf(dir); err != nil {
		return sum, err
	}
	work := filepath.Join(dir, restoreName)
	if err := os.Mkdir(work, 0o700); err != nil {
		return sum, err
	}
	if err := datadir.At(dir).Sync(); err != nil {
		return sum, err
	}
	after("begun")
	r := &restore{ctx: ctx, cfg: cfg, opt: opt, dir: work, backup: backup, newer: newer}
	if sum, err = r.run(); err != nil {
		return storage.ImportSummary{}, errors.Join(err, os.RemoveAll(work))
	}
	after("built")
	if err := moveIn(dir, after); err != nil {
		return storage.ImportSummary{}, err
	}
	return sum, nil
}

// hasNoStore reports what is in the way of a restore.
func hasNoStore(dir string) error {
	for _, name := range []string{databaseName, databaseName + "-wal"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("%w: %s is there; restore into an empty directory", storage.ErrStoreExists, name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	hasSlab := exists(filepath.Join(dir, slabName))
	// The slab is moved in before the database: an unfinished restore may have come that far.
	ours := exists(filepath.Join(dir, restoreName, databaseName)) && !exists(filepath.Join(dir, restoreName, slabName))
	if hasSlab && !ours {
		return fmt.Errorf("%w: %s is there, without its database; restore into an empty directory", storage.ErrStoreExists, slabName)
	}
	return nil
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// clearHalf removes what an unfinished restore left. The slab goes first: as long as the other database is there,
// the slab is known to be of no use.
func clearHalf(dir string) error {
	work := filepath.Join(dir, restoreName)
	if !exists(work) {
		return nil
	}
	err := os.Remove(filepath.Join(dir, slabName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := datadir.At(dir).Sync(); err != nil {
		return err
	}
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	return datadir.At(dir).Sync()
}

// moveIn puts a store that is whole and durable in its place. The moment at which the database has its name is the one
// from which on it is served.
func moveIn(dir string, after func(string)) error {
	work := filepath.Join(dir, restoreName)
	for _, name := range []string{slabName, databaseName} {
		if err := os.Rename(filepath.Join(work, name), filepath.Join(dir, name)); err != nil {
			return err
		}
		after("moved " + name)
		if err := datadir.At(dir).Sync(); err != nil {
			return err
		}
	}
	return tidyRestored(dir)
}

// tidyRestored removes the rest of a restore that came to its end. It is called by whoever opens the store, too.
func tidyRestored(dir string) error {
	work := filepath.Join(dir, restoreName)
	if !exists(work) {
		return nil
	}
	if !exists(filepath.Join(dir, databaseName)) {
		return fmt.Errorf("%w: run it again; or remove %s, and with it what was restored", storage.ErrHalfRestored, work)
	}
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	return datadir.At(dir).Sync()
}
