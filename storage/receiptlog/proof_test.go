package receiptlog

import (
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// node is the hash of an inner node, written out.
func node(left, right Hash) Hash { return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:])) }

// holdsInclusion is the algorithm of RFC 9162, section 2.1.3.2.
func holdsInclusion(proof []Hash, size, index int64, leaf, root Hash) bool {
	if index >= size {
		return false
	}
	fn, sn, r := index, size-1, leaf
	for _, p := range proof {
		if sn == 0 {
			return false
		}
		if fn&1 == 1 || fn == sn {
			r = node(p, r)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			r = node(r, p)
		}
		fn, sn = fn>>1, sn>>1
	}
	return sn == 0 && r == root
}

// holdsConsistency is the algorithm of RFC 9162, section 2.1.4.2.
func holdsConsistency(proof []Hash, older, newer int64, olderRoot, newerRoot Hash) bool {
	if older == newer {
		return len(proof) == 0 && olderRoot == newerRoot
	}
	if older&(older-1) == 0 {
		proof = append([]Hash{olderRoot}, proof...)
	}
	if len(proof) == 0 {
		return false
	}
	fn, sn := older-1, newer-1
	for fn&1 == 1 {
		fn, sn = fn>>1, sn>>1
	}
	fr, sr := proof[0], proof[0]
	for _, c := range proof[1:] {
		if sn == 0 {
			return false
		}
		if fn&1 == 1 || fn == sn {
			fr, sr = node(c, fr), node(c, sr)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			sr = node(sr, c)
		}
		fn, sn = fn>>1, sn>>1
	}
	return sn == 0 && fr == olderRoot && sr == newerRoot
}

// sizesToTry are all small sizes, and some that are drawn.
func sizesToTry(random *rand.Rand) []int {
	sizes := []int{64, 65, 255}
	for size := range 20 {
		sizes = append(sizes, size+1)
	}
	for range 6 {
		sizes = append(sizes, 1+random.IntN(400))
	}
	return sizes
}

func TestInclusion(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, size := range sizesToTry(random) {
		log := newLog(t, size, 16)
		head := log.head()
		for range min(size, 20) {
			i := random.IntN(size)
			proof, err := ProveInclusion(t.Context(), log, head.Size, int64(i))
			if err != nil || CheckInclusion(proof, head, int64(i), log.leaves[i]) != nil {
				t.Fatalf("leaf %d of %d is not proven: %v", i, size, err)
			}
			if !holdsInclusion(proof, head.Size, int64(i), log.leaves[i].Hash(), head.Root) {
				t.Fatalf("leaf %d of %d is not proven by the algorithm of the RFC", i, size)
			}
			for name, err := range map[string]error{
				"another leaf":     CheckInclusion(proof, head, int64(i), testLeaf(size)),
				"another root":     CheckInclusion(proof, Head{Size: head.Size, Root: testLeaf(size).Hash()}, int64(i), log.leaves[i]),
				"a hash too many":  CheckInclusion(append(slices.Clone(proof), head.Root), head, int64(i), log.leaves[i]),
				"a place too far":  CheckInclusion(proof, head, (int64(i)+1)%(head.Size+1), log.leaves[i]),
				"a negative place": CheckInclusion(proof, head, -1, log.leaves[i]),
			} {
				if !errors.Is(err, ErrNotProven) && !errors.Is(err, ErrNoProof) {
					t.Errorf("leaf %d of %d with %s: error %v", i, size, name, err)
				}
			}
			for n := range proof {
				altered := slices.Clone(proof)
				altered[n][31] ^= 1
				if err := CheckInclusion(altered, head, int64(i), log.leaves[i]); !errors.Is(err, ErrNotProven) {
					t.Errorf("leaf %d of %d with another hash %d: error %v", i, size, n, err)
				}
			}
		}
	}
}

func TestConsistency(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, size := range sizesToTry(random) {
		log := newLog(t, size, 16)
		head := log.head()
		for range min(size, 10) {
			older := log.headAt(t, random.IntN(size+1))
			proof, err := ProveConsistency(t.Context(), log, head.Size, older.Size)
			if err != nil || CheckConsistency(proof, head, older) != nil {
				t.Fatalf("%d in %d is not proven: %v", older.Size, size, err)
			}
			if older.Size > 0 && !holdsConsistency(proof, older.Size, head.Size, older.Root, head.Root) {
				t.Fatalf("%d in %d is not proven by the algorithm of the RFC", older.Size, size)
			}
			if err := CheckConsistency(append(slices.Clone(proof), head.Root), head, older); !errors.Is(err, ErrNotProven) {
				t.Errorf("%d in %d with a hash too many: error %v", older.Size, size, err)
			}
			older.Root[0] ^= 1
			if err := CheckConsistency(proof, head, older); !errors.Is(err, ErrNotProven) {
				t.Errorf("another log of %d in one of %d: error %v", older.Size, size, err)
			}
		}
	}
}

// Every log has the empty one as its past, which has one root.
func TestConsistencyWithTheEmptyLog(t *testing.T) {
	head := newLog(t, 5, 5).head()
	empty := Head{Origin: head.Origin, Root: Frontier{}.Root()}
	wrong := Head{Origin: head.Origin, Root: head.Root}
	for _, row := range []struct {
		name         string
		newer, older Head
		want         error
	}{
		{"in a log", head, empty, nil}, {"in itself", empty, empty, nil},
		{"with another root", head, wrong, ErrNotProven}, {"in one with another root", wrong, empty, ErrNotProven},
	} {
		if err := CheckConsistency(nil, row.newer, row.older); !errors.Is(err, row.want) {
			t.Errorf("the empty log %s: error %v, want %v", row.name, err, row.want)
		}
	}
}

func TestWhatCannotBeProven(t *testing.T) {
	log := newLog(t, 5, 5)
	head := log.head()
	other := head
	other.Origin = "avatard/other"
	larger := head
	larger.Size++
	huge := Head{Origin: head.Origin, Size: 1<<63 - 1}
	proveIn := func(size, index int64) error { _, err := ProveInclusion(t.Context(), log, size, index); return err }
	proveOlder := func(size, older int64) error { _, err := ProveConsistency(t.Context(), log, size, older); return err }
	for name, err := range map[string]error{
		"a place behind the end":     proveIn(5, 5),
		"a place before the start":   proveIn(5, -1),
		"a leaf of a huge log":       proveIn(huge.Size, 0),
		"an older log that is newer": proveOlder(5, 6),
		"a log of less than nothing": proveOlder(5, -1),
		"a huge log":                 proveOlder(huge.Size, 1),
		"heads of two logs":          CheckConsistency(nil, head, other),
		"heads in the wrong order":   CheckConsistency(nil, head, larger),
		"a huge head":                CheckConsistency(nil, huge, head),
		"a leaf in a huge head":      CheckInclusion(nil, huge, 0, log.leaves[0]),
	} {
		if !errors.Is(err, ErrNoProof) {
			t.Errorf("%s: error %v, want %v", name, err, ErrNoProof)
		}
	}
}
