package receiptlog

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
)

// fault runs Verify and returns what it finds, nil for nothing. Any other error ends the test.
func fault(t *testing.T, w Walk) *FaultError {
	t.Helper()
	_, err := Verify(t.Context(), w)
	found, ok := errors.AsType[*FaultError](err)
	if err != nil && !ok {
		t.Fatal(err)
	}
	return found
}

// smallSizes are those for which everything is tried.
func smallSizes(yield func(int) bool) {
	for size := 1; size <= 17; size++ {
		if !yield(size) {
			return
		}
	}
}

func TestVerify(t *testing.T) {
	for size := range smallSizes {
		log := newLog(t, size, 5)
		walk := Walk{Head: log.head(), Rows: rows(log.leaves), Hashes: log}
		for older := range size + 1 {
			walk.Noted = append(walk.Noted, log.headAt(t, size-older))
		}
		if report, err := Verify(t.Context(), walk); err != nil || report != (Report{Receipts: int64(size)}) {
			t.Errorf("a sound log of %d: %+v, %v", size, report, err)
		}
		walk.Hashes = nil
		if report, err := Verify(t.Context(), walk); err != nil || report.Receipts != int64(size) {
			t.Errorf("a sound log of %d without its hashes: %+v, %v", size, report, err)
		}
	}
	empty := Head{Origin: testOrigin, Root: Frontier{}.Root()}
	if report, err := Verify(t.Context(), Walk{Head: empty, Noted: []Head{empty}, Rows: rows(nil), Hashes: &testLog{}}); err != nil || report != (Report{}) {
		t.Errorf("an empty log: %+v, %v", report, err)
	}
}

// change is one that somebody makes to the rows of a log.
type change struct {
	name   string
	leaves []Leaf
	want   FaultError
}

// changesOf returns each single change of one row at place i, after which the rows are numbered anew.
func changesOf(log *testLog, i int) []change {
	size, place := len(log.leaves), int64(i)
	id := log.leaves[i].Receipt()
	altered := slices.Clone(log.leaves)
	altered[i].Reason++
	inserted := slices.Insert(slices.Clone(log.leaves), i, testLeaf(1000))
	doubled := slices.Insert(slices.Clone(log.leaves), i+1, log.leaves[i])
	removed := slices.Delete(slices.Clone(log.leaves), i, i+1)
	missing := FaultError{Kind: Missing, Index: place, End: place + 1}
	if i+1 < size {
		missing.Receipt = log.leaves[i+1].Receipt()
	}
	changes := []change{
		{"altered", altered, FaultError{Kind: Altered, Index: place, End: place + 1, Receipt: id}},
		{"removed", removed, missing},
		{"inserted", inserted, FaultError{Kind: Inserted, Index: place, End: place + 1, Receipt: testLeaf(1000).Receipt()}},
	}
	if i+1 < size {
		changes = append(changes, change{"doubled", doubled, FaultError{Kind: Inserted, Index: place + 1, End: place + 2, Receipt: id}})
	}
	for j := range i {
		swapped := slices.Clone(log.leaves)
		swapped[i], swapped[j] = swapped[j], swapped[i]
		changes = append(changes, change{fmt.Sprintf("swapped with %d", j), swapped,
			FaultError{Kind: Misplaced, Index: int64(j), End: int64(j) + 1, Receipt: id, Belongs: place}})
		copied := slices.Clone(log.leaves)
		copied[i] = copied[j]
		changes = append(changes, change{fmt.Sprintf("replaced by %d", j), copied,
			FaultError{Kind: Misplaced, Index: place, End: place + 1, Receipt: log.leaves[j].Receipt(), Belongs: int64(j)}})
	}
	return changes
}

func TestEachChangeIsNamed(t *testing.T) {
	for size := range smallSizes {
		log := newLog(t, size, 5)
		for i := range size {
			for _, c := range changesOf(log, i) {
				walk := Walk{Head: log.head(), Rows: rows(c.leaves), Hashes: log}
				if got := fault(t, walk); got == nil || *got != c.want {
					t.Errorf("%s at %d of %d: %+v, want %+v", c.name, i, size, got, c.want)
				}
				walk.Hashes = nil
				if fault(t, walk) == nil {
					t.Errorf("%s at %d of %d: not found without the hashes", c.name, i, size)
				}
			}
		}
	}
}

