package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"example.org/avatard/storage"
)

// StreamName is the name of a file in RestoreOptions that stands for their Stream.
const StreamName = "-"

// RestoreOptions choose what is restored.
type RestoreOptions struct {
	// Backup is the name of the file to restore, one made without storage.ExportOptions.ReceiptsOnly.
	Backup string
	// Receipts are the names of other backups of the same store, see storage.ImportOptions.Newer.
	Receipts []string
	// AllowGap is storage.ImportOptions.AllowGap.
	AllowGap bool
	// Stream is read to its end in place of the one file that is called StreamName; nil = StreamName names a file like any other. It
	// takes its size in the place's Scratch until Restore returns: encrypted and without a name.
	Stream io.Reader
	// Progress is storage.ImportOptions.Progress.
	Progress func(done, total int64)
}

// Restore fills a place from files. Its errors are those of storage.Place.Import, ErrNoBackup, ErrVersion and those of the disk.
func Restore(ctx context.Context, place storage.Place, opt RestoreOptions) (sum storage.ImportSummary, err error) {
	if opt.streams() { // else it would be read in vain
		if err := place.Vacant(ctx); err != nil {
			return sum, err
		}
	}
	r := &restore{opt: opt, names: append([]string{opt.Backup}, opt.Receipts...)}
	r.files = make([]*file, len(r.names))
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.open(ctx, place); err != nil {
		return sum, err
	}
	in, err := r.options()
	if err != nil {
		return sum, err
	}
	return place.Import(ctx, in)
}

// streams reports whether one of the files is the stream.
func (opt RestoreOptions) streams() bool {
	return opt.Stream != nil && (opt.Backup == StreamName || slices.Contains(opt.Receipts, StreamName))
}

// restore is a restore that is under way. Each of its files is nil until its first record has been read.
type restore struct {
	opt   RestoreOptions
	names []string
	files []*file
}

// open opens the files before it reads the stream, so that what does not fit together is refused while the stream still costs nothing.
func (r *restore) open(ctx context.Context, place storage.Place) (err error) {
	for i, name := range r.names {
		if r.isStream(name) {
			continue
		}
		if r.files[i], err = open(name); err != nil {
			return err
		}
		if _, err := r.options(); err != nil {
			return err
		}
	}
	for i, name := range r.names {
		if !r.isStream(name) {
			continue
		}
		if r.files[i], err = r.openStream(ctx, place, i); err != nil {
			return err
		}
	}
	return nil
}

func (r *restore) isStream(name string) bool { return name == StreamName && r.opt.Stream != nil }

// openStream keeps the stream, as file i, unless its first record shows that it does not belong to the other files.
func (r *restore) openStream(ctx context.Context, place storage.Place, i int) (*file, error) {
	scratch, err := place.Scratch()
	if err != nil {
		return nil, err
	}
	stream := &file{name: "the stream"}
	with := &restore{opt: r.opt, names: r.names, files: slices.Clone(r.files)}
	with.files[i] = stream
	s, err := newSpool(ctx, scratch, r.opt.Stream, func(begin io.Reader) error {
		b, err := NewReader(begin)
		if err != nil {
			return fmt.Errorf("%s: %w", stream.name, err)
		}
		stream.store = b.store
		_, err = with.options()
		return err
	})
	if err != nil {
		return nil, err
	}
	stream.ReaderAt, stream.Closer, stream.size = s, s, s.size
	return stream, nil
}

// options returns the options of the import, with the files that are open so far. An error names a file that does not belong to the others.
func (r *restore) options() (storage.ImportOptions, error) {
	o := storage.ImportOptions{AllowGap: r.opt.AllowGap, Progress: r.opt.Progress}
	for _, f := range r.files[1:] {
		if f != nil {
			o.Newer = append(o.Newer, f)
		}
	}
	if r.files[0] == nil {
		return o, nil
	}
	o.Export = r.files[0]
	return o, o.Arrange()
}

func (r *restore) close() (err error) {
	for _, f := range r.files {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}

// file is a storage.Source: it begins like a backup, and can be read more than once.
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

// begin reads the first record. It closes a file that does not begin like a backup.
func (f *file) begin() (*file, error) {
	b, err := f.read()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", f.name, err), f.Close())
	}
	f.store = b.store
	return f, nil
}

// Name is the file's name in messages.
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
