package receiptlog

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

// proofOf is the text of the proof for one leaf of a log.
func proofOf(t testing.TB, log *testLog, index int64) string {
	t.Helper()
	proof, err := ProveInclusion(t.Context(), log, log.head().Size, index)
	if err != nil {
		t.Fatal(err)
	}
	return string(FormatProof(log.leaves[index], index, proof, signed(t, log.head())))
}

func TestProofText(t *testing.T) {
	_, public := testKey(t, 1)
	for _, size := range []int{1, 2, 7, 100} {
		log := newLog(t, size, 9)
		for _, index := range []int64{0, int64(size) / 2, int64(size) - 1} {
			want := Proof{Head: log.head(), Index: index, Leaf: log.leaves[index]}
			if got, err := OpenProof([]byte(proofOf(t, log, index)), public); err != nil || got != want {
				t.Errorf("OpenProof of leaf %d of %d = %+v, %v, want %+v", index, size, got, err, want)
			}
		}
	}
}

func TestOpenProofRefuses(t *testing.T) {
	log := newLog(t, 9, 9)
	good := proofOf(t, log, 4)
	_, public := testKey(t, 1)
	_, another := testKey(t, 2)
	lines := strings.Split(good, "\n")
	replaced := func(old, with string) string { return strings.Replace(good, old, with, 1) }
	otherLeaf := "extra " + base64.StdEncoding.EncodeToString(log.leaves[5].Marshal())
	for _, row := range []struct {
		name, text, key string
		want            error
	}{
		{"another key", good, another, ErrSignature},
		{"another leaf", replaced(lines[1], otherLeaf), public, ErrNotProven},
		{"another place", replaced("index 4", "index 5"), public, ErrNotProven},
		{"a place behind the end", replaced("index 4", "index 9"), public, ErrNotProven},
		{"a negative place", replaced("index 4", "index -1"), public, ErrNotProven},
		{"a hash is missing", replaced(lines[3]+"\n", ""), public, ErrNotProven},
		{"a hash too many", replaced(lines[3]+"\n", lines[3]+"\n"+lines[3]+"\n"), public, ErrNotProven},
		{"another head", replaced("\n9\n", "\n8\n"), public, ErrSignature},
		{"no head", good[:strings.Index(good, "\n\n")+2], public, ErrHead},
		{"no empty line", replaced("\n\n", "\n"), public, ErrProofText},
		{"another title", replaced("@v1", "@v2"), public, ErrProofText},
		{"no leaf", replaced(lines[1]+"\n", ""), public, ErrProofText},
		{"a broken leaf", replaced(lines[1], "extra AAAA"), public, ErrProofText},
		{"a leaf that is no base64", replaced(lines[1], "extra !"), public, ErrProofText},
		{"a leading zero", replaced("index 4", "index 04"), public, ErrProofText},
		{"no number", replaced("index 4", "index"), public, ErrProofText},
		{"a short hash", replaced(lines[3], lines[3][4:]), public, ErrProofText},
		{"a space", replaced(lines[3], lines[3]+" "), public, ErrProofText},
		{"nothing", "", public, ErrProofText},
		{"too much", good + strings.Repeat("x", MaxProofBytes), public, ErrProofText},
	} {
		if got, err := OpenProof([]byte(row.text), row.key); !errors.Is(err, row.want) || got != (Proof{}) {
			t.Errorf("%s: %+v, error %v, want %v", row.name, got, err, row.want)
		}
	}
}
