package embedded

import (
	"crypto/ed25519"
	"sync/atomic"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/receiptlog"
)

const (
	// sealRows is how many receipts get their place at once, which takes about ten milliseconds; sealLateRows while callers wait for it.
	sealRows     = 256
	sealLateRows = 64
	// sealEvery is how long receipts wait, so that many are sealed together. It is less than idleTime, behind which the log of SQLite is emptied.
	sealEvery = idleTime / 2
	// sealRetry is the time between tries while transactions fail.
	sealRetry = time.Minute
)

// sealing is the committer's state of the log of receipts. Only the committer uses it, but for head.
//
// Receipts are sealed in the order of their numbers, as far as their erasures are finished. Those that are not are passed over and noted:
// one that cannot be finished for long must not keep the others from the log.
type sealing struct {
	rows  int64     // sealRows, fewer in tests
	since time.Time // when a step is or was due, or when to try again; zero when there is nothing to seal
	// notBefore is the number of the group commit before which no other step is made while callers keep coming.
	notBefore int

	path     string // of the key
	origin   string
	key      ed25519.PrivateKey // nil until the log has one
	verifier string             // its public part
	broken   error              // why nothing can be sealed, until the store is opened again
	logState
	head atomic.Pointer[sealedHead] // nil until there is one
}

// logState is how far the log has come.
type logState struct {
	begun      bool // there is a head
	sealed     int64
	frontier   receiptlog.Frontier
	unfinished map[int64]bool   // receipts up to sealed that had to be passed over
	issuers    map[string]int64 // numbers of their URLs in the log
}

// sealedHead is a head that is durable.
type sealedHead struct {
	storage.SignedHead
	size int64
}

// unsealed reports whether there is a receipt to seal.
func (s *Store) unsealed() bool {
	x := &s.sealing
	for receipt := range x.unfinished {
		if s.erasures.proven(receipt) {
			return true
		}
	}
	return s.erasures.issued > x.sealed
}

// sealDue returns when the next step is due: quietTime after the last group commit. Where callers have kept it waiting for choreLate, there is
// a short step every choreCommits group commits.
func (s *Store) sealDue(quiet time.Time) time.Time {
	x := &s.sealing
	if x.broken != nil || !s.unsealed() {
		x.since = time.Time{}
		return x.since
	}
	if x.since.IsZero() {
		x.since = time.Now().Add(sealEvery)
	}
	if calm := quiet.Add(quietTime); x.since.Before(calm) {
		if late := x.since.Add(choreLate); late.Before(calm) && s.groupCommits >= x.notBefore {
			return late
		}
		return calm
	}
	return x.since
}

// sealReceipts takes one step: a group commit of its own, of bounded length.
func (s *Store) sealReceipts() {
	rows := s.sealing.rows
	if time.Since(s.quiet) < quietTime {
		rows = min(rows, sealLateRows)
	}
	if s.commitErr != nil || s.checkpoints.failed || s.space.short.Load() {
		s.sealing.since = time.Now().Add(sealRetry) // no user waits for this
		return
	}
	w := &sealStep{s: s, rows: rows}
	s.commitBatch([]*request{{op: w}})
	if s.sealing.notBefore = s.groupCommits + choreCommits; w.err != nil {
		s.sealing.since = time.Now().Add(sealRetry)
		s.failures.error(s.log, "receipts could not be sealed and will be tried again", "error", w.err)
	}
}
