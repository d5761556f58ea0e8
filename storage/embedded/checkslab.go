package embedded

import (
	"context"
	"fmt"
	"math"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// checkSlab walks the slab from its first page to its end, and the rows of its slots beside it.
func (c *checker) checkSlab(ctx context.Context) error {
	if err := c.checkHeader(ctx); err != nil {
		return err
	}
	if err := c.misplaced(ctx, math.MinInt64, 1); err != nil {
		return err
	}
	page := int64(1)
	for {
		regions, err := c.regions(ctx, page)
		if err != nil {
			return err
		}
		if len(regions) == 0 {
			break
		}
		for _, r := range regions {
			if _, ok := r.Class(); !ok {
				return fmt.Errorf("the region at page %d has slots of %d pages, which this program does not know", r.First, r.SlotPages)
			}
			if err := c.outside(ctx, page, r.First); err != nil {
				return err
			}
			if err := c.checkRegion(ctx, r); err != nil {
				return err
			}
			page = r.End()
		}
	}
	if err := c.misplaced(ctx, page, math.MaxInt64); err != nil {
		return err
	}
	return c.checkTail(ctx)
}

// regions returns some of those that begin at page or behind it, in order.
func (c *checker) regions(ctx context.Context, page int64) (regions []slab.Region, err error) {
	err = c.read(ctx, func(db *database) error {
		return db.once(`SELECT first, slot_pages, slots FROM region WHERE first >= ?1 ORDER BY first LIMIT 16`,
			func(row *sqlite3.Stmt) bool {
				regions = append(regions, scanRegion(row))
				return true
			}, page)
	})
	for i := 1; i < len(regions); i++ {
		if regions[i].First < regions[i-1].End() {
			return nil, fmt.Errorf("the region at page %d overlaps the one before it", regions[i].First)
		}
	}
	return regions, err
}

// checkRegion goes through a region in stretches.
func (c *checker) checkRegion(ctx context.Context, r slab.Region) error {
	step := max(1, checkPages/r.SlotPages) * r.SlotPages
	for first := r.First; first < r.End(); first += step {
		if err := c.checkStretch(ctx, r, first, min(first+step, r.End())); err != nil {
			return err
		}
		c.progress(min(first+step, r.End()) - first)
	}
	return nil
}

// checkStretch compares the slots of one stretch of a region with their rows, once. Slots that do not look right are checked again.
func (c *checker) checkStretch(ctx context.Context, r slab.Region, first, end int64) error {
	var rows []slotRow
	err := c.read(ctx, func(db *database) (err error) {
		rows, err = db.slotRows(first, end)
		return err
	})
	if err != nil {
		return err
	}
	c.hold(len(rows))
	defer c.hold(-len(rows))
	bytes, readErr := c.readPages(first, end-first) // the slot that cannot be read is found below
	var doubtful []int64
	next := 0
	for slot := first; slot < end; slot += r.SlotPages {
		var row slotRow
		for ; next < len(rows) && rows[next].slot <= slot; next++ {
			if rows[next].slot == slot {
				row = rows[next]
			} else if err := c.reportMisplacedIn(ctx, r, rows[next]); err != nil {
				return err
			}
		}
		c.sum.Slots++
		if row.state == stateActive {
			c.sum.Pictures++
		}
		if err := c.checkRow(ctx, &row); err != nil {
			return err
		}
		if row.pending() || readErr != nil || judge(r, &row, within(bytes, slot-first, r.SlotPages)).what != fine {
			doubtful = append(doubtful, slot)
		}
	}
	for ; next < len(rows); next++ { // behind the first page of the last slot
		if err := c.reportMisplacedIn(ctx, r, rows[next]); err != nil {
			return err
		}
	}
	if len(doubtful) == 0 {
		return nil
	}
	return c.settleSlots(ctx, r, doubtful)
}

// within returns some pages of the bytes that were read, or as much of them as was read.
func within(bytes []byte, page, pages int64) []byte {
	have := int64(len(bytes))
	return bytes[min(page*slab.PageBytes, have):min((page+pages)*slab.PageBytes, have)]
}

// outside reports bytes between regions, where nothing may be.
func (c *checker) outside(ctx context.Context, first, end int64) error {
	if first >= end {
		return nil
	}
	if err := c.misplaced(ctx, first, end); err != nil {
		return err
	}
	for ; first < end; first += checkPages {
		pages := min(checkPages, end-first)
		bytes, err := c.readPages(first, pages)
		if err != nil {
			return err
		}
		if n := nonZero(bytes); n > 0 {
			// The slab may have been cut there, and have grown again.
			if taken, err := c.taken(ctx, first, first+pages); err != nil {
				return err
			} else if taken {
				continue
			}
			f := storage.Finding{Kind: storage.OrphanedBytes, Page: first, Bytes: n, Detail: fmt.Sprintf("%d bytes between two regions of the slab", n)}
			if err := c.report(ctx, f, c.scrubOutside(first, int64(len(bytes)))); err != nil {
				return err
			}
		}
	}
	return nil
}

// taken reports whether a region has some of the pages from first to before end.
func (c *checker) taken(ctx context.Context, first, end int64) (taken bool, err error) {
	err = c.read(ctx, func(db *database) (err error) {
		taken, err = db.taken(first, end)
		return err
	})
	return taken, err
}

// taken reports whether a region has some of the pages from first to before end.
func (db *database) taken(first, end int64) (taken bool, err error) {
	err = db.once(`SELECT 1 FROM region WHERE first < ?2 AND first + slot_pages * slots > ?1`, func(*sqlite3.Stmt) bool {
		taken = true
		return false
	}, first, end)
	return taken, err
}

// misplaced reports rows whose slots are from first to before end, where the slab has no slots.
func (c *checker) misplaced(ctx context.Context, first, end int64) error {
	for {
		var rows []slotRow
		err := c.read(ctx, func(db *database) (err error) {
			rows, err = db.slotRows(first, end)
			return err
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, row := range rows {
			// The slab may have grown since its regions were read.
			at, err := c.regionOf(ctx, row.slot)
			if err != nil {
				return err
			}
			if at == (slab.Region{}) {
				if err := c.reportMisplaced(ctx, row); err != nil {
					return err
				}
			}
			first = row.slot + 1
		}
	}
}

// regionOf returns the region that holds a page, or the zero one.
func (c *checker) regionOf(ctx context.Context, page int64) (r slab.Region, err error) {
	err = c.read(ctx, func(db *database) error {
		return db.once(`SELECT first, slot_pages, slots FROM region WHERE first <= ?1 ORDER BY first DESC LIMIT 1`,
			func(row *sqlite3.Stmt) bool {
				r = scanRegion(row)
				return false
			}, page)
	})
	if page >= r.End() {
		r = slab.Region{}
	}
	return r, err
}

// reportMisplacedIn is reportMisplaced, unless the region has been cut off meanwhile: other regions may lie there by now.
func (c *checker) reportMisplacedIn(ctx context.Context, r slab.Region, row slotRow) error {
	if there, err := c.stillThere(ctx, r); err != nil || !there {
		return err
	}
	return c.reportMisplaced(ctx, row)
}

// stillThere reports whether a region is still one of the slab's.
func (c *checker) stillThere(ctx context.Context, r slab.Region) (bool, error) {
	now, err := c.regionOf(ctx, r.First)
	return now == r, err
}

func (c *checker) reportMisplaced(ctx context.Context, row slotRow) error {
	return c.contradiction(ctx, storage.Finding{Page: row.slot, Receipt: row.receipt,
		Detail: fmt.Sprintf("page %d is not the beginning of a slot, and a generation has it", row.slot)}, row.uid, row.id)
}

// checkRow judges a slot's row by itself. One statement has read it and what belongs to it, so it is one state.
func (c *checker) checkRow(ctx context.Context, row *slotRow) error {
	f := storage.Finding{Kind: storage.MetadataContradicts, Page: row.slot, Receipt: row.receipt}
	switch {
	case row.state == 0:
		return nil
	case !row.user:
		f.Detail = "the generation belongs to a user who is not there"
	case row.state == stateErasing && !row.known && row.pending() && row.receipt != 0:
		return nil // when it has arrived, see settleSlots
	case row.state == stateErasing && !row.known:
		f.Detail = "the generation is erased, or was about to be, and has no receipt"
	case row.receipt != 0 && !row.matches:
		f.Detail = "the receipt of the generation is that of another one"
	case row.receipt != 0 && row.state != stateErasing:
		f.Detail = "the generation is not erased and has a receipt"
	default:
		return nil
	}
	f, err := c.about(ctx, f, row.uid, row.id)
	if err != nil {
		return err
	}
	return c.report(ctx, f, nil)
}
