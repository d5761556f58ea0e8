package receiptlog

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
)

// Row is what a log has at one place.
type Row struct {
	Index int64
	// Leaf is nil where the record of the receipt was dropped because of its age; then Hash is the leaf's hash, as it is kept. An engine that
	// has texts and salt makes the leaf out of them, so that an altered text is an altered leaf.
	Leaf *Leaf
	Hash Hash
}

func (r Row) hash() Hash {
	if r.Leaf == nil {
		return r.Hash
	}
	return r.Leaf.Hash()
}

func (r Row) receipt() string {
	if r.Leaf == nil {
		return ""
	}
	return r.Leaf.Receipt()
}

// Walk is what Verify looks at.
type Walk struct {
	// Head is one that OpenHead has returned. Rows behind its size are left alone: a newer head has them.
	Head Head
	// Noted are earlier heads of the log, which OpenHead has returned.
	Noted []Head
	// Rows are all rows of the log in the order of their places.
	Rows iter.Seq2[Row, error]
	// Hashes reads the kept hashes. Without it (nil) order and number of the rows, the head and the noted heads are checked; which row was
	// altered cannot be said then.
	Hashes HashReader
}

// Report is what Verify has seen.
type Report struct {
	Receipts int64 // leaves that are as they were sealed
	Dropped  int64 // leaves whose record was dropped
	// DroppedBehind is the newest time, in microseconds since 1970, among the receipts that stand before one whose record was dropped, 0
	// when there are none. It tells whether records were dropped for their age alone: then it is not much younger than that age.
	DroppedBehind int64
}

// Verify walks the log and returns a *FaultError that names the first receipt that is missing, altered, misplaced or was never sealed, or says
// that the log is not the one of its head or of a noted head. Other errors are ErrNoProof for a noted head of another log, and those of rows
// and hashes. It holds one row and a page of hashes in memory; the search for where a misplaced receipt belongs reads all hashes again.
func Verify(ctx context.Context, w Walk) (Report, error) {
	v, err := newVerifier(ctx, w)
	if err != nil {
		return Report{}, err
	}
	err = v.walk()
	return v.report, err
}

// verifier is a walk that is under way.
type verifier struct {
	ctx      context.Context
	walked   Walk
	noted    []Head // those that are still to be compared, the smallest first
	kept     *page  // nil without a HashReader
	frontier Frontier
	report   Report
	newest   int64 // time of a receipt
	agreed   int64 // size of the largest noted head that the log agrees with
	suspect  *Row  // a row that is not the one that was sealed there, until the next one has been seen
	scratch  []Hash
}

func newVerifier(ctx context.Context, w Walk) (*verifier, error) {
	if w.Head.Size < 0 || w.Head.Size > MaxSize {
		return nil, fmt.Errorf("%w: size %d", ErrHead, w.Head.Size)
	}
	noted := slices.SortedFunc(slices.Values(w.Noted), func(a, b Head) int { return cmp.Compare(a.Size, b.Size) })
	for _, head := range noted {
		if head.Origin != w.Head.Origin {
			return nil, fmt.Errorf("%w: the noted head is of the log %q, not of %q", ErrNoProof, head.Origin, w.Head.Origin)
		}
	}
	v := &verifier{ctx: ctx, walked: w, noted: noted}
	if w.Hashes != nil {
		v.kept = &page{ctx: ctx, reader: w.Hashes, count: HashCount(w.Head.Size)}
	}
	return v, nil
}

func (v *verifier) walk() error {
	if err := v.compareNoted(); err != nil {
		return err
	}
	for row, err := range v.walked.Rows {
		if err != nil {
			return err
		}
		if v.suspect != nil {
			next := row
			return v.locate(&next)
		}
		next := v.frontier.size
		if row.Index >= next && next == v.walked.Head.Size {
			break
		}
		if row.Index > next {
			return &FaultError{Kind: Missing, Index: next, End: min(row.Index, v.walked.Head.Size), Receipt: row.receipt()}
		}
		if row.Index < next {
			return &FaultError{Kind: Inserted, Index: row.Index, End: row.Index + 1, Receipt: row.receipt()}
		}
		if err := v.take(row); err != nil {
			return err
		}
	}
	if v.suspect != nil {
		return v.locate(nil)
	}
	return v.finish()
}

