package sqlitefs

import (
	"errors"
	"sync/atomic"

	"example.org/avatard/storage/embedded/internal/datadir"
)

// maxLogBuffer bounds the pending writes of a logFile, in bytes.
const maxLogBuffer = 256 << 10

// logFile is SQLite's write-ahead log with adjacent writes gathered into one. SQLite writes each page of a commit in two pieces, a header of
// 24 bytes and the page, and then syncs: ten to thirty system calls a group commit, where one is enough.
//
// Nothing is durable before Sync in either case, so gathering changes no promise. A gathered write that fails is reported by the call that
// had to write it, usually Sync, and is dropped: SQLite then undoes the transaction, and writes the next one to the same place.
type logFile struct {
	datadir.File
	gauge *LogGauge
	pages *Pages
	// unsynced is set when the log may have been written since the last sync that succeeded, also by an earlier process. The database
	// must never be newer than the synced part of the log: after a loss of power older pages of the log would replace its own.
	unsynced bool
	pending  []byte
	offset   int64 // of pending in the file
}

func (l *logFile) WriteAt(p []byte, off int64) (int, error) {
	if len(l.pending) > 0 && (off != l.offset+int64(len(l.pending)) || len(l.pending)+len(p) > maxLogBuffer) {
		if err := l.flush(); err != nil {
			return 0, err
		}
	}
	if len(l.pending) == 0 {
		l.offset = off
	}
	l.pending = append(l.pending, p...)
	l.gauge.wrote(off, int64(len(p)))
	l.pages.wrote(p, off)
	return len(p), nil
}

// flush writes what is pending. The file then holds it, or it is lost.
func (l *logFile) flush() error {
	if len(l.pending) == 0 {
		return nil
	}
	l.unsynced = true
	_, err := l.File.WriteAt(l.pending, l.offset)
	l.pending = l.pending[:0]
	if err != nil {
		l.pages.failed()
	}
	return err
}

func (l *logFile) ReadAt(p []byte, off int64) (int, error) {
	if err := l.flush(); err != nil {
		return 0, err
	}
	return l.File.ReadAt(p, off)
}

func (l *logFile) Truncate(size int64) error {
	if err := l.flush(); err != nil {
		return err
	}
	l.unsynced = true
	l.gauge.truncated(size)
	l.pages.emptied()
	return l.File.Truncate(size)
}

func (l *logFile) Sync() error {
	if err := l.flush(); err != nil {
		return err
	}
	if !l.unsynced { // SQLite syncs before each checkpoint, although every commit has synced the log
		return nil
	}
	err := l.File.Sync()
	l.unsynced = err != nil
	if err != nil {
		l.pages.failed()
	} else {
		l.pages.synced()
	}
	return err
}

func (l *logFile) Close() error {
	return errors.Join(l.flush(), l.File.Close())
}

// LogGauge measures the length of the log. The committer writes it, through SQLite; any goroutine may read it.
type LogGauge struct {
	used  atomic.Int64 // end of what was written since the log began anew, in bytes
	moved atomic.Int64 // end of what a checkpoint has moved into the database
	size  atomic.Int64 // of the file
}

// opened notes the size of a log that is there. All of it may have to be moved.
func (g *LogGauge) opened(size int64) {
	g.used.Store(size)
	g.moved.Store(0)
	g.size.Store(size)
}

func (g *LogGauge) wrote(off, n int64) {
	if off == 0 { // its header: the log begins anew
		g.used.Store(n)
		g.moved.Store(0)
	} else if off+n > g.used.Load() {
		g.used.Store(off + n)
	}
	if off+n > g.size.Load() {
		g.size.Store(off + n)
	}
}

func (g *LogGauge) truncated(size int64) {
	g.size.Store(size)
	if size == 0 {
		g.used.Store(0)
		g.moved.Store(0)
	}
}

// MovedTo notes how many frames are in the database. When all of them are, the next commit begins the log anew.
func (g *LogGauge) MovedTo(frames int64, all bool) {
	if all {
		g.moved.Store(g.used.Load())
		return
	}
	g.moved.Store(HeaderBytes + frames*FrameBytes)
}

// State returns how many bytes no checkpoint has moved, and the size of the file.
func (g *LogGauge) State() (pending, size int64) {
	return max(0, g.used.Load()-g.moved.Load()), g.size.Load()
}
