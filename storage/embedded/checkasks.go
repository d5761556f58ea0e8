package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// askCommits is the number of group commits after which a generation that has not moved is called stuck. An upload passes three at most:
// reserve, activate, and abandon when that failed.
const askCommits = 8

// inFlightCheck asks the committer which generations it is working on. It changes nothing.
type inFlightCheck struct {
	s       *Store
	items   []slotRow // generations on their way
	stuck   []string  // why an item does not move, "" when it does
	tail    bool      // ask about the ends of the slab
	commits int

	watermark, issued int64
	lowest            int64 // receipt of an erasure that is not done, 0 when there is none
	end, length       int64 // of the regions in pages, of the file in bytes
}

func (q *inFlightCheck) slotClass() (slab.Class, bool) { return 0, false }

func (q *inFlightCheck) apply(r *groupCommit, _ *request) (err error) {
	l := &q.s.erasures
	q.watermark, q.issued, q.lowest = l.watermark, l.issued, 0
	for receipt := range l.open {
		if q.lowest == 0 || receipt < q.lowest {
			q.lowest = receipt
		}
	}
	if q.tail {
		q.end = max(q.s.slots.End, 1)
		if q.length, err = q.s.slab.Length(); err != nil {
			return err
		}
	}
	for i, item := range q.items {
		if q.stuck[i], err = q.look(r, item); err != nil {
			return err
		}
	}
	if q.s.commitErr != nil {
		// A group commit that writes nothing must not clear the error of a full disk.
		return r.db.run(sqlProbe)
	}
	return nil
}

// look returns why an item has not moved, "" when it has.
func (q *inFlightCheck) look(r *groupCommit, item slotRow) (string, error) {
	now, err := r.db.slotRow(item.slot)
	if err != nil {
		return "", err
	}
	if now.id != item.id || now.state != item.state || !now.pending() {
		return "", nil
	}
	if item.state == stateUploading {
		for _, l := range q.s.orphans {
			if l.id == item.id {
				return "it was tried and failed", nil
			}
		}
		return notMoved, nil
	}
	if q.s.erasures.failing(item.receipt) {
		return "it was tried and failed", nil
	}
	return notMoved, nil
}

const notMoved = "nobody works on it"

func (q *inFlightCheck) finished(t *request, committed bool, err error) (again bool) {
	if !committed {
		t.answer = unavailable(err)
		return false
	}
	q.commits++
	for _, why := range q.stuck {
		if why == notMoved && q.commits < askCommits {
			return true
		}
	}
	return false
}

// stuck returns for each generation that is on its way why it does not move, "" for those that do.
func (c *checker) stuck(ctx context.Context, rows []slotRow) ([]string, error) {
	q := &inFlightCheck{s: c.s, items: rows, stuck: make([]string, len(rows))}
	if !c.live {
		for i := range q.stuck {
			q.stuck[i] = "no server runs; the next start finishes it"
		}
		return q.stuck, nil
	}
	return q.stuck, c.ask(ctx, q, nil)
}

// ask hands an operation to the committer and waits for the answer, however long the queue is.
func (c *checker) ask(ctx context.Context, w operation, key *storage.UserKey) error {
	for {
		seen := &watched{of: w}
		err := c.s.queue.submit(ctx, &request{op: seen, key: key})
		if seen.begun || !errors.Is(err, storage.ErrUnavailable) || c.s.queue.isClosed() {
			return err
		}
		select { // the queue was full
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(queueDelay):
		}
	}
}

// queueDelay is how long a check waits before it tries again to get into a queue that is full.
const queueDelay = 20 * time.Millisecond

// watched remembers that the committer took an operation.
type watched struct {
	of    operation
	begun bool // read when the answer is there
}

func (w *watched) slotClass() (slab.Class, bool)          { return w.of.slotClass() }
func (w *watched) apply(r *groupCommit, t *request) error { return w.of.apply(r, t) }
func (w *watched) finished(t *request, committed bool, err error) bool {
	w.begun = true
	return w.of.finished(t, committed, err)
}

