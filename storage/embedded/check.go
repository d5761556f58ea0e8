package embedded

import (
	"context"
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"avatard/storage"
)

// A check compares metadata and bytes in both directions while the store serves. It reads in short steps: each holds the
// database for one page of rows, or reads one stretch of the slab, and never both at once. So what it has seen may have
// changed by the time it is judged, and nothing is called a finding before it was looked at again:
//
//   - A slot is judged by its row and its bytes. Only when the row is the same before and after the bytes were read does
//     the judgement count: a generation has its id once, and while it is active, or erased and on record, nobody writes
//     to its slot.
//   - What is on its way (uploading, erasing) is shown to the committer for some rounds. Whoever is worked on has
//     moved by then.
//   - Rows are compared with each other only where one statement, or one hold of the database, has read them all.
//
// Slots are walked in the slab's order beside their rows in the same order, users in the order of their numbers. So
// memory does not depend on how many there are.

// FindingKind names what is wrong. Programs read these names: none changes its meaning.
type FindingKind string

// What a check can find. docs/operating.md says what each means and what a repair does.
const (
	OrphanedBytes       FindingKind = "orphaned-bytes"
	PictureMissing      FindingKind = "picture-missing"
	PictureUnreadable   FindingKind = "picture-unreadable"
	SizeDiffers         FindingKind = "size-differs"
	UploadUnfinished    FindingKind = "upload-unfinished"
	ErasureUnfinished   FindingKind = "erasure-unfinished"
	SlotQuarantined     FindingKind = "slot-quarantined"
	TwoPictures         FindingKind = "two-pictures"
	ReceiptMissing      FindingKind = "receipt-missing"
	ReceiptContradicts  FindingKind = "receipt-contradicts"
	ReceiptDoubled      FindingKind = "receipt-doubled"
	ReceiptOfLiving     FindingKind = "receipt-of-living"
	ReceiptChain        FindingKind = "receipt-chain"
	ReceiptUnlinked     FindingKind = "receipt-unlinked"
	WatermarkAhead      FindingKind = "watermark-ahead"
	GenerationMisplaced FindingKind = "generation-misplaced"
	SlabLength          FindingKind = "slab-length"
	SlabHeader          FindingKind = "slab-header"
	DatabaseDamaged     FindingKind = "database-damaged"
)

// Finding is one place where metadata and bytes, or metadata and metadata, disagree. It holds no byte of a picture.
type Finding struct {
	Kind FindingKind `json:"finding"`
	// Page is the slot's first 4 KiB page in the slab, 0 when the finding is about no place there.
	Page int64 `json:"page,omitempty"`
	// Bytes counts those that should not be there.
	Bytes int64 `json:"bytes,omitempty"`
	// Generation is the id of the picture in question, which is the id of its receipt, too.
	Generation string `json:"generation,omitempty"`
	// Receipt is the number of a receipt inside the database.
	Receipt int64 `json:"receipt,omitempty"`
	// User and Issuer name whose picture or receipt it is, where that is known.
	User   string `json:"user,omitempty"`
	Issuer string `json:"issuer,omitempty"`
	// Detail says in a sentence what was seen.
	Detail string `json:"detail"`
	// Repaired tells that the repair was done and is durable.
	Repaired bool `json:"repaired"`
	// Repair says what was done, or why nothing was. It is empty when no repair was asked for.
	Repair string `json:"repair,omitempty"`
}

// Summary counts what a check has looked at. A picture that moves to another slot meanwhile, because it is replaced, may be
// counted twice or not at all.
type Summary struct {
	Slots    int64 `json:"slots"`
	Pictures int64 `json:"pictures"`
	Users    int64 `json:"users"`
	Receipts int64 `json:"receipts"`
	// UnderWay counts the slots that were being filled or erased, or changed faster than they could be looked at.
	UnderWay int64 `json:"under_way"`
	Findings int64 `json:"findings"`
	Repaired int64 `json:"repaired"`
}

// CheckOptions says what to do.
type CheckOptions struct {
	// Repair finishes or removes what is found, where that loses no picture that is whole.
	Repair bool
	// By is who asked, for the audit trail of repairs.
	By storage.Origin
	// Progress, when set, is told how much of the work is done. total may grow between calls.
	Progress func(done, total int64)
}

// ErrChecking: the store is being checked already, and one check at a time is enough.
var ErrChecking = errors.New("a check is running already")

// Check looks for disagreements between metadata and bytes, and among metadata, while the store serves. found is called
// for each one as soon as it is known for sure and, with a repair, tried to be repaired. An error of found ends the check.
//
// An error means that not everything was looked at. The errors are ErrChecking, storage.ErrUnavailable, those of ctx and
// found, and those of the disk.
func (s *Store) Check(ctx context.Context, opt CheckOptions, found func(Finding) error) (Summary, error) {
	if !s.checking.CompareAndSwap(false, true) {
		return Summary{}, ErrChecking
	}
	defer s.checking.Store(false)
	c := &checker{s: s, opt: opt, found: found, live: true}
	err := c.run(ctx)
	return c.sum, err
}

// checker is one check.
type checker struct {
	s     *Store
	opt   CheckOptions
	found func(Finding) error
	// live tells that a committer works on the store. Without one nothing changes, and nothing can be repaired.
	live bool
	// alone tells that nobody waits for the database, so that SQLite may take its time to check it.
	alone bool

	sum         Summary
	done, total int64
	buf         []byte // of the slab
	held        int    // rows in memory
	most        int    // the most of them at one time
}

func (c *checker) run(ctx context.Context) error {
	defer func() { clear(c.buf) }() // pictures were in it
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"database", c.checkDatabase},
		{"slab", c.checkSlab},
		{"users", c.checkUsers},
		{"watermark", c.checkWatermark},
		{"references", c.checkReferences},
	}
	if err := c.measure(ctx); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	for _, step := range steps {
		err := step.do(ctx)
		if errors.Is(err, sqlite3.CORRUPT) { // what it does not reach may be looked at by the other steps
			err = c.report(ctx, Finding{Kind: DatabaseDamaged, Detail: "the metadata cannot be read any further: " + err.Error()}, nil)
		}
		if err != nil {
			return fmt.Errorf("check %s: %w", step.name, err)
		}
	}
	c.progress(c.total - c.done)
	return nil
}

// report passes a finding on after it was repaired, if that is asked for and repair is one that can be done. repair
// returns what it did, or errMoved when what was found is gone meanwhile.
func (c *checker) report(ctx context.Context, f Finding, repair func(context.Context) (string, error)) error {
	if !c.opt.Repair {
		f.Repair = ""
	} else {
		switch {
		case repair == nil && f.Repair == "":
			f.Repair = "cannot be repaired"
		case repair != nil && !c.live:
			f.Repair = "nothing was done"
		case repair != nil:
			did, err := repair(ctx)
			if errors.Is(err, errMoved) {
				return nil
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			f.Repaired, f.Repair = err == nil, did
			if err != nil {
				f.Repair = "failed: " + err.Error()
			}
		}
	}
	c.sum.Findings++
	if f.Repaired {
		c.sum.Repaired++
	}
	return c.found(f)
}

// errMoved: what was found is no longer so.
var errMoved = errors.New("it has changed meanwhile")

// progress counts work that is done: one for each page of the slab and each user.
func (c *checker) progress(n int64) {
	c.done += n
	c.total = max(c.total, c.done)
	if c.opt.Progress != nil {
		c.opt.Progress(c.done, c.total)
	}
}

// hold counts rows that are kept in memory, for the proof that their number is bounded.
func (c *checker) hold(rows int) { c.held += rows; c.most = max(c.most, c.held) }
