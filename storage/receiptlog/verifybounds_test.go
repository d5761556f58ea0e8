package receiptlog

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// A walk asks for a page of hashes at a time, holds no more of them, and stops at the row behind the first fault.
func TestVerifyIsBounded(t *testing.T) {
	const size, bad = 20_000, 5_000
	log := newLog(t, size, size)
	if _, err := Verify(t.Context(), Walk{Head: log.head(), Rows: rows(log.leaves), Hashes: log}); err != nil {
		t.Fatal(err)
	}
	if most := 2*size/pageHashes + 1; log.reads > most || log.largest > pageHashes {
		t.Errorf("%d reads of up to %d hashes, want %d of up to %d", log.reads, log.largest, most, pageHashes)
	}
	log.leaves[bad].Reason++
	seen := 0
	counted := func(yield func(Row, error) bool) {
		for row, err := range rows(log.leaves) {
			seen++
			if !yield(row, err) {
				return
			}
		}
	}
	log.reads = 0
	if got := fault(t, Walk{Head: log.head(), Rows: counted, Hashes: log}); got == nil || got.Index != bad {
		t.Fatalf("the fault is %+v, want one at %d", got, bad)
	}
	if most := 4*size/pageHashes + 4; seen != bad+2 || log.reads > most || log.largest > pageHashes {
		t.Errorf("%d rows, %d reads of up to %d hashes, want %d, at most %d, %d", seen, log.reads, log.largest, bad+2, most, pageHashes)
	}
}

// What a walk allocates does not grow with the log, but for the bytes of each leaf while it is hashed.
func TestVerifyAllocations(t *testing.T) {
	perLeaf := func(size int) float64 {
		log := newLog(t, size, size)
		walk := Walk{Head: log.head(), Rows: rows(log.leaves)}
		return testing.AllocsPerRun(3, func() {
			if _, err := Verify(t.Context(), walk); err != nil {
				t.Fatal(err)
			}
		}) / float64(size)
	}
	if small, large := perLeaf(1_000), perLeaf(20_000); large > small {
		t.Errorf("a leaf costs %.2f allocations in a log of 20,000, %.2f in one of 1,000", large, small)
	}
}

// brokenHashes fails from its n-th call on.
type brokenHashes struct {
	*testLog
	calls int
	short bool // gives one hash less instead
}

func (b *brokenHashes) Hashes(ctx context.Context, indexes []int64) ([]Hash, error) {
	hashes, err := b.testLog.Hashes(ctx, indexes)
	if b.calls--; b.calls >= 0 {
		return hashes, err
	}
	if b.short {
		return hashes[1:], nil
	}
	return nil, errElsewhere
}

// A store that cannot be read is no log that was altered.
func TestVerifyWithAStoreThatFails(t *testing.T) {
	log := newLog(t, 1_000, 1_000)
	leaves := append([]Leaf(nil), log.leaves...)
	leaves[700], leaves[300] = leaves[300], leaves[700]
	clean := &brokenHashes{testLog: log, calls: 1 << 30}
	if got := fault(t, Walk{Head: log.head(), Rows: rows(leaves), Hashes: clean}); got == nil || got.Belongs != 700 {
		t.Fatalf("the fault is %+v", got)
	}
	for calls := range 1<<30 - clean.calls {
		for _, short := range []bool{false, true} {
			_, err := Verify(t.Context(), Walk{Head: log.head(), Rows: rows(leaves), Hashes: &brokenHashes{testLog: log, calls: calls, short: short}})
			if _, ok := errors.AsType[*FaultError](err); err == nil || ok {
				t.Errorf("after %d calls (short: %t): error %v", calls, short, err)
			}
		}
	}
	failing := func(yield func(Row, error) bool) { yield(Row{}, errElsewhere) }
	if _, err := Verify(t.Context(), Walk{Head: log.head(), Rows: failing, Hashes: log}); !errors.Is(err, errElsewhere) {
		t.Errorf("rows that cannot be read: error %v", err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	log := newLog(t, 3, 3)
	other, huge := log.head(), log.head()
	other.Origin = "avatard/other"
	huge.Size = 1<<63 - 1
	if _, err := Verify(t.Context(), Walk{Head: log.head(), Noted: []Head{other}, Rows: rows(log.leaves)}); !errors.Is(err, ErrNoProof) {
		t.Errorf("the head of another log: error %v", err)
	}
	if _, err := Verify(t.Context(), Walk{Head: huge, Rows: rows(log.leaves)}); !errors.Is(err, ErrHead) {
		t.Errorf("a huge head: error %v", err)
	}
}

func TestFaultsAreSentences(t *testing.T) {
	for _, row := range []struct {
		fault FaultError
		want  string
	}{
		{FaultError{Kind: Missing, Index: 3, End: 4, Receipt: "ab"}, "the receipt at place 3 is missing, before receipt ab"},
		{FaultError{Kind: Missing, Index: 3, End: 6}, "the receipts at places 3 to 5 are missing"},
		{FaultError{Kind: Altered, Index: 3, End: 4, Receipt: "ab"}, "receipt ab at place 3 is not the one that was sealed there"},
		{FaultError{Kind: Altered, Index: 3, End: 4}, "a receipt whose record was dropped at place 3 is not the one that was sealed there"},
		{FaultError{Kind: Misplaced, Index: 3, End: 4, Receipt: "ab", Belongs: 7}, "receipt ab is at place 3 and was sealed at place 7"},
		{FaultError{Kind: Inserted, Index: 3, End: 4, Receipt: "ab"}, "receipt ab at place 3 is one too many"},
		{FaultError{Kind: Inserted, Index: -1, End: -1, Receipt: "ab"}, "receipt ab has no place in the log, which has places for later ones"},
		{FaultError{Kind: HeadAltered, End: 8}, "the head that was signed last was altered or removed, or the key of the log was replaced"},
		{FaultError{Kind: HashAltered, Index: 3, End: 4}, "the hash that is kept for place 3 was altered; the receipt is the one that was sealed there"},
		{FaultError{Kind: HashAltered, Index: 4, End: 8}, "the receipts at places 4 to 7 and the hash that is kept for them do not fit one another"},
		{FaultError{Kind: Rewritten, Index: 4, End: 8}, "the receipts at places 4 to 7 are not what the signed head has there: history was rewritten"},
		{FaultError{Kind: Forked, Index: 0, End: 8, Noted: 8}, "the receipts at places 0 to 7 are not what the noted head of 8 has there: history was rewritten"},
	} {
		if got := row.fault.Error(); got != row.want || strings.HasSuffix(got, ".") {
			t.Errorf("%+v says %q, want %q", row.fault, got, row.want)
		}
	}
}
