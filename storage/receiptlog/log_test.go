package receiptlog

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"testing"
)

// testLog is a log in memory, as an engine keeps one.
type testLog struct {
	leaves   []Leaf
	hashes   []Hash
	frontier Frontier
	reads    int
	largest  int // number of hashes that were asked for at once
}

// testLeaf returns a leaf that no other number has.
func testLeaf(n int) Leaf {
	e := Entry{
		Time: int64(n) * 1000, Reason: 1, Organization: fmt.Sprintf("org-%d", n%3),
		Texts: Texts{Issuer: "https://issuer.example", User: fmt.Sprintf("user-%d", n), Caller: "admin", Request: fmt.Sprintf("req-%d", n)},
	}
	binary.BigEndian.PutUint64(e.ID[:], uint64(n))
	binary.BigEndian.PutUint64(e.Salt[:], uint64(n)+1)
	return e.Leaf()
}

// newLog seals leaves in batches of the given size, and takes the frontier from its bytes before each.
func newLog(t testing.TB, size, batch int) *testLog {
	t.Helper()
	leaves := make([]Leaf, size)
	for i := range leaves {
		leaves[i] = testLeaf(i)
	}
	return logOf(t, leaves, batch)
}

func logOf(t testing.TB, leaves []Leaf, batch int) *testLog {
	t.Helper()
	log := &testLog{leaves: leaves}
	for part := range slices.Chunk(leaves, batch) {
		restored, err := ParseFrontier(log.frontier.Marshal())
		if err != nil {
			t.Fatal(err)
		}
		grown, first, hashes := restored.Append(part)
		if first != int64(len(log.hashes)) {
			t.Fatalf("the hashes of a batch begin at %d, want %d", first, len(log.hashes))
		}
		log.hashes, log.frontier = append(log.hashes, hashes...), grown
	}
	return log
}

func (l *testLog) head() Head {
	return Head{Origin: "avatard/test", Size: l.frontier.Size(), Root: l.frontier.Root()}
}

// headAt is the head that the log had at a smaller size.
func (l *testLog) headAt(t testing.TB, size int) Head {
	t.Helper()
	return logOf(t, l.leaves[:size], max(size, 1)).head()
}

func (l *testLog) Hashes(ctx context.Context, indexes []int64) ([]Hash, error) {
	l.reads++
	l.largest = max(l.largest, len(indexes))
	hashes := make([]Hash, len(indexes))
	for i, index := range indexes {
		if index < 0 || index >= int64(len(l.hashes)) {
			return nil, fmt.Errorf("no hash %d of %d", index, len(l.hashes))
		}
		hashes[i] = l.hashes[index]
	}
	return hashes, ctx.Err()
}

// rows numbers leaves in their order.
func rows(leaves []Leaf) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for i := range leaves {
			if !yield(Row{Index: int64(i), Leaf: &leaves[i]}, nil) {
				return
			}
		}
	}
}
