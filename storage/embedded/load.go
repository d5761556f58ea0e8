package embedded

import (
	"errors"
	"fmt"
	"io"

	"github.com/ncruces/go-sqlite3"

	"avatard/storage"
)

// loaded is what start-up reads from the database beside what it puts into the store.
type loaded struct {
	store generationID // the store's own random id
}

// load reads everything the committer keeps in memory: names, regions, free slots, open receipts.
func (s *Store) load() (found loaded, err error) {
	s.stats.init()
	s.names.organizations = make(map[string]struct{})
	s.names.issuers = make(map[string]int64)
	s.ledger.open = make(map[int64]erasure)
	s.ledger.failed = make(map[int64]bool)
	if found.store, err = s.identify(); err != nil {
		return found, err
	}
	var bad error
	var regions []region
	err = s.db.each(`SELECT first, slot_pages, slots FROM region ORDER BY first`, func(row *sqlite3.Stmt) {
		r := region{row.ColumnInt64(0), row.ColumnInt64(1), row.ColumnInt64(2)}
		if bad == nil {
			bad = r.check(s.slots.end)
			s.slots.end = r.end()
		}
		regions = append(regions, r)
	})
	if err := errors.Join(err, bad); err != nil {
		return found, err
	}
	owned, err := s.loadGenerations()
	if err != nil {
		return found, err
	}
	for _, r := range regions {
		if err := s.slots.add(r, owned.has); err != nil {
			return found, err
		}
	}
	for _, q := range []struct {
		sql string
		row func(*sqlite3.Stmt)
	}{
		{`SELECT id FROM organization`, func(row *sqlite3.Stmt) { s.names.organizations[row.ColumnText(0)] = struct{}{} }},
		{`SELECT url, iid FROM issuer`, func(row *sqlite3.Stmt) { s.names.issuers[row.ColumnText(0)] = row.ColumnInt64(1) }},
		{`SELECT ifnull(max(seq), 0) FROM receipt`, func(row *sqlite3.Stmt) { s.ledger.issued = row.ColumnInt64(0) }},
	} {
		if err := s.db.each(q.sql, q.row); err != nil {
			return found, err
		}
	}
	return found, nil
}

// identify returns the id of the store, which a new one is given here.
func (s *Store) identify() (id generationID, err error) {
	known := false
	err = s.db.each(`SELECT id, watermark FROM store`, func(row *sqlite3.Stmt) {
		known = true
		id = scanID(row, 0)
		s.ledger.watermark = row.ColumnInt64(1)
	})
	if err != nil || known {
		return id, err
	}
	if _, err := io.ReadFull(s.rand, id[:]); err != nil {
		return id, err
	}
	stmt, _, err := s.db.conn.Prepare(`INSERT INTO store (one, id) VALUES (1, ?1)`)
	if err != nil {
		return id, err
	}
	defer stmt.Close()
	if err := stmt.BindBlob(1, id[:]); err != nil {
		return id, err
	}
	err = stmt.Exec()
	failpoint("open-identified")
	return id, err
}

// loadGenerations returns the slots that have an owner and notes those whose owner has to go.
func (s *Store) loadGenerations() (owned pageSet, err error) {
	var bad error
	err = s.db.each(`SELECT g.slot, g.id, g.uid, g.state, g.size, ifnull(g.receipt, 0),
		ifnull((SELECT time FROM receipt WHERE seq = g.receipt), 0) FROM generation g
		WHERE g.state <> 3 OR g.receipt > (SELECT watermark FROM store)
		AND NOT EXISTS (SELECT 1 FROM receipt r WHERE r.seq = g.receipt AND r.done = 1)`,
		func(row *sqlite3.Stmt) {
			slot, size, receipt := row.ColumnInt64(0), row.ColumnInt64(4), row.ColumnInt64(5)
			if slot < 1 || slot >= s.slots.end || size < 1 || size > storage.MaxPictureBytes {
				bad = fmt.Errorf("%w: a picture of %d bytes at page %d of %d; restore the directory from a backup",
					ErrDamaged, size, slot, s.slots.end)
				return
			}
			owned.add(slot)
			switch row.ColumnInt64(3) {
			case stateUploading:
				s.leftovers = append(s.leftovers, leftover{
					uid: row.ColumnInt64(2), slot: slot, id: scanID(row, 1),
				})
			case stateErasing:
				s.ledger.failed[receipt] = true // nobody is working on it
				s.ledger.open[receipt] = erasure{receipt: receipt, slot: slot, class: classFor(int(size)), since: row.ColumnInt64(6)}
			}
		})
	return owned, errors.Join(err, bad)
}

// finishUnfinished tries everything once that an earlier process left undone.
func (s *Store) finishUnfinished() {
	if s.stuck() == 0 {
		return
	}
	s.log.Info("finishing what was left undone", "erasures", len(s.ledger.open), "uploads", len(s.leftovers))
	failpoint("recover-begin")
	s.sweep()
	failpoint("recover-swept")
	s.round(nil) // puts it on record
	failpoint("recover-recorded")
}

// each calls row for every row of a query that is asked once only.
func (db *database) each(sql string, row func(*sqlite3.Stmt)) error {
	stmt, _, err := db.conn.Prepare(sql)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for stmt.Step() {
		row(stmt)
	}
	return stmt.Err()
}

// pageSet is a set of page numbers, one bit each.
type pageSet []uint64

func (p *pageSet) add(page int64) {
	for int64(len(*p)) <= page/64 {
		*p = append(*p, make([]uint64, len(*p)+1024)...)
	}
	(*p)[page/64] |= 1 << (page % 64)
}

func (p pageSet) has(page int64) bool {
	return page/64 < int64(len(p)) && p[page/64]&(1<<(page%64)) != 0
}
