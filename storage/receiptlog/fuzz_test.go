package receiptlog

import (
	"bytes"
	"testing"
)

func FuzzParseLeaf(f *testing.F) {
	f.Add(goldenEntry.Leaf().Marshal())
	f.Add([]byte{leafVersion})
	f.Fuzz(func(t *testing.T, data []byte) {
		leaf, err := ParseLeaf(data)
		if err == nil && !bytes.Equal(leaf.Marshal(), data) {
			t.Errorf("%x is read as the leaf %x", data, leaf.Marshal())
		}
	})
}

func FuzzParseFrontier(f *testing.F) {
	f.Add(Frontier{}.Marshal())
	f.Add(newLog(f, 11, 4).frontier.Marshal())
	f.Fuzz(func(t *testing.T, data []byte) {
		frontier, err := ParseFrontier(data)
		if err != nil {
			return
		}
		if !bytes.Equal(frontier.Marshal(), data) {
			t.Errorf("%x is read as the frontier %x", data, frontier.Marshal())
		}
		grown, first, hashes := frontier.Append([]Leaf{testLeaf(1), testLeaf(2)})
		if first+int64(len(hashes)) != HashCount(grown.Size()) {
			t.Errorf("from %d leaves on, two store %d hashes", frontier.Size(), len(hashes))
		}
	})
}

// What is signed is parsed in one form only.
func FuzzParseHead(f *testing.F) {
	f.Add(newLog(f, 11, 4).head().text())
	f.Add("a\n0\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		head, err := parseHead(text)
		if err == nil && head.text() != text {
			t.Errorf("%q is read as the head %q", text, head.text())
		}
	})
}

// Nobody can make another text that opens, but by adding signatures of others.
func FuzzOpenProof(f *testing.F) {
	log := newLog(f, 11, 4)
	good := proofOf(f, log, 5)
	_, public := testKey(f, 1)
	f.Add([]byte(good))
	f.Add([]byte(proofTitle + "\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		proof, err := OpenProof(text, public)
		if err == nil && (proof.Head != log.head() || proof.Leaf != log.leaves[5] || !bytes.HasPrefix(text, []byte(good[:bytes.Index([]byte(good), []byte("\n\n"))]))) {
			t.Errorf("%q is proven: %+v", text, proof)
		}
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		key, err := parseKey(content)
		if (err == nil) == (key == nil) {
			t.Errorf("a key of %d bytes and error %v", len(key), err)
		}
	})
}
