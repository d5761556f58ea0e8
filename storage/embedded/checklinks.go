package embedded

import (
	"context"
	"math"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
)

// marks is a set of receipts, one bit for each where they are close together.
type marks map[int64]*[1024]uint64

func (m marks) add(seq int64) {
	part := m[seq>>16]
	if part == nil {
		part = new([1024]uint64)
		m[seq>>16] = part
	}
	part[seq>>6&1023] |= 1 << (seq & 63)
}

func (m marks) has(seq int64) bool {
	part := m[seq>>16]
	return part != nil && part[seq>>6&1023]&(1<<(seq&63)) != 0
}

// checkLinks counts the receipts up to newest and finds those that neither their user nor a later receipt leads to, and those that a search
// by what they are of does not find. linked are the
// newest receipts of all users. It reads all receipts from the last one on, those that were added meanwhile among them: a user whose
// newest receipt is one of these is linked to the older ones by it alone.
func (c *checker) checkLinks(ctx context.Context, newest int64, linked marks) error {
	for next := int64(math.MaxInt64); next > 0; {
		var lost []lostReceipt
		rows := 0
		err := c.read(ctx, func(db *database) error {
			// The receipt of a slot out of use stays when those that led to it have gone because of their age.
			return db.once(`SELECT seq, uid, generation, ifnull(previous, 0), seq <= (SELECT pruned FROM store) AND
				EXISTS (SELECT 1 FROM quarantine WHERE receipt = seq), seq <= (SELECT indexed FROM store) AND NOT EXISTS (SELECT 1
				FROM receipt_generation g WHERE run = seq >> 12 AND g.generation = receipt.generation AND g.receipt = seq)
				FROM receipt WHERE seq < ?1 ORDER BY seq DESC LIMIT 1024`,
				func(row *sqlite3.Stmt) bool {
					rows++
					r := receiptRow{seq: row.ColumnInt64(0), uid: row.ColumnInt64(1), previous: row.ColumnInt64(3)}
					next = r.seq
					if r.seq <= newest {
						c.sum.Receipts++
						copy(r.generation[:], row.ColumnRawBlob(2))
						if !linked.has(r.seq) && !row.ColumnBool(4) {
							lost = append(lost, lostReceipt{r, "neither the user nor a later receipt of the user leads to this one"})
						}
						if row.ColumnBool(5) {
							lost = append(lost, lostReceipt{r, "the receipt is not found by the generation that it is of"})
						}
					}
					linked.add(r.previous)
					return len(lost) < checkRows
				}, next)
		})
		if err != nil || rows == 0 {
			return err
		}
		c.hold(len(lost))
		for _, r := range lost {
			f := storage.Finding{Receipt: r.seq, Detail: r.why}
			if err := c.contradiction(ctx, f, r.uid, r.generation); err != nil {
				return err
			}
		}
		c.hold(-len(lost))
	}
	return nil
}

// lostReceipt is a receipt that is not found in one way.
type lostReceipt struct {
	receiptRow
	why string
}
