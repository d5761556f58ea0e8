package receiptlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// The leaves and roots with which implementations of RFC 6962 are tested, since the first of them.
var (
	publishedLeaves = []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	publishedRoots  = []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
)

// publishedLog is the tree over the published leaves, which are no leaves of ours.
func publishedLog(t *testing.T) *testLog {
	log := &testLog{}
	for _, text := range publishedLeaves {
		data, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		log.hashes = log.frontier.add(sha256.Sum256(append([]byte{0}, data...)), log.hashes)
	}
	return log
}

func TestPublishedRoots(t *testing.T) {
	log := publishedLog(t)
	var f Frontier
	for size, want := range publishedRoots {
		if got := f.Root(); hex.EncodeToString(got[:]) != want {
			t.Errorf("the root of %d leaves is %x, want %s", size, got[:], want)
		}
		if size < len(publishedLeaves) {
			f.add(log.hashes[LeafHashIndex(int64(size))], nil)
		}
	}
}

func TestPublishedProofs(t *testing.T) {
	log := publishedLog(t)
	for _, row := range []struct {
		name        string
		size, other int64
		consistency bool
		want        []string
	}{
		{"leaf 0 of 1", 1, 0, false, nil},
		{"leaf 0 of 8", 8, 0, false, []string{
			"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
			"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
			"6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
		{"leaf 5 of 8", 8, 5, false, []string{
			"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
			"ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
			"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
		{"2 in 5", 5, 2, true, []string{
			"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
			"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
		{"6 in 8", 8, 6, true, []string{
			"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
			"ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
			"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
	} {
		prove := ProveInclusion
		if row.consistency {
			prove = ProveConsistency
		}
		proof, err := prove(t.Context(), log, row.size, row.other)
		var got []string
		for _, hash := range proof {
			got = append(got, hex.EncodeToString(hash[:]))
		}
		if err != nil || !slices.Equal(got, row.want) {
			t.Errorf("%s: %q (%v), want %q", row.name, got, err, row.want)
		}
	}
}

// definedRoot is the hash of a tree as RFC 9162, section 2.1.1, defines it.
func definedRoot(leaves []Leaf) Hash {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, leaves[0].Marshal()...))
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	left, right := definedRoot(leaves[:k]), definedRoot(leaves[k:])
	return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
}

func TestRootsAreAsDefined(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	sizes := []int{0, 1, 2, 3, 63, 64, 65, 1000}
	for range 10 {
		sizes = append(sizes, random.IntN(700))
	}
	for _, size := range sizes {
		log := newLog(t, size, 1+random.IntN(50))
		if got, want := log.frontier.Root(), definedRoot(log.leaves); got != want {
			t.Errorf("the root of %d leaves is %v, want %v", size, got, want)
		}
		if got := HashCount(int64(size)); got != int64(len(log.hashes)) {
			t.Errorf("%d leaves store %d hashes, want %d", size, len(log.hashes), got)
		}
		for i, leaf := range log.leaves {
			if log.hashes[LeafHashIndex(int64(i))] != leaf.Hash() {
				t.Fatalf("the hash of leaf %d of %d is not at its place", i, size)
			}
			first := HashCount(int64(i))
			for index := first; index < HashCount(int64(i)+1); index++ {
				if leaf, before := Completing(index); leaf != int64(i) || before != int(index-first) {
					t.Fatalf("hash %d came with leaf %d behind %d others, want %d behind %d", index, leaf, before, i, index-first)
				}
			}
		}
	}
}

// A transaction that failed leaves the frontier of before as it was, and so does a second one that goes another way.
func TestFrontierIsAValue(t *testing.T) {
	before := newLog(t, 7, 7).frontier
	root := before.Root()
	one, _, _ := before.Append([]Leaf{testLeaf(7)})
	oneRoot := one.Root()
	other, _, _ := before.Append([]Leaf{testLeaf(70), testLeaf(71)})
	if before.Size() != 7 || before.Root() != root || one.Root() != oneRoot || other.Size() != 9 || other.Root() == oneRoot {
		t.Error("appending to a frontier has changed another one")
	}
}

func TestParseFrontierRefuses(t *testing.T) {
	good := newLog(t, 6, 6).frontier.Marshal()
	if f, err := ParseFrontier(good); err != nil || !bytes.Equal(f.Marshal(), good) {
		t.Fatalf("a frontier of %d bytes: %v", len(good), err)
	}
	tooLarge := slices.Clone(good)
	tooLarge[0], tooLarge[7] = 1, 2 // two roots, as before
	for name, data := range map[string][]byte{
		"nothing": nil, "no size": good[:7], "a root is missing": good[:40], "half a root": good[:len(good)-1],
		"a root too many": append(slices.Clone(good), good[:32]...), "a size that is out of range": tooLarge,
	} {
		if _, err := ParseFrontier(data); !errors.Is(err, ErrFrontier) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
