package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
	"example.org/avatard/storage/embedded/internal/slab"
)

// explain adds to an error of the directory or the metadata what it means for operators, and what to do.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, storage.ErrDamaged), errors.Is(err, storage.ErrInUse), errors.Is(err, storage.ErrLink):
		return err
	case errors.Is(err, storage.ErrForeign):
		return fmt.Errorf("%w: %s; give avatard a directory of its own, or restore this one from a backup", err, databaseName)
	case isDamage(err):
		return fmt.Errorf("%w: %s: %w; restore the directory from a backup", storage.ErrDamaged, databaseName, err)
	case errors.Is(err, sqlite3.BUSY):
		return fmt.Errorf("the data directory is %w: another program has the database open; end it, then start again (%w)", storage.ErrInUse, err)
	case isFull(err):
		return fmt.Errorf("%w; nothing is lost: make room, then start again", err)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w; mount it for writing", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; %s has to be able to read and write the directory and all in it", err, datadir.ThisProcess())
	case errors.Is(err, syscall.EIO), errors.Is(err, sqlite3.IOERR):
		return fmt.Errorf("%w; look at the disk that %s and its log are on: what was acknowledged is in them, so keep both and start again once it works, or restore a backup into a new directory",
			err, databaseName)
	}
	return err
}

// isDamage reports whether SQLite found that the metadata is not as it was written: the checksum of a page is wrong, or its content
// is not valid.
func isDamage(err error) bool {
	return errors.Is(err, sqlite3.CORRUPT) || errors.Is(err, sqlite3.NOTADB) || errors.Is(err, sqlite3.IOERR_DATA)
}

// isFull reports whether there was no room on the disk.
func isFull(err error) bool {
	return errors.Is(err, sqlite3.FULL) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

const (
	// faultMemory is how long Ready reports a read or a growth that failed, unless one succeeds before. It has to end: only another try
	// shows whether the disk works again, and a balancer sends no calls to a server that is not ready.
	faultMemory = time.Minute
)

// faultRecord keeps for Ready the failures of the disk that do not fail a change.
type faultRecord struct {
	fault  atomic.Pointer[fault] // the last read of metadata, nil when it went well
	growth atomic.Pointer[fault] // the last try to make the slab larger, nil when it went well
	// checkpoint is the last try to move the log into the database, nil when it went well.
	checkpoint atomic.Pointer[fault]
}

// fault is a read or a growth that failed, or damage that was found.
type fault struct {
	err     error
	at      time.Time
	lasting bool // damage does not heal
}

// recordFault keeps an error for Ready, and returns it as one after which callers may try again.
func (s *Store) recordFault(err error) error {
	lasting := isDamage(err)
	if old := s.faults.fault.Load(); old == nil || lasting || !old.lasting {
		s.faults.fault.Store(&fault{err: explain(err), at: s.now(), lasting: lasting})
		if lasting && (old == nil || !old.lasting) {
			s.log.Error("the metadata is damaged", "error", explain(err))
		}
	}
	return errors.Join(storage.ErrUnavailable, err)
}

// clearReadFault notes that metadata could be read.
func (s *Store) clearReadFault() {
	if f := s.faults.fault.Load(); f != nil && !f.lasting {
		s.faults.fault.CompareAndSwap(f, nil)
	}
}

// reasons returns what of all this keeps the store from being ready.
func (s *Store) reasons() (errs []error) {
	if took := s.watchdog.hanging(); took > 0 {
		errs = append(errs, fmt.Errorf("the disk has not answered for %v", took.Truncate(time.Second)))
	}
	if err := s.logRoom(false); err != nil {
		errs = append(errs, err)
	}
	for _, f := range [...]*fault{s.faults.fault.Load(), s.faults.growth.Load(), s.faults.checkpoint.Load()} {
		if f != nil && (f.lasting || s.now().Sub(f.at) < faultMemory) {
			errs = append(errs, f.err)
		}
	}
	return errs
}

// unreadable turns a failure to read a picture into an error after which callers may try again. Ready does not report it: a fault of one
// picture must not end the service for all.
func unreadable(err error) error {
	if errors.Is(err, slab.ErrSpoilt) || errors.Is(err, slab.ErrOtherGeneration) {
		return fmt.Errorf("%w: %w; delete it or upload it anew", storage.ErrUnavailable, err)
	}
	return err
}