// checkHeader looks at the slab's first page.
func (c *checker) checkHeader(ctx context.Context) error {
	store, regions, err := c.identity(ctx)
	if err != nil {
		return err
	}
	length, err := c.s.slab.Length()
	if err != nil {
		return err
	}
	head, err := c.readPages(0, 1)
	if err != nil {
		return err
	}
	switch {
	case length <= slab.PageBytes && !regions && !c.live: // a start that was cut short; the next one makes the file anew
		return nil
	case len(head) == slab.PageBytes && string(head[:8]) == slab.Magic && slab.GenerationID(head[8:24]) == store:
		if n := nonZero(head[24:]); n > 0 {
			f := storage.Finding{Kind: storage.OrphanedBytes, Bytes: n, Detail: fmt.Sprintf("%d bytes behind the header of the slab", n)}
			return c.report(ctx, f, c.scrub(func(*groupCommit) ([]slab.Span, error) { return []slab.Span{{Off: 24, N: slab.PageBytes - 24}}, nil }, "zeroed"))
		}
		return nil
	}
	return c.report(ctx, storage.Finding{Kind: SlabHeader, Detail: "the slab does not begin with the mark of this store"}, nil)
}

// checkTail checks the bytes of the file behind the last region. A crash while the slab grows leaves zeros there, at most as many as the
// largest region has; the next growth uses them.
func (c *checker) checkTail(ctx context.Context) error {
	end, length, err := c.ends(ctx)
	if err != nil {
		return err
	}
	if length < end*slab.PageBytes {
		if end == 1 && !c.live { // see checkHeader
			return nil
		}
		return c.report(ctx, storage.Finding{Kind: SlabLength, Page: length / slab.PageBytes,
			Detail: fmt.Sprintf("the slab has %d bytes, its regions %d: some of it is lost", length, end*slab.PageBytes)}, nil)
	}
	for page := end; page*slab.PageBytes < length; page += checkPages {
		bytes, err := c.readPages(page, checkPages)
		if err != nil {
			return err
		}
		n := nonZero(bytes)
		if n == 0 {
			continue
		}
		// A region may have been added since.
		if now, _, err := c.ends(ctx); err != nil {
			return err
		} else if now > page {
			return nil
		}
		f := storage.Finding{Kind: storage.OrphanedBytes, Page: page, Bytes: n, Detail: fmt.Sprintf("%d bytes behind the last region of the slab", n)}
		if err := c.report(ctx, f, c.scrubOutside(page, int64(len(bytes)))); err != nil {
			return err
		}
	}
	if length <= (end+slab.MaxRegionPages)*slab.PageBytes {
		return nil
	}
	if now, _, err := c.ends(ctx); err != nil || now != end {
		return err
	}
	return c.report(ctx, storage.Finding{Kind: SlabLength, Page: end,
		Detail: fmt.Sprintf("the slab has %d bytes, its regions %d", length, end*slab.PageBytes)}, c.cut(end))
}

// ends returns where the regions end, in pages, and the file, in bytes.
func (c *checker) ends(ctx context.Context) (end, length int64, err error) {
	if c.live {
		q := &inFlightCheck{s: c.s, tail: true}
		err = c.ask(ctx, q, nil)
		return q.end, q.length, err
	}
	if length, err = c.s.slab.Length(); err != nil {
		return 0, 0, err
	}
	end, err = c.lastPage(ctx)
	return end, length, err
}

// checkWatermark compares the watermark with the receipts and with the erasures that the committer has not finished.
func (c *checker) checkWatermark(ctx context.Context) error {
	watermark, newest, err := c.watermark(ctx)
	if err != nil {
		return err
	}
	if watermark > newest {
		f := storage.Finding{Kind: storage.MetadataContradicts, Receipt: newest,
			Detail: fmt.Sprintf("every receipt up to %d counts as finished, and %d is the newest", watermark, newest)}
		if err := c.report(ctx, f, nil); err != nil {
			return err
		}
	}
	if !c.live {
		return nil
	}
	q := &inFlightCheck{s: c.s}
	if err := c.ask(ctx, q, nil); err != nil {
		return err
	}
	if q.lowest != 0 && q.lowest <= q.watermark {
		return c.report(ctx, storage.Finding{Kind: storage.MetadataContradicts, Receipt: q.lowest,
			Detail: fmt.Sprintf("every receipt up to %d counts as finished, and %d is not", q.watermark, q.lowest)}, nil)
	}
	return nil
}