// Rows that keep their numbers, as those of a database do.
func TestRowsThatAreGone(t *testing.T) {
	log := newLog(t, 9, 9)
	without := func(from, to int64) iter.Seq2[Row, error] {
		return func(yield func(Row, error) bool) {
			for row, err := range rows(log.leaves) {
				if (row.Index < from || row.Index >= to) && !yield(row, err) {
					return
				}
			}
		}
	}
	for from := range int64(9) {
		for to := from + 1; to <= 9; to++ {
			want := FaultError{Kind: Missing, Index: from, End: to}
			if to < 9 {
				want.Receipt = log.leaves[to].Receipt()
			}
			if got := fault(t, Walk{Head: log.head(), Rows: without(from, to), Hashes: log}); got == nil || *got != want {
				t.Errorf("without %d to %d: %+v, want %+v", from, to-1, got, want)
			}
			moved := slices.Delete(slices.Clone(log.leaves), int(from), int(to))
			if got := fault(t, Walk{Head: log.head(), Rows: rows(moved), Hashes: log}); got == nil || *got != want {
				t.Errorf("without %d to %d and with new numbers: %+v, want %+v", from, to-1, got, want)
			}
		}
	}
}

// A number twice, and rows behind the head, which are the next head's.
func TestRowsThatAreTooMany(t *testing.T) {
	log := newLog(t, 9, 9)
	twice := func(yield func(Row, error) bool) {
		for i := range log.leaves {
			for range 1 + i/8 { // the last one twice
				if !yield(Row{Index: int64(i), Leaf: &log.leaves[i]}, nil) {
					return
				}
			}
		}
	}
	want := FaultError{Kind: Inserted, Index: 8, End: 9, Receipt: log.leaves[8].Receipt()}
	if got := fault(t, Walk{Head: log.head(), Rows: twice, Hashes: log}); got == nil || *got != want {
		t.Errorf("the last row twice: %+v, want %+v", got, want)
	}
	if got := fault(t, Walk{Head: log.headAt(t, 6), Rows: rows(log.leaves), Hashes: log}); got != nil {
		t.Errorf("rows behind the head: %+v", got)
	}
	behind := func(yield func(Row, error) bool) { // the first four, and those behind the head
		for row, err := range rows(log.leaves) {
			if (row.Index < 4 || row.Index > 6) && !yield(row, err) {
				return
			}
		}
	}
	want = FaultError{Kind: Missing, Index: 4, End: 6, Receipt: log.leaves[7].Receipt()}
	if got := fault(t, Walk{Head: log.headAt(t, 6), Rows: behind, Hashes: log}); got == nil || *got != want {
		t.Errorf("the last rows of the head are missing, others follow: %+v, want %+v", got, want)
	}
}

func TestEachAlteredHashIsNamed(t *testing.T) {
	for size := range smallSizes {
		log := newLog(t, size, 5)
		for n := range log.hashes {
			broken := &testLog{hashes: slices.Clone(log.hashes)}
			broken.hashes[n][7] ^= 1
			// The leaf whose hashes begin at or before n has completed the subtree of that hash.
			leaf, found := slices.BinarySearchFunc(log.leaves, int64(n), func(l Leaf, n int64) int { return cmp.Compare(LeafHashIndex(l.Time/1000), n) })
			if !found {
				leaf--
			}
			level := int64(n) - LeafHashIndex(int64(leaf))
			want := FaultError{Kind: HashAltered, Index: int64(leaf) + 1 - 1<<level, End: int64(leaf) + 1}
			if got := fault(t, Walk{Head: log.head(), Rows: rows(log.leaves), Hashes: broken}); got == nil || *got != want {
				t.Errorf("hash %d of a log of %d: %+v, want %+v", n, size, got, want)
			}
		}
	}
}

// rewritten is a log whose leaf i was altered and all of whose hashes were computed anew.
func rewritten(t *testing.T, log *testLog, i int) *testLog {
	leaves := slices.Clone(log.leaves)
	leaves[i].Time--
	return logOf(t, leaves, 5)
}

