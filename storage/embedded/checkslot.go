package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// what is the relation between the bytes of a slot and its row.
type what int

const (
	fine        what = iota
	onWay            // uploading or erasing: the bytes may be anything
	unread           // the file cannot be read there
	orphan           // bytes that belong to no picture
	slack            // bytes behind the picture
	missing          // the picture is not there
	contradicts      // the row's size is not the picture's, or does not go with slots of this size
	locked           // the slot is out of use
	changed          // too fast to be checked
)

// judgement is what was seen of a slot.
type judgement struct {
	what   what
	bytes  int64 // too many
	detail string
}

// fits reports whether slots of the region hold a picture of the row's size.
func (r *slotRow) fits(reg slab.Region) bool { return reg.Holds(r.size) }

var zeroPages [slab.MaxSlotPages * slab.PageBytes]byte

// nonZero counts the bytes that are not zero.
func nonZero(b []byte) (n int64) {
	if bytes.Equal(b, zeroPages[:len(b)]) {
		return 0
	}
	for _, x := range b {
		if x != 0 {
			n++
		}
	}
	return n
}

// judge compares a slot's row with its bytes, which are fewer than the slot has where the file ends.
func judge(r slab.Region, row *slotRow, slot []byte) judgement {
	switch {
	case row.quarantined:
		return judgement{what: locked, detail: "the slot could not be overwritten after an upload that nobody was told of, and is out of use"}
	case row.pending():
		return judgement{what: onWay}
	case row.state != stateActive:
		if n := nonZero(slot); n > 0 {
			return judgement{what: orphan, bytes: n, detail: fmt.Sprintf("%d bytes in a slot that no living picture owns", n)}
		}
		return judgement{}
	case !row.fits(r):
		return judgement{what: contradicts, detail: fmt.Sprintf("a picture of %d bytes is not kept in slots of %d", row.size, r.SlotPages*slab.PageBytes)}
	case int64(len(slot)) < r.SlotPages*slab.PageBytes:
		return judgement{what: missing, detail: "the slab ends before the picture does"}
	case nonZero(slot) == 0:
		return judgement{what: missing, detail: "the slot of the picture is empty"}
	case string(slot[:slab.HeaderIDOffset]) != slab.SlotMagic:
		return judgement{what: missing, detail: "the slot of the picture has no header"}
	case slab.GenerationID(slot[slab.HeaderIDOffset:slab.HeaderLengthOffset]) != row.id:
		return judgement{what: missing, detail: "the slot of the picture holds another one"}
	}
	size := int64(binary.BigEndian.Uint32(slot[slab.HeaderLengthOffset:]))
	if size > int64(len(slot)-slab.HeaderBytes) {
		return judgement{what: missing, detail: "the header of the picture is damaged"}
	}
	picture, rest := slot[slab.HeaderBytes:slab.HeaderBytes+size], slot[slab.HeaderBytes+size:]
	switch {
	case crc32.Checksum(picture, slab.Castagnoli) != binary.BigEndian.Uint32(slot[slab.HeaderSumOffset:]):
		return judgement{what: missing, detail: "the bytes of the picture are not those that were written"}
	case size != row.size:
		return judgement{what: contradicts, detail: fmt.Sprintf("the picture is whole and has %d bytes, its row says %d", size, row.size)}
	}
	if n := nonZero(rest); n > 0 {
		return judgement{what: slack, bytes: n, detail: fmt.Sprintf("%d bytes behind the picture in its slot", n)}
	}
	return judgement{}
}

// maxLooks bounds how often a slot is checked again because its row has changed. Each time a whole upload or delete ended in between.
const maxLooks = 16

// lookAt judges a slot with the row it has now. The judgement holds: the row was the same when the bytes had been read.
func (c *checker) lookAt(ctx context.Context, r slab.Region, slot int64) (row slotRow, j judgement, err error) {
	if row, err = c.slotRow(ctx, slot); err != nil {
		return row, j, err
	}
	for range maxLooks {
		if row.pending() {
			return row, judgement{what: onWay}, nil
		}
		bytes, readErr := c.readPages(slot, r.SlotPages)
		if j = judge(r, &row, bytes); readErr != nil {
			j = judgement{what: unread, detail: "the slot cannot be read: " + readErr.Error()}
		}
		if j.what == fine {
			return row, j, nil
		}
		again, err := c.slotRow(ctx, slot)
		if err != nil {
			return row, j, err
		}
		if there, err := c.stillThere(ctx, r); err != nil || !there { // it was cut off, and other slots may lie there by now
			return row, judgement{what: changed}, err
		}
		if again == row {
			return row, j, nil
		}
		row = again
	}
	return row, judgement{what: changed}, nil
}

// settleSlots checks slots again and reports what is wrong for certain.
func (c *checker) settleSlots(ctx context.Context, r slab.Region, slots []int64) error {
	c.hold(len(slots))
	defer c.hold(-len(slots))
	var away []slotRow
	for _, slot := range slots {
		row, j, err := c.lookAt(ctx, r, slot)
		if err == nil && j.what == onWay {
			away = append(away, row)
			continue
		}
		if err == nil {
			err = c.reportSlot(ctx, r, row, j)
		}
		if err != nil {
			return err
		}
	}
	if len(away) == 0 {
		return nil
	}
	stuck, err := c.stuck(ctx, away)
	if err != nil {
		return err
	}
	for i, row := range away {
		if stuck[i] != "" {
			if err := c.reportStuck(ctx, r, row, stuck[i]); err != nil {
				return err
			}
			continue
		}
		// It has arrived: there is something to compare.
		row, j, err := c.lookAt(ctx, r, row.slot)
		if err == nil && row.state == stateErasing && !row.known {
			err = c.checkRow(ctx, &row)
		}
		if err == nil {
			err = c.reportSlot(ctx, r, row, j)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reportSlot makes a finding of a judgement.
func (c *checker) reportSlot(ctx context.Context, r slab.Region, row slotRow, j judgement) error {
	f := storage.Finding{Page: row.slot, Bytes: j.bytes, Receipt: row.receipt, Detail: j.detail}
	var repair func(context.Context) (string, error)
	switch j.what {
	case fine:
		return nil
	case onWay, changed:
		c.sum.UnderWay++
		return nil
	case unread:
		f.Kind, f.Repair = storage.PictureUnreadable, "nothing was done: what cannot be read today may be read tomorrow"
	case orphan, slack:
		f.Kind = storage.OrphanedBytes
		repair = c.scrubSlot(r, row, j)
	case missing:
		f.Kind = storage.PictureMissing
		repair = c.forget(row)
	case contradicts:
		f.Kind = storage.MetadataContradicts
	case locked:
		f.Kind = SlotQuarantined
		repair = c.unlock(r, row)
	}
	f, err := c.about(ctx, f, row.uid, row.id)
	if err != nil {
		return err
	}
	return c.report(ctx, f, repair)
}

// reportStuck reports a generation that is not worked on.
func (c *checker) reportStuck(ctx context.Context, r slab.Region, row slotRow, detail string) error {
	if row.state == stateErasing && row.receipt == 0 {
		return nil // see checkRow
	}
	f := storage.Finding{Kind: storage.ErasureUnfinished, Page: row.slot, Receipt: row.receipt, Detail: "the erasure is not finished: " + detail}
	if row.state == stateUploading {
		f.Kind, f.Detail = storage.UploadUnfinished, "the upload is neither finished nor erased: "+detail
	}
	f, err := c.about(ctx, f, row.uid, row.id)
	if err != nil {
		return err
	}
	return c.report(ctx, f, c.finish(r, row))
}
