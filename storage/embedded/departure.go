package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
)

// Departure implements [storage.Movable].
func (p *Place) Departure(ctx context.Context) (storage.Departure, error) {
	if err := p.Exists(ctx); err != nil {
		return storage.Departure{}, err
	}
	return departure(datadir.Dir{Path: p.cfg.Dir, Wrap: p.cfg.WrapFile})
}

// Depart implements [storage.Movable]. The file is replaced as a whole: a crash leaves the one before or this one.
func (p *Place) Depart(_ context.Context, d storage.Departure) (err error) {
	path, err := filepath.Abs(p.cfg.Dir)
	if err != nil {
		return err
	}
	dir := datadir.Dir{Path: path, Wrap: p.cfg.WrapFile}
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	next := movedName + ".new"
	if err := os.Remove(dir.File(next)); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a move that was killed
		return err
	}
	f, err := dir.Open(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(text, 0)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(dir.File(next), dir.File(movedName)); err != nil {
		return err
	}
	return dir.Sync()
}

func departure(dir datadir.Dir) (d storage.Departure, err error) {
	text, err := os.ReadFile(dir.File(movedName))
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err == nil {
		if err = json.Unmarshal(text, &d); err != nil || d.To == "" {
			err = fmt.Errorf("%w: %s is not as it was written", storage.ErrDamaged, movedName)
		}
	}
	return d, err
}

// refuseMoved returns storage.ErrMoved for a directory whose store is being moved, or was.
func refuseMoved(dir datadir.Dir) error {
	d, err := departure(dir)
	if err == nil {
		err = d.Refusal()
	}
	return err
}