func TestRewrittenHistory(t *testing.T) {
	for size := range smallSizes {
		log := newLog(t, size, 5)
		for i := range size {
			forged := rewritten(t, log, i)
			walk := Walk{Head: log.head(), Rows: rows(forged.leaves), Hashes: forged}
			if got, want := fault(t, walk), (FaultError{Kind: Rewritten, End: int64(size)}); got == nil || *got != want {
				t.Errorf("leaf %d of %d under the old head: %+v, want %+v", i, size, got, want)
			}
			walk.Head = forged.head() // signed by who has the key
			if got := fault(t, walk); got != nil {
				t.Errorf("leaf %d of %d under a head of its own: %+v", i, size, got)
			}
			for noted := range size + 1 {
				walk.Noted = []Head{log.headAt(t, noted)}
				got := fault(t, walk)
				if noted <= i && got != nil {
					t.Errorf("leaf %d of %d with the head of %d: %+v", i, size, noted, got)
				}
				if want := (FaultError{Kind: Forked, End: int64(noted), Noted: int64(noted)}); noted > i && (got == nil || *got != want) {
					t.Errorf("leaf %d of %d with the head of %d: %+v, want %+v", i, size, noted, got, want)
				}
			}
		}
	}
}

// The more heads were noted, the closer is the place.
func TestNotedHeadsNarrowTheFault(t *testing.T) {
	log := newLog(t, 30, 5)
	noted := []Head{log.headAt(t, 20), log.headAt(t, 10), log.headAt(t, 15)}
	forged := rewritten(t, log, 12)
	if got, want := fault(t, Walk{Head: forged.head(), Noted: noted, Rows: rows(forged.leaves), Hashes: forged}), (FaultError{Kind: Forked, Index: 10, End: 15, Noted: 15}); got == nil || *got != want {
		t.Errorf("leaf 12: %+v, want %+v", got, want)
	}
	forged = rewritten(t, log, 25)
	if got, want := fault(t, Walk{Head: log.head(), Noted: noted, Rows: rows(forged.leaves), Hashes: forged}), (FaultError{Kind: Rewritten, Index: 20, End: 30}); got == nil || *got != want {
		t.Errorf("leaf 25: %+v, want %+v", got, want)
	}
}

// Somebody goes back to an older state of the database and its head.
func TestLogThatWasCutShort(t *testing.T) {
	log := newLog(t, 30, 5)
	cut := logOf(t, log.leaves[:20], 5)
	walk := Walk{Head: cut.head(), Noted: []Head{log.head(), log.headAt(t, 10)}, Rows: rows(cut.leaves), Hashes: cut}
	if got, want := fault(t, walk), (FaultError{Kind: Missing, Index: 20, End: 30}); got == nil || *got != want {
		t.Errorf("a log of 20 whose head of 30 was noted: %+v, want %+v", got, want)
	}
}

func TestDroppedRecords(t *testing.T) {
	log := newLog(t, 20, 5)
	dropped := func(yield func(Row, error) bool) {
		for row, err := range rows(log.leaves) {
			if row.Index < 7 && row.Index != 3 {
				row = Row{Index: row.Index, Hash: row.Leaf.Hash()}
			}
			if !yield(row, err) {
				return
			}
		}
	}
	want := Report{Receipts: 14, Dropped: 6, DroppedBehind: log.leaves[3].Time}
	if got, err := Verify(t.Context(), Walk{Head: log.head(), Rows: dropped, Hashes: log}); err != nil || got != want {
		t.Errorf("six records dropped: %+v, %v, want %+v", got, err, want)
	}
	forged := func(yield func(Row, error) bool) {
		for row, err := range dropped {
			if row.Index == 5 {
				row.Hash[0] ^= 1
			}
			if !yield(row, err) {
				return
			}
		}
	}
	if got := fault(t, Walk{Head: log.head(), Rows: forged, Hashes: log}); got == nil || *got != (FaultError{Kind: Altered, Index: 5, End: 6}) {
		t.Errorf("another hash of a dropped record: %+v", got)
	}
}
