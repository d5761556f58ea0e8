package embedded

import (
	"errors"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/hooks"
)

// errCommit marks a transaction that failed in its commit: the reason is the disk, not one of the changes.
var errCommit = errors.New("commit")

// transaction is what one transaction records beside the changes of its batch.
type transaction struct {
	groupCommit
	watermark int64   // to be recorded
	raise     bool    // it differs from the one on record
	singly    []int64 // finished receipts above it
	refusals  []storage.Refusal
	probe     bool  // a write that only shows whether the disk works again
	began     int64 // microseconds since 1970
	changes   int64 // of rows, that the connection had made before
}

// transact runs the batch's changes, and those that join them, as one transaction: begin, apply, commit, publish. It returns all of
// them. When that fails, their changes in memory are undone.
func (s *Store) transact(batch []*request, joining func(has int) []*request) (_ []*request, committed bool, err error) {
	tx := s.plan(len(batch) == 0)
	if len(batch) == 0 && !tx.raise && !tx.probe && len(tx.singly) == 0 && len(tx.refusals) == 0 {
		return nil, true, nil
	}
	s.db.lock()
	defer s.db.mu.Unlock()
	// Not before the lock is held: an export that has the database notes its end by the same clock, and later erasures need a later time.
	tx.now = s.now().UnixMicro()
	tx.began = tx.now
	tx.changes = s.db.conn.TotalChanges()
	for _, t := range batch { // before anything can fail, so that slots of an earlier group commit are not given back
		t.reset()
	}
	err = tx.begin()
	if err == nil {
		batch, err = tx.applyAll(batch, joining)
	}
	if err == nil {
		err = tx.commit(batch)
	}
	if err != nil {
		err = s.undo(tx, batch, err)
		s.commitFailed(err)
		return batch, false, err
	}
	s.publish(tx, batch)
	return batch, true, nil
}

// plan decides what the next transaction records.
func (s *Store) plan(empty bool) *transaction {
	tx := &transaction{groupCommit: groupCommit{s: s, db: s.db, nextReceipt: s.erasures.issued + 1, lastEnd: s.lastEnd}}
	tx.watermark, tx.singly = s.erasures.plan()
	if !s.space.short.Load() { // otherwise the room that is left is for deletes
		tx.refusals = s.refusals.take()
	}
	tx.raise = tx.watermark != s.erasures.watermark
	tx.probe = empty && s.commitErr != nil
	return tx
}

// begin begins the transaction and writes the records that belong to none of its changes.
func (tx *transaction) begin() error {
	if err := tx.db.run(sqlBegin); err != nil {
		return err
	}
	if tx.raise {
		err := tx.db.run(sqlWatermark, tx.watermark)
		hooks.Failpoint("watermark-set")
		if err != nil {
			return err
		}
	}
	if tx.probe {
		if err := tx.db.run(sqlProbe); err != nil {
			return err
		}
	}
	for _, seq := range tx.singly {
		if err := tx.db.run(sqlReceiptDone, seq); err != nil {
			return err
		}
		hooks.Failpoint("receipt-done")
	}
	for _, refusal := range tx.refusals {
		if err := tx.auditRefusal(refusal); err != nil {
			return err
		}
	}
	return nil
}

// commit makes the transaction durable.
func (tx *transaction) commit(batch []*request) error {
	failpointAt("commit", batch)
	began := time.Now()
	err := tx.db.run(sqlCommit)
	failpointAt("committed", batch)
	tx.s.stats.committed(len(batch), time.Since(began), err)
	if err != nil && !errors.Is(err, sqlite3.CONSTRAINT) { // a constraint means that one of the changes refers to nothing
		err = fmt.Errorf("%w: %w", errCommit, err)
	}
	return err
}

// undo reverts the changes in memory of a transaction that failed, and returns why it failed.
func (s *Store) undo(tx *transaction, batch []*request, err error) error {
	s.forgetRows(batch) // not needed, but reading a row again costs little
	err = errors.Join(err, s.db.rollback())
	for _, t := range batch {
		for _, taken := range t.taken {
			s.slots.Give(taken.slot, taken.whole)
		}
	}
	s.refusals.giveBack(tx.refusals)
	return err
}

// commitFailed keeps that a transaction failed, for Ready and for the next try.
func (s *Store) commitFailed(err error) {
	if !errors.Is(err, sqlite3.CONSTRAINT) { // a constraint refuses one of the changes; the metadata takes others
		s.commitErr = err
	}
	if isDamage(err) {
		_ = s.recordFault(err)
	}
	s.failures.error(s.log, "changes could not be committed", "error", err)
	if s.probes.next.IsZero() {
		s.probes = s.probes.after(time.Now())
	}
}

// publish makes the changes of a durable transaction in memory.
func (s *Store) publish(tx *transaction, batch []*request) {
	if s.commitErr == nil || s.db.conn.TotalChanges() != tx.changes { // a transaction without writes says nothing about the disk
		s.commitErr, s.probes = nil, attempts{}
	}
	if tx.raise {
		hooks.Failpoint("watermark-committed")
	}
	for _, e := range s.erasures.recorded(tx.watermark) {
		s.slots.Give(e.slot, !e.holed)
	}
	s.registry.add(tx.added)
	s.lastEnd = tx.lastEnd
	s.forgetRows(batch)
	for _, t := range batch {
		s.erasures.intend(t.intended)
	}
	s.stats.intended(s.pending(), tx.began)
}

// applyAll makes the batch's changes, and those that join them, in the transaction. It returns those it came to.
func (r *groupCommit) applyAll(batch []*request, joining func(has int) []*request) ([]*request, error) {
	for more := batch; ; {
		if err := r.apply(more); err != nil {
			return batch, err
		}
		if more = joining(len(batch)); len(more) == 0 {
			return batch, nil
		}
		for _, t := range more {
			t.reset()
		}
		batch = append(batch, more...)
		r.now = max(r.now, r.s.now().UnixMicro())
	}
}

func (r *groupCommit) apply(batch []*request) error {
	for _, t := range batch {
		failpointOf("apply", t)
		r.db.usersChanged = false
		t.err = t.op.apply(r, t)
		t.changesUsers = r.db.usersChanged
		if t.err != nil && !isAnswer(t.err) {
			return t.err
		}
		// SQLite ends a transaction by itself after some errors; further statements would be outside of it.
		if r.db.conn.GetAutocommit() {
			return errors.New("the transaction ended early")
		}
	}
	return nil
}

// isAnswer reports whether err is meant for the caller of one change, not a failure of the transaction.
func isAnswer(err error) bool {
	for _, answer := range []error{storage.ErrUserNotFound, storage.ErrOtherOrganization, storage.ErrOrganizationNotFound,
		storage.ErrOrganizationInUse, storage.ErrIssuerNotFound, storage.ErrIssuerInUse,
		storage.ErrUserEnded, storage.ErrOrganizationEnded, storage.ErrConditionFailed, storage.ErrUnavailable} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}