// take appends the row at the next place.
func (v *verifier) take(row Row) error {
	hash := row.hash()
	if v.kept != nil {
		kept, err := v.kept.at(LeafHashIndex(row.Index))
		if err != nil {
			return err
		}
		if kept != hash {
			suspect := row
			v.suspect = &suspect
			return nil
		}
	}
	v.scratch = v.frontier.add(hash, v.scratch[:0])
	if err := v.compareKept(row.Index); err != nil {
		return err
	}
	v.count(row)
	return v.compareNoted()
}

// compareKept compares the hashes of the subtrees that the leaf at index has completed with those that are kept.
func (v *verifier) compareKept(index int64) error {
	if v.kept == nil {
		return nil
	}
	for level := 1; level < len(v.scratch); level++ {
		kept, err := v.kept.at(LeafHashIndex(index) + int64(level))
		if err != nil {
			return err
		}
		if kept != v.scratch[level] {
			return &FaultError{Kind: HashAltered, Index: index + 1 - 1<<level, End: index + 1}
		}
	}
	return nil
}

func (v *verifier) count(row Row) {
	if row.Leaf == nil {
		v.report.Dropped++
		v.report.DroppedBehind = v.newest
		return
	}
	v.report.Receipts++
	v.newest = max(v.newest, row.Leaf.Time)
}

// compareNoted compares the log so far with the noted heads of this size.
func (v *verifier) compareNoted() error {
	for len(v.noted) > 0 && v.noted[0].Size == v.frontier.size {
		if v.noted[0].Root != v.frontier.Root() {
			return &FaultError{Kind: Forked, Index: v.agreed, End: v.frontier.size, Noted: v.frontier.size}
		}
		v.agreed = v.frontier.size
		v.noted = v.noted[1:]
	}
	return nil
}

// finish is for a log whose rows have all been taken.
func (v *verifier) finish() error {
	size, head := v.frontier.size, v.walked.Head
	if size < head.Size {
		return &FaultError{Kind: Missing, Index: size, End: head.Size}
	}
	if v.frontier.Root() != head.Root {
		return &FaultError{Kind: Rewritten, Index: v.agreed, End: size}
	}
	if len(v.noted) > 0 {
		return &FaultError{Kind: Missing, Index: size, End: v.noted[len(v.noted)-1].Size}
	}
	return nil
}

// pageHashes is how many hashes are read at once: those of some 256 leaves.
const pageHashes = 512

// page is a run of kept hashes in memory.
type page struct {
	ctx    context.Context
	reader HashReader
	count  int64 // of all that are kept
	first  int64
	hashes []Hash
}

// at returns the kept hash of a number. Numbers that rise are read page by page.
func (p *page) at(index int64) (Hash, error) {
	if index < p.first || index >= p.first+int64(len(p.hashes)) {
		indexes := make([]int64, min(pageHashes, p.count-index))
		for i := range indexes {
			indexes[i] = index + int64(i)
		}
		hashes, err := readHashes(p.ctx, p.reader, indexes)
		if err != nil {
			return Hash{}, err
		}
		p.first, p.hashes = index, hashes
	}
	return p.hashes[index-p.first], nil
}

// readHashes keeps a reader to its contract.
func readHashes(ctx context.Context, r HashReader, indexes []int64) ([]Hash, error) {
	hashes, err := r.Hashes(ctx, indexes)
	if err == nil && len(hashes) != len(indexes) {
		err = fmt.Errorf("the store has %d of %d hashes of the log of receipts", len(hashes), len(indexes))
	}
	return hashes, err
}
