package embedded

import "errors"

// maxLogBuffer bounds what a logFile keeps back, in bytes.
const maxLogBuffer = 256 << 10

// logFile is SQLite's write-ahead log with writes that follow on one another gathered into one. SQLite writes each page of a
// commit in two pieces, a header of 24 bytes and the page, and then syncs: ten to thirty system calls a round, where one does.
//
// Nothing is durable before Sync either way, so nothing is promised later than it was. A gathered write that fails is reported by
// whatever call it was that could wait no longer, usually Sync, and is forgotten: SQLite then undoes the transaction, and
// writes the next one to the same place.
type logFile struct {
	File
	pending []byte
	offset  int64 // of pending in the file
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
	return len(p), nil
}

// flush writes what is pending. The file then holds it, or it is lost.
func (l *logFile) flush() error {
	if len(l.pending) == 0 {
		return nil
	}
	_, err := l.File.WriteAt(l.pending, l.offset)
	l.pending = l.pending[:0]
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
	return l.File.Truncate(size)
}

func (l *logFile) Sync() error {
	if err := l.flush(); err != nil {
		return err
	}
	return l.File.Sync()
}

func (l *logFile) Close() error {
	return errors.Join(l.flush(), l.File.Close())
}
