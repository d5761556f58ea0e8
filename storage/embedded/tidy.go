package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// Tidying is a chore, done in short steps: putting finished erasures on record, looking up which slots are free, and giving space back.
const (
	// Tidying begins when no change has come for idleDelay, or after idleMost, as soon as the queue is empty.
	idleDelay = 2 * time.Second
	idleMost  = 10 * time.Second
	// tidyPunches bounds the holes of one step.
	tidyPunches = 64
)

// Tidy does at once what an idle store does by itself within seconds: the space of deleted pictures and of the metadata's log goes back to
// the file system. It waits for a moment when no change is under way.
//
// An error means that not all of it could be done; it is tried again later, and no caller of the store is affected. The errors are those
// of ctx, storage.ErrUnavailable for a store that is closed, and those of the disk.
func (s *Store) Tidy(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case s.calls <- func() { answer <- s.tidyAll() }:
	case <-s.stopped:
		return fmt.Errorf("%w: closed", storage.ErrUnavailable)
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-answer
}

// tidyStep does one step and reports whether there was anything to do.
func (s *Store) tidyStep() bool {
	if t := &s.trimmer; t.err != nil && time.Since(t.since) >= trimRetry {
		s.retryTrim()
	}
	return s.recordFinished() || s.learnOne() || s.trim(tidyPunches) || s.cutTail()
}

// recordFinished puts finished erasures on record when no change has come that would take them along. Their slots are free then.
func (s *Store) recordFinished() bool {
	if len(s.erasures.finished) == 0 {
		return false
	}
	s.commitBatch(nil)
	return len(s.erasures.finished) == 0
}

// tidyAll does all steps at once. Changes wait for it.
func (s *Store) tidyAll() error {
	s.retryTrim()
	for s.tidyStep() {
		s.checkpointBusy() // each region that is cut off is a transaction
	}
	s.measureSlab()
	s.publishStats()
	return errors.Join(s.trimmer.err, s.trimmer.look, s.commitErr, s.emptyLog())
}

// emptyLog does at once what checkpointIdle does after idleTime.
func (s *Store) emptyLog() error {
	if _, size := s.db.log.State(); size <= logIdle || s.space.short.Load() {
		return nil
	}
	return s.checkpoint(sqlite3.CHECKPOINT_TRUNCATE)
}

// learnOne looks up which slots of one region are free, if there is a region whose free slots are not known.
func (s *Store) learnOne() bool {
	for c := range slab.ClassPages {
		if r := s.slots.Unknown(slab.Class(c)); r != nil {
			s.trimmer.look = s.learnAlone(r)
			return s.trimmer.look == nil
		}
	}
	s.trimmer.look = nil
	return false
}

// tidying says when there may be something to tidy.
type tidying struct {
	due   bool
	since time.Time
}

// changed notes that a group commit has ended at this time.
func (t *tidying) changed(at time.Time) {
	if !t.due {
		t.due, t.since = true, at
	}
}

// tidyDue returns when the chore is due.
func (s *Store) tidyDue(quiet time.Time) (due time.Time) {
	switch t := &s.tidying; {
	case s.trimmer.err != nil && !t.due:
		return s.trimmer.since.Add(trimRetry)
	case !t.due:
		return due
	case quiet.After(t.since.Add(idleMost - idleDelay)):
		return t.since.Add(idleMost)
	}
	return quiet.Add(idleDelay)
}

// tidy does a step of it.
func (s *Store) tidy() { s.tidied(s.tidyStep()) }

// tidyLate does a step between two group commits of a server that is never idle. Changes put finished erasures on record there, and cutting
// off free regions gives back more than holes do.
func (s *Store) tidyLate() {
	if s.trimmer.err != nil && time.Since(s.trimmer.since) >= trimRetry {
		s.retryTrim()
	}
	s.tidied(s.learnOne() || s.cutTail() || s.trim(tidyPunches))
	s.measureSlab()
}

// tidied notes whether a step has found something to do.
func (s *Store) tidied(more bool) {
	if more {
		s.tidying.due = true
		return
	}
	s.tidying.due = false
	s.measureSlab()
	s.publishStats()
}
