package embedded

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/hooks"
	"example.org/avatard/storage/embedded/internal/slab"
	"example.org/avatard/storage/receiptlog"
)

// sealStep seals some receipts: places, hashes and the signed head are durable together. Where a caller waits for it there are more steps,
// until all receipts are sealed that were there when it came.
type sealStep struct {
	s     *Store
	rows  int64
	until int64 // the newest receipt that the caller waits for
	err   error // why the step has failed

	next logState // once the transaction is durable
	head *sealedHead
}

func (w *sealStep) slotClass() (slab.Class, bool) { return 0, false }

func (w *sealStep) apply(r *groupCommit, _ *request) error {
	w.head = nil
	if w.until == 0 {
		w.until = w.s.erasures.issued
	}
	if r.sealing { // another step of this transaction has done it
		return nil
	}
	if err := w.s.makeLogKey(); err != nil {
		return err
	}
	x := &w.s.sealing
	if x.begun && !w.s.unsealed() {
		return nil
	}
	if err := w.s.takesNew(); err != nil {
		return err
	}
	r.sealing = true
	w.next = logState{begun: true, sealed: min(x.sealed+w.rows, w.s.erasures.issued), unfinished: maps.Clone(x.unfinished), issuers: maps.Clone(x.issuers)}
	found, err := w.due(r)
	if err != nil {
		return err
	}
	if err := w.places(r, found); err != nil {
		return err
	}
	return w.sign(r)
}

// due returns the receipts that are to get a place: those that were passed over and are finished now, and the next ones.
func (w *sealStep) due(r *groupCommit) (found []unsealedReceipt, err error) {
	read := func(from, to int64) error {
		return r.db.once(sqlUnsealed, func(row *sqlite3.Stmt) bool {
			found = append(found, scanUnsealed(row))
			return true
		}, from, to)
	}
	for _, seq := range slices.Sorted(maps.Keys(w.next.unfinished)) {
		if !w.s.erasures.proven(seq) || int64(len(found)) >= w.rows {
			continue
		}
		if err := r.db.run(sqlDropUnfinished, seq); err != nil {
			return nil, err
		}
		if err := read(seq-1, seq); err != nil {
			return nil, err
		}
		delete(w.next.unfinished, seq)
	}
	late := len(found)
	if err := read(w.s.sealing.sealed, w.next.sealed); err != nil {
		return nil, err
	}
	finished := found[:late]
	for _, u := range found[late:] {
		if w.s.erasures.proven(u.seq) {
			finished = append(finished, u)
			continue
		}
		if err := r.db.run(sqlAddUnfinished, u.seq); err != nil {
			return nil, err
		}
		w.next.unfinished[u.seq] = true
	}
	return finished, nil
}

// places gives receipts their places and puts what belongs to them on record.
func (w *sealStep) places(r *groupCommit, found []unsealedReceipt) error {
	entries := make([]receiptlog.Entry, len(found))
	for i, u := range found {
		entries[i] = u.Entry
	}
	leaves := receiptlog.Seal(entries)
	for i, u := range found {
		issuer, err := w.issuer(r, u.Texts.Issuer)
		if err != nil {
			return err
		}
		var organization any
		if !u.knowsOrganization {
			organization = u.Organization
		}
		place := w.s.sealing.frontier.Size() + int64(i)
		if err := r.db.run(sqlAddSealed, place, u.seq, issuer, organization, orNull(u.audit), entries[i].Salt[:]); err != nil {
			return err
		}
	}
	hooks.Failpoint("seal-rows")
	size := w.s.sealing.frontier.Size()
	grown, _, hashes := w.s.sealing.frontier.Append(leaves)
	for w.next.frontier = grown; size < grown.Size(); size++ {
		own := receiptlog.HashCount(size+1) - receiptlog.HashCount(size)
		if err := r.db.run(sqlAddHashes, size, joined(hashes[:own])); err != nil {
			return err
		}
		hashes = hashes[own:]
	}
	hooks.Failpoint("seal-hashes")
	return nil
}

// issuer returns the number that an issuer's URL has in the log.
func (w *sealStep) issuer(r *groupCommit, url string) (number int64, err error) {
	if number = w.next.issuers[url]; number != 0 {
		return number, nil
	}
	number = int64(len(w.next.issuers)) + 1
	w.next.issuers[url] = number
	return number, r.db.run(sqlAddSealedIssuer, number, url)
}

// sign signs the head of the log that the transaction makes.
func (w *sealStep) sign(r *groupCommit) error {
	x, size := &w.s.sealing, w.next.frontier.Size()
	text, err := receiptlog.Head{Origin: x.origin, Size: size, Root: w.next.frontier.Root()}.Sign(x.key)
	if err != nil {
		return fmt.Errorf("sign the head of the log of receipts: %w", err)
	}
	w.head = &sealedHead{SignedHead: storage.SignedHead{Text: string(text), Key: x.verifier}, size: size}
	return r.db.run(sqlSetHead, w.next.sealed, w.next.frontier.Marshal(), string(text))
}

func (w *sealStep) finished(t *request, committed bool, err error) (again bool) {
	x := &w.s.sealing
	if w.err = err; err == nil && !committed {
		w.err = storage.ErrUnavailable
	}
	if w.err == nil && w.head != nil {
		x.logState = w.next
		x.head.Store(w.head)
	}
	if t.done == nil {
		return false
	}
	if w.err == nil && (x.sealed < w.until || w.s.passedOver(w.until)) {
		if !w.s.queue.isClosed() {
			return true
		}
		w.err = fmt.Errorf("%w: closed", storage.ErrUnavailable)
	}
	t.answer = unavailable(w.err)
	return false
}

// passedOver reports whether a receipt is finished and was passed over.
func (s *Store) passedOver(until int64) bool {
	for seq := range s.sealing.unfinished {
		if seq <= until && s.erasures.proven(seq) {
			return true
		}
	}
	return false
}
