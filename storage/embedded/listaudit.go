package embedded

import (
	"context"
	"fmt"

	"example.org/avatard/storage"
)

// trailRows is how many records of each of its two tables a page of the trail looks at.
const trailRows = listRows / 2

// ListAudit implements [storage.Store]. It merges changes and refusals, each in the order of their numbers.
func (s *Store) ListAudit(ctx context.Context, q storage.AuditQuery) (page storage.AuditPage, err error) {
	if !q.Valid() {
		return page, fmt.Errorf("list the trail: %w", storage.ErrInvalid)
	}
	if err := ctx.Err(); err != nil {
		return page, err
	}
	trails := newTrails(q.After)
	heads := make([]trailHead, len(trails))
	err = s.look(func(db *database) error {
		for i, tr := range trails {
			if q.Kind != storage.AnyRecords && tr.refusals() != (q.Kind == storage.Refusals) {
				continue
			}
			rows, err := tr.read(db, tr.after, storage.MaxCount, trailRows)
			if err != nil {
				return err
			}
			heads[i] = trailHead{rows: rows, cut: len(rows) == trailRows}
		}
		return nil
	})
	if err != nil {
		return page, fmt.Errorf("list the trail: %w", err)
	}
	page.Next = q.After
	for {
		next := older(heads)
		if next == nil {
			return page, nil
		}
		if page.More = len(next.rows) == 0 || len(page.Records) == storage.MaxPage; page.More {
			return page, nil
		}
		page.Next.Saw(next.rows[0])
		if q.Admits(next.rows[0]) {
			page.Records = append(page.Records, next.rows[0])
		}
		next.rows = next.rows[1:]
	}
}

// trailHead is what was read of one table and is not in the page yet. cut: more may follow.
type trailHead struct {
	rows []storage.AuditRecord
	cut  bool
}

// older returns the head that has the next record, nil when none has one. A head that has come to its end although more may follow is the
// next one, because what follows may be older than all others.
func older(heads []trailHead) (next *trailHead) {
	for i := range heads {
		h := &heads[i]
		switch {
		case len(h.rows) == 0 && h.cut:
			return h
		case len(h.rows) > 0 && (next == nil || h.rows[0].Time < next.rows[0].Time):
			next = h
		}
	}
	return next
}
