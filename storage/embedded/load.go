package embedded

import (
	"errors"
	"fmt"
	"io"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/hooks"
	"example.org/avatard/storage/embedded/internal/slab"
)

// loaded is what load returns beside what it puts into the store.
type loaded struct {
	store slab.GenerationID // the store's own random id
}

// load reads the metadata that the committer keeps in memory: names, regions, and unfinished uploads and erasures. It is found out later
// which slots are free.
func (s *Store) load() (found loaded, err error) {
	s.stats.init()
	s.registry.organizations = make(map[string]storage.RegistrationState)
	s.registry.issuers = make(map[string]int64)
	s.erasures.open = make(map[int64]erasure)
	s.erasures.failed = make(map[int64]attempts)
	s.erasures.locked = make(map[int64]int64)
	if found.store, err = s.identify(); err != nil {
		return found, err
	}
	var bad error
	var regions []slab.Region
	end := int64(0)
	err = s.db.once(`SELECT first, slot_pages, slots FROM region ORDER BY first`, func(row *sqlite3.Stmt) bool {
		r := scanRegion(row)
		if bad == nil {
			bad = r.Check(end)
			end = r.End()
		}
		regions = append(regions, r)
		return true
	})
	if err := errors.Join(err, bad); err != nil {
		return found, err
	}
	for _, r := range regions {
		if err := s.slots.Add(r, false); err != nil {
			return found, err
		}
	}
	if err := s.loadUnfinished(); err != nil {
		return found, err
	}
	for _, q := range []struct {
		sql string
		row func(*sqlite3.Stmt)
	}{
		{`SELECT id, removed FROM organization WHERE removed <> 1`, func(row *sqlite3.Stmt) {
			s.registry.organizations[row.ColumnText(0)] = storage.RegistrationState(row.ColumnInt64(1))
		}},
		{`SELECT indexed, ifnull((SELECT max(ended) FROM user WHERE ended IS NOT NULL), 0), ifnull((SELECT max(seq) FROM receipt), 0) FROM store`, func(row *sqlite3.Stmt) {
			s.indexing.indexed, s.lastEnd, s.erasures.issued = row.ColumnInt64(0), row.ColumnInt64(1), row.ColumnInt64(2)
		}},
		{`SELECT url, iid FROM issuer`, func(row *sqlite3.Stmt) {
			iid := row.ColumnInt64(1)
			s.registry.issuers[row.ColumnText(0)] = iid
			s.registry.lastIssuer = max(s.registry.lastIssuer, iid)
		}},
		{`SELECT old, new FROM issuer_move ORDER BY seq`, func(row *sqlite3.Stmt) {
			s.registry.moves = append(s.registry.moves, storage.IssuerMoveRecord{From: row.ColumnText(0), To: row.ColumnText(1)})
		}},
	} {
		err := s.db.once(q.sql, func(row *sqlite3.Stmt) bool {
			q.row(row)
			return true
		})
		if err != nil {
			return found, err
		}
	}
	return found, nil
}

// identify returns the id of the store. A new store gets one here.
func (s *Store) identify() (id slab.GenerationID, err error) {
	known := false
	err = s.db.once(`SELECT id, watermark FROM store`, func(row *sqlite3.Stmt) bool {
		known = true
		id = scanID(row, 0)
		s.erasures.watermark = row.ColumnInt64(1)
		return false
	})
	if err != nil || known {
		return id, err
	}
	if _, err := io.ReadFull(s.rand, id[:]); err != nil {
		return id, err
	}
	err = s.db.once(`INSERT INTO store (one, id) VALUES (1, ?1)`, nil, id[:])
	hooks.Failpoint("open-identified")
	return id, err
}

// loadUnfinished reads the uploads that were not acknowledged, and the erasures that are not on record. Its cost does not depend on the
// number of pictures.
func (s *Store) loadUnfinished() error {
	err := s.db.once(`SELECT receipt, slot FROM quarantine`, func(row *sqlite3.Stmt) bool {
		s.erasures.locked[row.ColumnInt64(0)] = row.ColumnInt64(1)
		return true
	})
	if err != nil {
		return err
	}
	err = s.eachUnfinished(sqlUploading, func(row *sqlite3.Stmt, slot *slab.RegionSlots) {
		s.orphans = append(s.orphans, orphanedUpload{uid: row.ColumnInt64(2), slot: row.ColumnInt64(0), id: scanID(row, 1),
			tries: attempts{failed: -1}})
	})
	if err != nil {
		return err
	}
	return s.eachUnfinished(sqlErasing, func(row *sqlite3.Stmt, slot *slab.RegionSlots) {
		e := erasure{receipt: row.ColumnInt64(3), slot: row.ColumnInt64(0), pages: slot.SlotPages, since: row.ColumnInt64(4),
			abandoned: row.ColumnInt64(5) == storage.ReasonAbandoned}
		if _, locked := s.erasures.locked[e.receipt]; locked {
			return
		}
		s.erasures.failed[e.receipt] = attempts{failed: -1} // it is not worked on
		s.erasures.open[e.receipt] = e
	})
}

// Uploads have an index of their own. Erasures are found by their receipts, which are above the watermark.
const (
	sqlUploading = `SELECT slot, id, uid FROM generation WHERE state = 1`
	sqlErasing   = `SELECT g.slot, g.id, g.uid, r.seq, r.time, r.reason FROM receipt r CROSS JOIN generation g ON g.uid = r.uid AND g.receipt = r.seq
		WHERE r.seq > (SELECT watermark FROM store) AND r.done = 0 AND g.state = 3`
)

// eachUnfinished calls row for what a query finds, whose first column is a slot.
func (s *Store) eachUnfinished(sql string, row func(*sqlite3.Stmt, *slab.RegionSlots)) error {
	var bad error
	err := s.db.once(sql, func(found *sqlite3.Stmt) bool {
		slot := found.ColumnInt64(0)
		if region := s.slots.At(slot); region != nil {
			row(found, region)
		} else {
			bad = fmt.Errorf("%w: a picture at page %d, where no slot begins; restore the directory from a backup", storage.ErrDamaged, slot)
		}
		return true
	})
	return errors.Join(err, bad)
}

// learn looks up which slots of a region are free. It may be called within a transaction, whose own changes do not count yet. The caller
// has the connection.
func (s *Store) learn(r *slab.RegionSlots) error {
	var owned slab.Bitset
	err := s.db.rows(sqlOwnedSlots, func(row *sqlite3.Stmt) bool {
		receipt, done := row.ColumnInt64(1), row.ColumnBool(2)
		if !done || s.erasures.working(receipt) {
			owned.Add((row.ColumnInt64(0) - r.First) / r.SlotPages)
		}
		return true
	}, r.First, r.End(), s.erasures.watermark)
	if err != nil {
		return s.recordFault(err)
	}
	for _, slot := range s.erasures.locked {
		if r.Begins(slot) {
			owned.Add((slot - r.First) / r.SlotPages)
		}
	}
	s.slots.Learn(r, owned)
	return nil
}

// finishUnfinished tries once to finish everything that an earlier process left undone.
func (s *Store) finishUnfinished() {
	if s.stuck() == 0 {
		return
	}
	s.log.Info("finishing what was left undone", "erasures", len(s.erasures.open), "uploads", len(s.orphans))
	hooks.Failpoint("recover-begin")
	s.sweepAll()
	hooks.Failpoint("recover-swept")
	s.commitBatch(nil) // puts it on record
	hooks.Failpoint("recover-recorded")
}
