package embedded

import (
	"context"
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
)

// A check compares metadata and bytes in both directions while the store serves. It reads in short steps: each holds the
// database for one page of rows, or reads one stretch of the slab, and never both at once. So what it has seen may have
// changed by the time it is judged, and nothing is called a finding before it was looked at again:
//
//   - A slot is judged by its row and its bytes. Only when the row is the same before and after the bytes were read does
//     the judgement count: a generation has its id once, and while it is active, or erased and on record, its slot is not
//     written.
//   - Generations on their way (uploading, erasing) are shown to the committer for some group commits. Those that are worked
//     on have moved by then.
//   - Rows are compared with each other only where one statement, or one hold of the database, has read them all.
//
// Slots are walked in the slab's order beside their rows in the same order, users in the order of their numbers. So the memory
// does not depend on how many there are, except for one bit for each receipt.

// Kinds of finding that only this engine has, beside those of package storage.
const (
	SlotQuarantined storage.FindingKind = "slot-quarantined"
	SlabLength      storage.FindingKind = "slab-length"
	SlabHeader      storage.FindingKind = "slab-header"
)

// Check looks for disagreements between metadata and bytes, and among metadata, while the store serves. found is called
// for each one as soon as it is known for sure and, with a repair, tried to be repaired. An error of found ends the check.
//
// An error means that not everything was looked at. The errors are storage.ErrChecking, storage.ErrUnavailable, those of ctx and
// found, and those of the disk.
func (s *Store) Check(ctx context.Context, opt storage.CheckOptions, found func(storage.Finding) error) (storage.CheckSummary, error) {
	if !s.checking.CompareAndSwap(false, true) {
		return storage.CheckSummary{}, storage.ErrChecking
	}
	defer s.checking.Store(false)
	c := &checker{s: s, opt: opt, found: found, live: true}
	err := c.run(ctx)
	return c.sum, err
}

// checker is one check.
type checker struct {
	s     *Store
	opt   storage.CheckOptions
	found func(storage.Finding) error
	// live is set when a committer works on the store. Without one nothing changes, and nothing can be repaired.
	live bool
	// alone is set when no calls wait for the database, so that SQLite may take long to check it.
	alone bool
	// lacks says which tables and columns are missing, see prepareAll. A store that is live has all of them.
	lacks []string

	sum         storage.CheckSummary
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
		{"schema", c.checkLacking},
		{"database", c.checkDatabase},
		{"slab", c.checkSlab},
		{"users", c.checkUsers},
		{"watermark", c.checkWatermark},
		{"references", c.checkReferences},
	}
	if err := c.measure(ctx); err != nil && !c.isLacking(err) {
		return fmt.Errorf("check: %w", err)
	}
	for _, step := range steps {
		err := step.do(ctx)
		if errors.Is(err, sqlite3.CORRUPT) { // the other steps may still read what this one could not
			err = c.report(ctx, storage.Finding{Kind: storage.DatabaseDamaged, Detail: "the metadata cannot be read any further: " + err.Error()}, nil)
		}
		if err != nil && !c.isLacking(err) {
			return fmt.Errorf("check %s: %w", step.name, err)
		}
	}
	c.progress(c.total - c.done)
	return nil
}

// report passes a finding on, after repairing it if that was asked for and can be done. repair returns what it did, or errMoved when
// the finding is gone meanwhile; nil is for a finding that cannot be repaired.
func (c *checker) report(ctx context.Context, f storage.Finding, repair func(context.Context) (string, error)) error {
	if f.Kind == storage.MetadataContradicts {
		f.Detail += "; restore a backup"
	}
	if !c.opt.Repair {
		f.Repair = ""
	} else {
		switch {
		case f.Kind == storage.MetadataContradicts:
			f.Repair = "nothing was done"
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

// errMoved means that a finding does not hold any more.
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
