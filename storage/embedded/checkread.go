package embedded

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// How much a check reads at a time. It gives the database free at the first of these limits.
const (
	checkRows  = 256
	checkPages = 128 // of the slab, or one slot if that is larger
	checkHold  = 2 * time.Millisecond
)

// read runs do while no transaction is under way, so that do reads one state of the metadata.
func (c *checker) read(ctx context.Context, do func(db *database) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.s.db.lock()
	defer c.s.db.mu.Unlock()
	if c.s.db.conn == nil {
		return fmt.Errorf("%w: closed", storage.ErrUnavailable)
	}
	if !c.s.db.conn.GetAutocommit() {
		return fmt.Errorf("%w: a transaction has not ended", storage.ErrUnavailable)
	}
	return do(c.s.db)
}

// slotRow is the row of a slot and what belongs to it. A slot that was never used has state 0.
type slotRow struct {
	slot, uid, state, size, receipt int64
	id                              slab.GenerationID
	recorded                        bool // the erasure is on record
	quarantined                     bool // the slot is out of use
	known                           bool // the receipt is there
	matches                         bool // and is that of this generation
	user                            bool // the user is there
}

// pending reports whether the generation is on its way, so that its bytes may be anything.
func (r *slotRow) pending() bool {
	return r.state == stateUploading || r.state == stateErasing && !r.recorded && !r.quarantined
}

const sqlSlotRows = `SELECT g.slot, g.id, g.uid, g.state, g.size, ifnull(g.receipt, 0),
	ifnull(g.receipt <= (SELECT watermark FROM store), 0) OR ifnull(r.done, 0),
	r.seq IS NOT NULL, ifnull(r.generation = g.id AND r.uid = g.uid, 0), u.uid IS NOT NULL,
	EXISTS (SELECT 1 FROM quarantine WHERE slot = g.slot)
	FROM generation g LEFT JOIN receipt r ON r.seq = g.receipt LEFT JOIN user u ON u.uid = g.uid
	WHERE g.slot >= ?1 AND g.slot < ?2 ORDER BY g.slot LIMIT ?3`

// slotRows returns the rows of slots from first to before end, at most checkRows of them.
func (db *database) slotRows(first, end int64) (rows []slotRow, err error) {
	err = db.once(sqlSlotRows, func(row *sqlite3.Stmt) bool {
		r := slotRow{
			slot:     row.ColumnInt64(0),
			uid:      row.ColumnInt64(2),
			state:    row.ColumnInt64(3),
			size:     row.ColumnInt64(4),
			receipt:  row.ColumnInt64(5),
			recorded: row.ColumnBool(6),
			known:    row.ColumnBool(7),
			matches:  row.ColumnBool(8),
			user:     row.ColumnBool(9),

			quarantined: row.ColumnBool(10),
		}
		copy(r.id[:], row.ColumnRawBlob(1))
		rows = append(rows, r)
		return true
	}, first, end, checkRows)
	return rows, err
}

// slotRow returns the row of one slot.
func (db *database) slotRow(slot int64) (slotRow, error) {
	rows, err := db.slotRows(slot, slot+1)
	if err != nil || len(rows) == 0 {
		return slotRow{slot: slot}, err
	}
	return rows[0], nil
}

func (c *checker) slotRow(ctx context.Context, slot int64) (r slotRow, err error) {
	err = c.read(ctx, func(db *database) error {
		r, err = db.slotRow(slot)
		return err
	})
	return r, err
}

// userKey returns the user that has a number.
func (db *database) userKey(uid int64) (key storage.UserKey, organization string, err error) {
	err = db.once(`SELECT u.id, i.url, u.organization FROM user u JOIN issuer i ON i.iid = u.iid WHERE u.uid = ?1`,
		func(row *sqlite3.Stmt) bool {
			key = storage.UserKey{ID: row.ColumnText(0), Issuer: row.ColumnText(1)}
			organization = row.ColumnText(2)
			return false
		}, uid)
	return key, organization, err
}

// about returns the finding with the names of a user, unless uid is 0, and of a generation, unless id is the zero one.
func (c *checker) about(ctx context.Context, f storage.Finding, uid int64, id slab.GenerationID) (storage.Finding, error) {
	if id != (slab.GenerationID{}) {
		f.Generation = hex.EncodeToString(id[:])
	}
	if uid == 0 {
		return f, nil
	}
	err := c.read(ctx, func(db *database) error {
		key, _, err := db.userKey(uid)
		f.User, f.Issuer = key.ID, key.Issuer
		return err
	})
	return f, err
}

// readPages reads a stretch of the slab into the check's own buffer. It returns less when the file ends before.
func (c *checker) readPages(first, pages int64) ([]byte, error) {
	if c.buf == nil {
		c.buf = make([]byte, slab.MaxSlotPages*slab.PageBytes)
	}
	buf := c.buf[:pages*slab.PageBytes]
	n, err := c.s.slab.ReadAt(buf, first*slab.PageBytes)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return buf[:n], err
}

// measure estimates the work.
func (c *checker) measure(ctx context.Context) error {
	size, err := c.s.slab.Length()
	if err != nil {
		return err
	}
	c.total = size / slab.PageBytes
	return c.read(ctx, func(db *database) error {
		return db.once(`SELECT ifnull(max(uid), 0) FROM user`, func(row *sqlite3.Stmt) bool {
			c.total += row.ColumnInt64(0) // numbers are given out in order
			return false
		})
	})
}

// identity returns the store's own id, and whether the slab has regions.
func (c *checker) identity(ctx context.Context) (id slab.GenerationID, regions bool, err error) {
	err = c.read(ctx, func(db *database) error {
		return db.once(`SELECT id, EXISTS (SELECT 1 FROM region) FROM store`, func(row *sqlite3.Stmt) bool {
			copy(id[:], row.ColumnRawBlob(0))
			regions = row.ColumnBool(1)
			return false
		})
	})
	return id, regions, err
}

// lastPage returns the page behind the last region.
func (c *checker) lastPage(ctx context.Context) (end int64, err error) {
	err = c.read(ctx, func(db *database) error {
		return db.once(`SELECT ifnull(max(first + slot_pages * slots), 0) FROM region`, func(row *sqlite3.Stmt) bool {
			end = max(1, row.ColumnInt64(0))
			return false
		})
	})
	return end, err
}

// watermark returns the watermark and the newest receipt, as stored.
func (c *checker) watermark(ctx context.Context) (watermark, newest int64, err error) {
	err = c.read(ctx, func(db *database) error {
		return db.once(`SELECT ifnull((SELECT watermark FROM store), 0), ifnull((SELECT max(seq) FROM receipt), 0)`,
			func(row *sqlite3.Stmt) bool {
				watermark, newest = row.ColumnInt64(0), row.ColumnInt64(1)
				return false
			})
	})
	return watermark, newest, err
}
