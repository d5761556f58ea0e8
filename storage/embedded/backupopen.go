package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"avatard/storage"
	"avatard/storage/embedded/internal/datadir"
)

// backupFile is something that begins like a backup and can be read more than once.
type backupFile struct {
	io.ReaderAt
	io.Closer
	name  string // for people
	size  int64
	store storeRecord
}

func (f *backupFile) close() error {
	if f == nil {
		return nil
	}
	return f.Close()
}

// records begins to read from the start.
func (f *backupFile) records() (*backupReader, error) {
	return newBackupReader(io.NewSectionReader(f, 0, f.size))
}

// begin reads the first record. It closes what begins otherwise.
func (f *backupFile) begin() (*backupFile, error) {
	b, err := f.records()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", f.name, err), f.Close())
	}
	f.store = b.store
	return f, nil
}

func openBackup(name string) (*backupFile, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), file.Close())
	}
	return (&backupFile{ReaderAt: file, Closer: file, name: name, size: info.Size()}).begin()
}

// streams reports whether one of the files is the stream.
func (opt RestoreOptions) streams() bool {
	return opt.Stream != nil && (opt.Backup == StreamName || slices.Contains(opt.Receipts, StreamName))
}

// open opens a file, or the stream that stands for it, which is kept in dir or the nearest directory above it.
func (opt RestoreOptions) open(ctx context.Context, name, dir string, wrap func(string, File) File) (*backupFile, error) {
	if name != StreamName || opt.Stream == nil {
		return openBackup(name)
	}
	s, err := newSpool(ctx, datadir.Dir{Path: datadir.Nearest(dir), Wrap: wrap}, opt.Stream)
	if err != nil {
		return nil, err
	}
	return (&backupFile{ReaderAt: s, Closer: s, name: "the stream", size: s.size}).begin()
}

func openBackups(ctx context.Context, opt RestoreOptions, dir string, wrap func(string, File) File) (backup *backupFile, newer []*backupFile, err error) {
	defer func() {
		if err == nil {
			return
		}
		for _, f := range append(newer, backup) {
			err = errors.Join(err, f.close())
		}
		backup, newer = nil, nil
	}()
	if backup, err = opt.open(ctx, opt.Backup, dir, wrap); err != nil {
		return backup, newer, err
	}
	if backup.store.receiptsOnly {
		return backup, newer, fmt.Errorf("%s holds receipts only, which go beside a backup", backup.name)
	}
	for _, name := range opt.Receipts {
		f, err := opt.open(ctx, name, dir, wrap)
		if err != nil {
			return backup, newer, err
		}
		newer = append(newer, f)
		if f.store.id != backup.store.id {
			return backup, newer, fmt.Errorf("%s: %w", f.name, storage.ErrOtherStore)
		}
	}
	// The oldest first: receipts get their numbers in this order.
	slices.SortStableFunc(newer, func(a, b *backupFile) int {
		return cmp.Or(cmp.Compare(a.store.began, b.store.began), cmp.Compare(a.store.since, b.store.since))
	})
	return backup, newer, nil
}
