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
	"example.org/avatard/storage/embedded/internal/sqlitefs"
)

// Place is a data directory, open or not. It implements [storage.Place].
type Place struct {
	cfg Config
	// after, when it is set, is called after each step of an import that changes the directory. Tests set it.
	after func(step string)
}

var _ storage.Movable = (*Place)(nil)

// At returns the place that cfg describes. [storage.OpenOptions] override the fields of cfg that they have, too.
func At(cfg Config) *Place { return &Place{cfg: cfg} }

// Open opens the store, see [Open].
func (p *Place) Open(ctx context.Context, o storage.OpenOptions) (storage.Engine, error) {
	cfg := p.cfg
	cfg.Logger, cfg.Now, cfg.Keep, cfg.Moving = o.Logger, o.Now, o.Keep, o.Moving
	s, err := Open(ctx, cfg)
	if err != nil {
		return nil, err // not an interface that holds nil
	}
	return s, nil
}

// Exists returns ErrNoStore for a directory without data, in which Open would make some.
func (p *Place) Exists(context.Context) error {
	if _, err := os.Lstat(filepath.Join(p.cfg.Dir, databaseName)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w in %s", storage.ErrNoStore, p.cfg.Dir)
	}
	return nil
}

// Schema returns the version of the metadata's schema, and the newest one.
func (p *Place) Schema(context.Context) (version, newest int, err error) {
	version, err = CheckSchema(p.cfg)
	return version, SchemaVersion(), err
}

// Migrate brings the metadata forward, see [Migrate].
func (p *Place) Migrate(ctx context.Context, step func(version int)) (from int, err error) {
	return Migrate(ctx, p.cfg, step)
}

// Inspect checks a store that no process serves, see [CheckDir].
func (p *Place) Inspect(ctx context.Context, o storage.CheckOptions, found func(storage.Finding) error) (storage.CheckSummary, error) {
	return CheckDir(ctx, p.cfg, o, found)
}

// ControlDir is the data directory.
func (p *Place) ControlDir() string { return p.cfg.Dir }

// String is the name of the data directory.
func (p *Place) String() string { return p.cfg.Dir }

// scratchFileName is the beginning of a scratch file's name until it is removed, which is at once. A file that a killed process left is
// removed like other temporary files.
const scratchFileName = sqlitefs.TempName + "stream-"

// Scratch makes a file in the directory, or the nearest one above it that there is.
func (p *Place) Scratch() (storage.ScratchFile, error) {
	dir, err := filepath.Abs(p.cfg.Dir)
	if err != nil {
		return nil, err
	}
	dir = datadir.Nearest(dir)
	f, err := os.CreateTemp(dir, scratchFileName+"*") // with mode 0600
	if err != nil {
		return nil, err
	}
	file := datadir.Dir{Path: dir, Wrap: p.cfg.WrapFile}.Wrap.Around(scratchFileName, datadir.OSFile{File: f})
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return scratchFile{file, dir}, nil
}

type scratchFile struct {
	File
	dir string
}

// Name is that of the directory.
func (f scratchFile) Name() string { return f.dir }
