package embedded

import (
	"errors"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"avatard/storage"
	"avatard/storage/embedded/internal/hooks"
	"avatard/storage/embedded/internal/sqlitefs"
)

// The log takes each transaction; a checkpoint moves what it holds into the database, so that the log can begin anew. The
// committer makes the checkpoints itself, between group commits: SQLite's own ones hide their errors and happen inside somebody's
// commit.
const (
	// logQuiet bytes are moved as soon as nobody has come for quietTime, logBusy bytes between two group commits.
	logQuiet  = 1000 * sqlitefs.FrameBytes
	logBusy   = 2000 * sqlitefs.FrameBytes
	quietTime = 100 * time.Millisecond
	// A log that is larger than logIdle is emptied when nobody has come for idleTime.
	logIdle  = 1 << 20
	idleTime = 10 * time.Second
	// maxLog bounds the bytes that no checkpoint has moved. From half of it on only deletes are taken, and what was begun
	// before; from there on they are refused, too. A log that cannot be emptied ends in a full disk otherwise.
	maxLog = 64 << 20
	// Checkpoints that failed are tried again after these.
	checkpointDelayMin = time.Second
	checkpointDelayMax = time.Minute
)

// checkpoints tells how they go. Only the committer uses it.
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
	case size > logIdle && !s.space.short.Load(): // else the log keeps what it has
		due = quiet.Add(idleTime)
	default:
		return due
	}
	if due.Before(s.checkpoints.retry) {
		return s.checkpoints.retry
	}
	return due
}

// checkpointIdle makes the checkpoint that is due while nobody waits for a group commit.
func (s *Store) checkpointIdle() {
	mode := sqlite3.CHECKPOINT_PASSIVE
	if time.Since(s.quiet) >= idleTime && !s.space.short.Load() {
		mode = sqlite3.CHECKPOINT_TRUNCATE
	}
	_ = s.checkpoint(mode) // Ready and the log tell
}

// checkpointBusy makes a checkpoint between two group commits, if the log has become long.
func (s *Store) checkpointBusy() {
	if pending, _ := s.db.log.State(); pending >= s.longLog() && !time.Now().Before(s.checkpoints.retry) {
		_ = s.checkpoint(sqlite3.CHECKPOINT_PASSIVE) // Ready and the log tell
	}
}

// checkpoint moves the log into the database. When that fails the log keeps what it has, which loses nothing, and the next try
// comes later.
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

// lastCheckpoint leaves an empty log behind, which SQLite then removes. While room is short the log keeps its blocks: whoever opens the
// store the next time on a full disk has them for deletes.
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

// longLog returns from which length on the log is moved into the database between two group commits. On a small file system it does not take
// all there is. While room is short it begins anew early, in the blocks that it has.
func (s *Store) longLog() int64 {
	switch size := max(16*sqlitefs.FrameBytes, s.space.size); {
	case s.space.short.Load():
		return min(shortLog, size/4)
	case size < maxReserve:
		return min(logBusy, 2*size)
	}
	return logBusy
}

// moveLogAtStart empties the log, for which a full disk may need the reserve. There the log keeps its blocks, which the next delete needs.
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
	if pending, _ := db.log.State(); err == nil && pending > 0 { // reads take the database for complete
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
	if err == nil && frames >= 0 { // else there is no log yet
		db.log.MovedTo(int64(moved), moved == frames)
	}
	return err
}

// logRoom returns nil while the log may grow for a change: for one that is new to the store, or for a delete.
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
