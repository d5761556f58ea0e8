package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"avatard/storage"
)

// StreamName is the name of a file in RestoreOptions that stands for their Stream.
const StreamName = "-"

// RestoreOptions tell what to restore.
type RestoreOptions struct {
	// Backup is the name of the file to restore, one made without storage.ExportOptions.ReceiptsOnly.
	Backup string
	// Receipts are the names of other backups of the same store, see storage.ImportOptions.Newer.
	Receipts []string
	// AllowGap is storage.ImportOptions.AllowGap.
	AllowGap bool
	// Stream is read to its end in place of the one file that is called StreamName; nil = that is a file like others. It takes
	// its size in the place's Scratch until Restore returns: encrypted and without a name.
	Stream io.Reader
	// Progress is storage.ImportOptions.Progress.
	Progress func(done, total int64)
}

// Restore fills a place from files. Its errors are those of storage.Place.Import, ErrNoBackup, ErrVersion and those of the disk.
func Restore(ctx context.Context, place storage.Place, opt RestoreOptions) (sum storage.ImportSummary, err error) {
	if opt.streams() { // before that is read
		if err := place.Vacant(ctx); err != nil {
			return sum, err
		}
	}
	var files []*file
	defer func() {
		for _, f := range files {
			err = errors.Join(err, f.Close())
		}
	}()
	var sources []storage.Source
	for _, name := range append([]string{opt.Backup}, opt.Receipts...) {
		f, err := opt.open(ctx, place, name)
		if err != nil {
			return sum, err
		}
		files, sources = append(files, f), append(sources, f)
	}
	return place.Import(ctx, storage.ImportOptions{Export: sources[0], Newer: sources[1:], AllowGap: opt.AllowGap, Progress: opt.Progress})
}

// streams reports whether one of the files is the stream.
func (opt RestoreOptions) streams() bool {
	return opt.Stream != nil && (opt.Backup == StreamName || slices.Contains(opt.Receipts, StreamName))
}

// open opens a file, or the stream that stands for it.
func (opt RestoreOptions) open(ctx context.Context, place storage.Place, name string) (*file, error) {
	if name != StreamName || opt.Stream == nil {
		return open(name)
	}
	scratch, err := place.Scratch()
	if err != nil {
		return nil, err
	}
	s, err := newSpool(ctx, scratch, opt.Stream)
	if err != nil {
		return nil, err
	}
	return (&file{ReaderAt: s, Closer: s, name: "the stream", size: s.size}).begin()
}

// file is something that begins like a backup and can be read more than once. It is a storage.Source.
type file struct {
	io.ReaderAt
	io.Closer
	name  string
	size  int64
	store storage.StoreRecord
}

func open(name string) (*file, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return (&file{ReaderAt: f, Closer: f, name: name, size: info.Size()}).begin()
}

// begin reads the first record. It closes what begins otherwise.
func (f *file) begin() (*file, error) {
	b, err := f.read()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", f.name, err), f.Close())
	}
	f.store = b.store
	return f, nil
}

// Name is what people call the file.
func (f *file) Name() string { return f.name }

// Store is the first record.
func (f *file) Store() storage.StoreRecord { return f.store }

// Records begins to read behind the first record.
func (f *file) Records() (storage.RecordReader, error) { return f.read() }

func (f *file) read() (*Reader, error) {
	b, err := NewReader(io.NewSectionReader(f, 0, f.size))
	if err == nil {
		b.size = f.size
	}
	return b, err
}
