package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
)

// restoreName is the directory, in the data directory, in which a restore builds. As long as it is there and no
// database beside it, nothing in the data directory is served.
const restoreName = "restore.unfinished"

// Import builds a store in the directory, which may be missing. Until it returns nil nothing in it can be opened.
func (p *Place) Import(ctx context.Context, opt storage.ImportOptions) (storage.ImportSummary, error) {
	sum, err := importInto(ctx, p.cfg, opt, p.step)
	if err != nil {
		err = fmt.Errorf("restore into %s: %w", p.cfg.Dir, err)
	}
	return sum, err
}

func (p *Place) step(name string) {
	if p.after != nil {
		p.after(name)
	}
}

// Vacant returns an error when the directory holds a store or parts of one, so that Import would fail.
func (p *Place) Vacant(context.Context) error {
	dir, err := filepath.Abs(p.cfg.Dir)
	if err == nil {
		err = hasNoStore(dir)
	}
	if err != nil {
		err = fmt.Errorf("restore into %s: %w", p.cfg.Dir, err)
	}
	return err
}

// importInto calls after behind each step that is a change of the data directory.
func importInto(ctx context.Context, cfg Config, opt storage.ImportOptions, after func(step string)) (sum storage.ImportSummary, err error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return sum, err
	}
	if err := opt.Arrange(); err != nil {
		return sum, err
	}
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
	r := &restore{ctx: ctx, cfg: cfg, opt: opt, dir: work}
	if sum, err = r.run(); err != nil {
		return storage.ImportSummary{}, errors.Join(err, os.RemoveAll(work))
	}
	after("built")
	if err := moveIn(dir, after); err != nil {
		return storage.ImportSummary{}, err
	}
	return sum, nil
}

// hasNoStore returns an error when a store, or a part of one, is in the way of a restore.
func hasNoStore(dir string) error {
	for _, name := range []string{databaseName, databaseName + "-wal", keyName} { // a log with the key of another one would be a fork of it
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

// moveIn moves a store that is whole and durable to its place. The store can be served as soon as the database has its name.
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

// tidyRestored removes the remains of a restore that has ended. Open calls it, too.
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
