// Package powercut is a disk whose power can be cut: it keeps apart what was made durable and what was only written, and
// computes what a directory could hold after a loss of power at any moment.
//
// A [Disk] is put under an engine's files. The engine runs on ordinary files, as fast as memory is, while the disk writes a
// [Trace]: every write, truncation, hole, sync, creation and removal, and marks that a test sets in between, such as an answer
// that was given. Afterwards, for each place in the trace, a [Cut] has the changes that were not durable then, and an
// [Outcome] decides for each of them, on its own, whether it reached the disk whole, in some sectors, or not at all. The
// result is an [Image], the content of a directory.
//
//	engine ─► Disk ─► Trace ─► Cut (every place) ─► Outcome (what was not synced) ─► Image ─► engine again
//
// # The model
//
//   - A sync makes all changes of one file durable that were complete when it began. Nothing else makes anything durable,
//     and nothing orders two changes: of those not durable any subset may be on the disk, of one file and of several.
//   - A sector of 512 bytes is old or new, never a mixture; neighbours of a sector that is written stay as they are. This
//     is what SQLite calls power-safe overwrite. Within a write any subset of the sectors may be new.
//   - A hole that was punched reads as zeros and leaves the size as it is. Like a write it is durable after a sync, and before that any
//     subset of its sectors may be.
//   - A file that was grown may have kept its old size, or have the new one with zeros where the data is missing.
//   - The name of a new file, of a removed one, and of the directory itself are durable after a sync of the directory they
//     are in, and each is there or not on its own before it. A sync of the file does not make its name durable.
//   - SQLite's log and journal sync their directory with their own first sync, as the driver does (vfs/file.go of
//     github.com/ncruces/go-sqlite3).
//
// This is harder on a program than file systems in use are, which keep the order of names and sizes. Not modelled are disks
// that spoil a sector they were writing or its neighbours, and bytes of deleted files that show up in one that grew. Disks
// that lie about a sync, and syncs that fail, can be asked for ([Disk.Lie], [Disk.Fail]).
package powercut

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync"
)

// The names of a directory that an engine opens to sync it.
const (
	dataDir   = "."
	parentDir = ".."
)

// File is what an engine does with a file, or with a directory that it syncs.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
}

// Disk remembers what happens to the files of one directory. It is safe for concurrent use; one file's writes and
// syncs must not overlap, as those of a database do not.
type Disk struct {
	dir string

	mu     sync.Mutex
	start  state
	events []event
	inodes map[string]int // as the engine sees them now
	next   int
	home   bool // the directory is there
	lies   map[string]bool
	delay  func(name string)
	fail   func(name string) (seed uint64, fails bool)
}

// ErrSync is the error of a sync that [Disk.Fail] lets fail.
var ErrSync = errors.New("the disk did not take it")

// New returns the disk of a directory, in which everything is durable. The engine makes the directory if it is not there.
func New(dir string) (*Disk, error) {
	image, err := Read(dir)
	if err != nil {
		return nil, err
	}
	start := state{inodes: map[int]*inode{}, names: map[string]int{}, home: image.Home}
	for name, data := range image.Files {
		start.names[name] = len(start.inodes)
		start.inodes[len(start.inodes)] = &inode{durable: data, shared: true}
	}
	return start.disk(dir), nil
}

// Lie makes syncs of a file succeed without doing anything, as on some disks.
func (d *Disk) Lie(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lies[name] = true
}

// Delay calls f within every sync, between its beginning and its end. Set it before the disk is used.
func (d *Disk) Delay(f func(name string)) { d.delay = f }

// Fail makes the syncs fail for which f returns true. As in Linux, about half of the file's changes are then on the disk, by a seed that
// depends on the number, and the others are lost: they can be read until the power is cut, and no later sync writes them.
// Names stay as they are. Set it before the disk is used.
func (d *Disk) Fail(f func(name string) (seed uint64, fails bool)) { d.fail = f }

// Mark notes in the trace that something happened, such as an answer.
func (d *Disk) Mark(v any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.add(event{kind: mark, mark: v})
}

// Operations returns the number of operations so far.
func (d *Disk) Operations() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.events)
}

// Trace returns the operations so far.
func (d *Disk) Trace() *Trace {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &Trace{start: d.start, events: d.events[:len(d.events):len(d.events)]}
}

func (d *Disk) add(e event) { d.events = append(d.events, e) }

// Wrap puts the disk under a file of this directory, which may be a new one, or under the directory itself.
func (d *Disk) Wrap(name string, f File) File {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.home {
		// The engine makes the directory before it syncs the one it lies in.
		if info, err := os.Stat(d.dir); err == nil && info.IsDir() {
			d.home = true
			d.add(event{kind: makeHome, inode: -1})
		}
	}
	if name == dataDir || name == parentDir {
		return &directory{File: f, d: d, name: name}
	}
	if _, known := d.inodes[name]; !known {
		d.inodes[name] = d.next
		d.add(event{kind: create, name: name, inode: d.next})
		d.next++
	}
	journal := strings.HasSuffix(name, "-wal") || strings.HasSuffix(name, "-journal")
	return &file{File: f, d: d, name: name, inode: d.inodes[name], syncsDir: journal}
}

type file struct {
	File
	d        *Disk
	name     string
	inode    int
	syncsDir bool // its next sync makes its name durable
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	f.d.add(event{kind: write, name: f.name, inode: f.inode, off: off, data: append([]byte(nil), p...)})
	f.d.mu.Unlock()
	return f.File.WriteAt(p, off)
}

func (f *file) Truncate(size int64) error {
	f.d.mu.Lock()
	f.d.add(event{kind: truncate, name: f.name, inode: f.inode, off: size})
	f.d.mu.Unlock()
	return f.File.Truncate(size)
}

// Punch makes a hole if the file below can do that, else the error is errors.ErrUnsupported.
func (f *file) Punch(off, n int64) error {
	below, ok := f.File.(interface{ Punch(off, n int64) error })
	if !ok {
		return errors.ErrUnsupported
	}
	f.d.mu.Lock()
	f.d.add(event{kind: punch, name: f.name, inode: f.inode, off: off, n: n})
	f.d.mu.Unlock()
	return below.Punch(off, n)
}

func (f *file) Sync() error {
	if err := f.d.sync(event{kind: syncFile, name: f.name, inode: f.inode}); err != nil || !f.syncsDir {
		return err
	}
	f.syncsDir = false
	return f.d.sync(event{kind: syncNames, name: dataDir, inode: -1})
}

// directory is one that is only synced.
type directory struct {
	File
	d    *Disk
	name string
}

func (f *directory) Sync() error {
	kind := syncNames
	if f.name == parentDir {
		kind = syncHome
	}
	return f.d.sync(event{kind: kind, name: f.name, inode: -1})
}

// Removed notes that a file of the directory was removed.
func (f *directory) Removed(name string) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if i, known := f.d.inodes[name]; known {
		delete(f.d.inodes, name)
		f.d.add(event{kind: remove, name: name, inode: i})
	}
}

// sync covers the changes before its beginning; it takes effect at its end.
func (d *Disk) sync(e event) error {
	d.mu.Lock()
	e.covers = len(d.events)
	lies := d.lies[e.name]
	d.mu.Unlock()
	if d.delay != nil {
		d.delay(e.name)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if lies {
		e.kind = lie
	}
	if d.fail != nil {
		if seed, fails := d.fail(e.name); fails {
			e.kind, e.off = failed, int64(seed)
			d.add(e)
			return ErrSync
		}
	}
	d.add(e)
	return nil
}
