package receiptlog

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/tlog"

	"example.org/avatard/internal/ids"
)

// Hash is a hash of the tree. Its String is base64.
type Hash = tlog.Hash

// Digest is the salted digest of texts.
type Digest = [sha256.Size]byte

// MaxTextBytes bounds the organisation of a leaf that is parsed; package storage takes none that is longer.
const MaxTextBytes = ids.MaxRunes * utf8.UTFMax

// Leaf is what the log commits to: one receipt. The package comment has its encoding.
type Leaf struct {
	ID           [16]byte // of the receipt: the generation that was erased
	Time         int64    // of the erasure, in microseconds since 1970
	Reason       int64    // see storage.ReasonRemoved and those behind it
	Organization string   // "" when unknown
	// User, Caller and Request are digests under the receipt's salt.
	User, Caller, Request Digest
}

const (
	leafVersion   = 1
	leafHeadBytes = 1 + 16 + 8 + 8 + 3*sha256.Size
)

// ErrLeaf: the bytes are not those of a leaf.
var ErrLeaf = errors.New("not a leaf of the log of receipts")

// Receipt returns the receipt's id as people see it.
func (l Leaf) Receipt() string { return hex.EncodeToString(l.ID[:]) }

// Marshal returns the bytes of the leaf. Different leaves have different bytes.
func (l Leaf) Marshal() []byte {
	b := make([]byte, 0, leafHeadBytes+len(l.Organization))
	b = append(b, leafVersion)
	b = append(b, l.ID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(l.Time))
	b = binary.BigEndian.AppendUint64(b, uint64(l.Reason))
	b = append(b, l.User[:]...)
	b = append(b, l.Caller[:]...)
	b = append(b, l.Request[:]...)
	return append(b, l.Organization...)
}

// ParseLeaf is the way back from Marshal. The error is ErrLeaf.
func ParseLeaf(b []byte) (Leaf, error) {
	if len(b) < leafHeadBytes || len(b) > leafHeadBytes+MaxTextBytes || b[0] != leafVersion || !utf8.Valid(b[leafHeadBytes:]) {
		return Leaf{}, ErrLeaf
	}
	var l Leaf
	rest := b[1:]
	next := func(n int) []byte {
		part := rest[:n]
		rest = rest[n:]
		return part
	}
	copy(l.ID[:], next(len(l.ID)))
	l.Time = int64(binary.BigEndian.Uint64(next(8)))
	l.Reason = int64(binary.BigEndian.Uint64(next(8)))
	copy(l.User[:], next(sha256.Size))
	copy(l.Caller[:], next(sha256.Size))
	copy(l.Request[:], next(sha256.Size))
	l.Organization = string(rest)
	return l, nil
}

// Hash returns the leaf's hash in the tree.
func (l Leaf) Hash() Hash { return tlog.RecordHash(l.Marshal()) }
