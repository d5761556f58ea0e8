package receiptlog

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// MaxSize bounds the size of a log. It is far more than there will ever be, and far below where the arithmetic of package tlog ends.
const MaxSize = 1 << 48

// Frontier is the state of a log that grows: its size and the roots of the largest full subtrees of which it is made, the leftmost first,
// which are at most 48. The zero value is the empty log. It is a value: nothing changes one that there is, so an engine whose
// transaction failed goes on with the one of before.
type Frontier struct {
	size  int64
	roots []Hash // one for each bit of size that is set
}

// ErrFrontier: the bytes are not those of a frontier.
var ErrFrontier = errors.New("not a frontier of the log of receipts")

// Size returns the number of leaves.
func (f Frontier) Size() int64 { return f.size }

// Root returns the root of the tree.
func (f Frontier) Root() Hash {
	last := len(f.roots) - 1
	if last < 0 {
		return sha256.Sum256(nil)
	}
	root := f.roots[last]
	for _, left := range slices.Backward(f.roots[:last]) {
		root = tlog.NodeHash(left, root)
	}
	return root
}

// Append returns the frontier of the log with these leaves behind the others, and the hashes to store for them: the first gets the number
// first, which is the HashCount of the size before, and each the next one.
func (f Frontier) Append(leaves []Leaf) (grown Frontier, first int64, hashes []Hash) {
	grown = Frontier{size: f.size, roots: slices.Clone(f.roots)}
	for _, leaf := range leaves {
		hashes = grown.add(leaf.Hash(), hashes)
	}
	return grown, HashCount(f.size), hashes
}

// add appends a leaf by its hash in place. It adds to hashes the leaf's and those of the subtrees that this leaf completes, from small to
// large.
func (f *Frontier) add(hash Hash, hashes []Hash) []Hash {
	hashes = append(hashes, hash)
	for range bits.TrailingZeros64(^uint64(f.size)) {
		last := len(f.roots) - 1
		hash = tlog.NodeHash(f.roots[last], hash)
		f.roots = f.roots[:last]
		hashes = append(hashes, hash)
	}
	f.roots = append(f.roots, hash)
	f.size++
	return hashes
}

// HashCount returns how many hashes are stored for a log of that size; it is below twice the size.
func HashCount(size int64) int64 { return tlog.StoredHashCount(size) }

// LeafHashIndex returns the number under which the hash of a leaf is stored.
func LeafHashIndex(leaf int64) int64 { return tlog.StoredHashIndex(0, leaf) }

// Completing returns the leaf with which Append has given the hash of this number, and how many hashes it gave for that leaf before this one.
func Completing(index int64) (leaf int64, before int) {
	level, n := tlog.SplitStoredHashIndex(index)
	return (n+1)<<level - 1, level
}

// Marshal returns the frontier as bytes: the size (8, big-endian) and the roots.
func (f Frontier) Marshal() []byte {
	b := make([]byte, 0, 8+len(f.roots)*sha256.Size)
	b = binary.BigEndian.AppendUint64(b, uint64(f.size))
	for _, root := range f.roots {
		b = append(b, root[:]...)
	}
	return b
}

// ParseFrontier is the way back from Marshal. The error is ErrFrontier.
func ParseFrontier(b []byte) (Frontier, error) {
	if len(b) < 8 {
		return Frontier{}, ErrFrontier
	}
	size := binary.BigEndian.Uint64(b)
	b = b[8:]
	if size > MaxSize || len(b) != bits.OnesCount64(size)*sha256.Size {
		return Frontier{}, ErrFrontier
	}
	f := Frontier{size: int64(size)}
	for root := range slices.Chunk(b, sha256.Size) {
		f.roots = append(f.roots, Hash(root))
	}
	return f, nil
}
