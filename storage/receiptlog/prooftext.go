package receiptlog

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// MaxProofBytes bounds the text of a proof: its head, a leaf, and as many hashes as the largest log asks for.
const MaxProofBytes = MaxHeadBytes + 8<<10

// ErrProofText: the text is not a proof of a receipt.
var ErrProofText = errors.New("not a proof of a receipt")

// Proof is what a proof's text has shown: that the log of this head has the leaf at this place.
type Proof struct {
	Head  Head
	Index int64
	Leaf  Leaf
}

const (
	proofTitle = "c2sp.org/tlog-proof@v1"
	proofExtra = "extra "
	proofIndex = "index "
)

// FormatProof returns the text by which anybody can check, with OpenProof and the log's public key alone, that a leaf is in the log. Proof is
// that of ProveInclusion for the size of the head, head the signed text.
func FormatProof(leaf Leaf, index int64, proof []Hash, head []byte) []byte {
	return append([]byte(proofHead(leaf, index, proof)+"\n"), head...)
}

// proofHead is the part before the empty line.
func proofHead(leaf Leaf, index int64, proof []Hash) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s%s\n%s%d\n", proofTitle, proofExtra, base64.StdEncoding.EncodeToString(leaf.Marshal()), proofIndex, index)
	for _, hash := range proof {
		fmt.Fprintln(&b, hash)
	}
	return b.String()
}

// OpenProof checks a proof's text with the text form of the log's key: the signature of the head, and that the leaf is in that log. The
// errors are ErrProofText, those of OpenHead, and ErrNotProven.
func OpenProof(text []byte, verifierKey string) (Proof, error) {
	if len(text) > MaxProofBytes {
		return Proof{}, fmt.Errorf("%w: it has %d bytes, limit %d", ErrProofText, len(text), MaxProofBytes)
	}
	own, signed, found := strings.Cut(string(text), "\n\n")
	if !found {
		return Proof{}, ErrProofText
	}
	leaf, index, hashes, err := parseProofHead(own + "\n")
	if err != nil {
		return Proof{}, err
	}
	head, err := OpenHead([]byte(signed), verifierKey)
	if err != nil {
		return Proof{}, err
	}
	if CheckInclusion(hashes, head, index, leaf) != nil {
		return Proof{}, ErrNotProven
	}
	return Proof{Head: head, Index: index, Leaf: leaf}, nil
}

// parseProofHead takes the one form that proofHead writes.
func parseProofHead(text string) (leaf Leaf, index int64, proof []Hash, err error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) < 3 {
		return Leaf{}, 0, nil, ErrProofText
	}
	data, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], proofExtra))
	if err != nil {
		return Leaf{}, 0, nil, ErrProofText
	}
	if leaf, err = ParseLeaf(data); err != nil {
		return Leaf{}, 0, nil, ErrProofText
	}
	if index, err = strconv.ParseInt(strings.TrimPrefix(lines[2], proofIndex), 10, 64); err != nil {
		return Leaf{}, 0, nil, ErrProofText
	}
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return Leaf{}, 0, nil, ErrProofText
		}
		proof = append(proof, hash)
	}
	if proofHead(leaf, index, proof) != text {
		return Leaf{}, 0, nil, ErrProofText
	}
	return leaf, index, proof, nil
}
