package embedded

import (
	"context"

	"github.com/ncruces/go-sqlite3"

	"avatard/storage"
	"avatard/storage/embedded/internal/slab"
)

// countReceipts counts those up to newest.
func (c *checker) countReceipts(ctx context.Context, newest int64) (n int64, err error) {
	for last := int64(0); last < newest; {
		page := int64(0)
		err := c.read(ctx, func(db *database) error {
			return db.once(`SELECT count(*), ifnull(max(seq), 0) FROM (SELECT seq FROM receipt WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT 4096)`,
				func(row *sqlite3.Stmt) bool {
					page, last = row.ColumnInt64(0), row.ColumnInt64(1)
					return false
				}, last, newest)
		})
		if err != nil {
			return n, err
		}
		if page == 0 {
			break
		}
		n += page
	}
	return n, nil
}

// linkWindow is how many receipts checkLinks looks at in one pass.
const linkWindow = 1 << 20

// checkLinks finds the receipts that no other one and no user leads to. It runs only when some are missing from the
// chains, and needs a pass over users and receipts for each window, but no memory that grows with them.
func (c *checker) checkLinks(ctx context.Context, newest int64) error {
	for first := int64(1); first <= newest; first += linkWindow {
		linked := make(slab.Bitset, 0, linkWindow/64)
		mark := func(seq int64) {
			if seq >= first && seq < first+linkWindow {
				linked.Add(seq - first)
			}
		}
		// Users before receipts: whatever becomes newest in between leads to what was newest before.
		if err := c.eachPage(ctx, `SELECT uid, ifnull(receipt, 0) FROM user WHERE uid > ?1 ORDER BY uid LIMIT 1024`, 0,
			func(row *sqlite3.Stmt) { mark(row.ColumnInt64(1)) }); err != nil {
			return err
		}
		if err := c.eachPage(ctx, `SELECT seq, ifnull(previous, 0) FROM receipt WHERE seq > ?1 ORDER BY seq LIMIT 1024`, first,
			func(row *sqlite3.Stmt) { mark(row.ColumnInt64(1)) }); err != nil {
			return err
		}
		if err := c.reportUnlinked(ctx, first, min(first+linkWindow-1, newest), linked); err != nil {
			return err
		}
	}
	return nil
}

// reportUnlinked reports the receipts from first to last that are not marked.
func (c *checker) reportUnlinked(ctx context.Context, first, last int64, linked slab.Bitset) error {
	for next := first; next <= last; {
		var page []receiptRow
		err := c.read(ctx, func(db *database) error {
			// The receipt of a slot out of use stays when those that led to it have gone because of their age.
			return db.once(`SELECT seq, uid, generation FROM receipt WHERE seq >= ?1 AND seq <= ?2 AND NOT
				(seq <= (SELECT pruned FROM store) AND EXISTS (SELECT 1 FROM quarantine WHERE receipt = seq)) ORDER BY seq LIMIT 256`,
				func(row *sqlite3.Stmt) bool {
					r := receiptRow{seq: row.ColumnInt64(0), uid: row.ColumnInt64(1)}
					copy(r.generation[:], row.ColumnRawBlob(2))
					page = append(page, r)
					return true
				}, next, last)
		})
		if err != nil || len(page) == 0 {
			return err
		}
		c.hold(len(page))
		for _, r := range page {
			next = r.seq + 1
			if linked.Has(r.seq - first) {
				continue
			}
			f := storage.Finding{Receipt: r.seq, Detail: "neither the user nor a later receipt of the user leads to this one"}
			if err := c.contradiction(ctx, f, r.uid, r.generation); err != nil {
				return err
			}
		}
		c.hold(-len(page))
	}
	return nil
}

// eachPage calls row for every row of a statement that returns some of those behind its first column.
func (c *checker) eachPage(ctx context.Context, sql string, last int64, row func(*sqlite3.Stmt)) error {
	for {
		n := 0
		err := c.read(ctx, func(db *database) error {
			return db.once(sql, func(r *sqlite3.Stmt) bool {
				n++
				last = r.ColumnInt64(0)
				row(r)
				return true
			}, last)
		})
		if err != nil || n == 0 {
			return err
		}
	}
}
