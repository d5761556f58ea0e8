package embedded

import (
	"errors"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/hooks"
	"example.org/avatard/storage/embedded/internal/sqlitefs"
)

// Each transaction is written to the log; a checkpoint moves the log's content into the database, so that the log can begin anew. The
// committer makes the checkpoints itself, between group commits: SQLite's own ones hide their errors and delay the commit that they
// happen in.
const (
	// logQuiet bytes are moved when no change has come for quietTime, logBusy bytes between two group commits.
	logQuiet  = 1000 * sqlitefs.FrameBytes
	logBusy   = 2000 * sqlitefs.FrameBytes
	quietTime = 100 * time.Millisecond
	// A log that is larger than logIdle is emptied when no change has come for idleTime.
	logIdle  = 1 << 20
	idleTime = 10 * time.Second
	// maxLog bounds the bytes that no checkpoint has moved. From half of it on, only deletes are taken and changes that have begun; from
	// all of it on, deletes are refused, too. Otherwise a log that cannot be emptied would fill the disk.
	maxLog = 64 << 20
	// The delays after which a failed checkpoint is tried again: the first, and the longest.
	checkpointDelayMin = time.Second
	checkpointDelayMax = time.Minute
)

// checkpoints is the state of the checkpoints. Only the committer uses it.
type checkpoints struct {
	failed bool
	delay  time.Duration // until the next try, after a failure
	retry  time.Time     // nothing is tried before
	bound  int64         // see maxLog
}

// checkpointDue returns when the next checkpoint is to be made, the zero time for never.
func (s *Store) checkpointDue(quiet time.Time) (due time.Time) {
	pending, size := s.db.log.State()
	switch {
	case s.checkpoints.failed, pending >= s.longLog():
		if due = s.checkpoints.retry; due.IsZero() {
			due = quiet
		}
		return due
	case pending >= logQuiet:
		due = quiet.Add(quietTime)
	case size > logIdle && !s.space.short.Load(): // while room is short the log keeps its blocks
		due = quiet.Add(idleTime)
	default:
		return due
	}
	if due.Before(s.checkpoints.retry) {
		return s.checkpoints.retry
	}
	return due
}

// checkpointIdle makes the checkpoint that is due while no change waits.
func (s *Store) checkpointIdle() {
	mode := sqlite3.CHECKPOINT_PASSIVE
	if time.Since(s.quiet) >= idleTime && !s.space.short.Load() {
		mode = sqlite3.CHECKPOINT_TRUNCATE
	}
	_ = s.checkpoint(mode) // Ready and the log report the error
}

// checkpointBusy makes a checkpoint between two group commits, if the log has become long.
func (s *Store) checkpointBusy() {
	if pending, _ := s.db.log.State(); pending >= s.longLog() && !time.Now().Before(s.checkpoints.retry) {
		_ = s.checkpoint(sqlite3.CHECKPOINT_PASSIVE) // Ready and the log report the error
	}
}

// checkpoint moves the log into the database. When that fails, nothing is lost, because the log keeps its content, and it is tried again
// later.
func (s *Store) checkpoint(mode sqlite3.CheckpointMode) error {
	began := time.Now()
	hooks.Failpoint("checkpoint-begin")
	err := s.lockedCheckpoint(mode)
	for noRoom(err) && s.makeRoom() {
		err = s.lockedCheckpoint(mode)
	}
	s.stats.checkpointed(time.Since(began), err)
	c := &s.checkpoints
	if err != nil {
		err = fmt.Errorf("the log could not be moved into the database: %w", explain(err))
		if !c.failed {
			s.log.Error("a checkpoint failed and will be tried again until one succeeds", "error", err)
			c.delay = checkpointDelayMin
		}
		c.failed, c.retry = true, time.Now().Add(c.delay)
		c.delay = min(2*c.delay, checkpointDelayMax)
		s.faults.checkpoint.Store(&fault{err: err, lasting: true})
		return err
	}
	hooks.Failpoint("checkpoint-end")
	if c.failed {
		s.log.Info("checkpoints succeed again")
	}
	c.failed, c.retry = false, time.Time{}
	s.faults.checkpoint.Store(nil)
	return nil
}

// lastCheckpoint leaves an empty log behind, which SQLite then removes. While room is short the log keeps its blocks: a process that
// opens the store on a full disk has them for deletes.
func (s *Store) lastCheckpoint() error {
	if !s.space.short.Load() {
		return s.checkpoint(sqlite3.CHECKPOINT_TRUNCATE)
	}
	err := s.checkpoint(sqlite3.CHECKPOINT_PASSIVE)
	s.db.lock()
	defer s.db.mu.Unlock()
	_, perr := s.db.conn.FileControl("main", sqlite3.FCNTL_PERSIST_WAL, true)
	return errors.Join(err, perr)
}

func (s *Store) lockedCheckpoint(mode sqlite3.CheckpointMode) error {
	s.db.lock()
	defer s.db.mu.Unlock()
	return s.db.checkpoint(mode)
}

// longLog returns the length from which on the log is moved into the database between two group commits. It is less on a small file
// system, which the log must not fill, and while room is short, so that the log stays within the blocks it has.
func (s *Store) longLog() int64 {
	switch size := max(16*sqlitefs.FrameBytes, s.space.size); {
	case s.space.short.Load():
		return min(shortLog, size/4)
	case size < maxReserve:
		return min(logBusy, 2*size)
	}
	return logBusy
}

// moveLogAtStart empties the log, for which a full disk may need the reserve. On a full disk the log keeps its blocks for the next delete.
func (s *Store) moveLogAtStart(db *database) error {
	mode := sqlite3.CHECKPOINT_TRUNCATE
	if !s.space.hasRoom(0) {
		s.space.short.Store(true)
		mode = sqlite3.CHECKPOINT_PASSIVE
	}
	err := db.checkpoint(mode)
	for noRoom(err) && s.makeRoom() {
		err = db.checkpoint(mode)
	}
	if pending, _ := db.log.State(); err == nil && pending > 0 { // reads need all of it in the database
		err = errors.New("the log could not be moved into the database")
	}
	return err
}

// checkpoint is SQLite's. A reader in the way counts as a failure of every mode but the passive one.
func (db *database) checkpoint(mode sqlite3.CheckpointMode) error {
	if !db.conn.GetAutocommit() {
		return errors.New("a transaction has not ended")
	}
	frames, moved, err := db.conn.WALCheckpoint("main", mode)
	if err == nil && frames >= 0 { // it is negative while there is not a log yet
		db.log.MovedTo(int64(moved), moved == frames)
	}
	return err
}

// logRoom returns nil while the log may grow for a change that is new to the store, or for a delete.
func (s *Store) logRoom(removal bool) error {
	bound := s.checkpoints.bound
	if !removal {
		bound /= 2
	}
	if pending, _ := s.db.log.State(); pending > bound {
		return fmt.Errorf("%w: the log holds %d MiB that cannot be moved into the database", storage.ErrUnavailable, pending>>20)
	}
	return nil
}
