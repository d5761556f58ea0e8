package receiptlog

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxHeadBytes bounds the text of a head. Our own have under 300 bytes beside the origin, twice; the rest is for signatures of witnesses.
const MaxHeadBytes = 16 << 10

// Head is the state of a log at one moment. It has no time: the protocol leaves that to those who note it.
type Head struct {
	Origin string // which log, such as "avatard/5f0c…": no spaces, no control characters, no plus sign
	Size   int64  // the number of leaves
	Root   Hash
}

// Errors of heads.
var (
	// ErrHead: the text is not a head of one of our logs.
	ErrHead = errors.New("not a signed head of a log of receipts")
	// ErrSignature: the head is not signed with that key under that name.
	ErrSignature = errors.New("the head is not signed with the expected key")
	// ErrKey: the key is not one of Ed25519, its text form is broken, or the origin is not possible as its name.
	ErrKey = errors.New("not a key for heads of a log")
)

// VerifierKey returns the text form of the key with which heads of a log are checked. The error is ErrKey.
func VerifierKey(origin string, key ed25519.PublicKey) (string, error) {
	text, err := note.NewEd25519VerifierKey(origin, key)
	if err != nil || strings.ContainsFunc(origin, unicode.IsControl) {
		return "", ErrKey
	}
	if _, err := note.NewVerifier(text); err != nil {
		return "", ErrKey
	}
	return text, nil
}

// signer signs notes with a key that may lie elsewhere.
type signer struct {
	note.Verifier // name and hash of the key
	key           crypto.Signer
}

func (s signer) Sign(text []byte) ([]byte, error) {
	return s.key.Sign(rand.Reader, text, crypto.Hash(0))
}

// Sign returns the signed text of the head. The key is one of Ed25519; the errors are ErrKey, ErrHead for a size that is out of range, and
// those of the key. Nobody may sign two heads of one log of which neither is the past of the other.
func (h Head) Sign(key crypto.Signer) ([]byte, error) {
	if h.Size < 0 || h.Size > MaxSize {
		return nil, fmt.Errorf("%w: size %d", ErrHead, h.Size)
	}
	public, _ := key.Public().(ed25519.PublicKey)
	text, err := VerifierKey(h.Origin, public)
	if err != nil {
		return nil, err
	}
	verifier, err := note.NewVerifier(text)
	if err != nil {
		return nil, ErrKey
	}
	return note.Sign(&note.Note{Text: h.text()}, signer{Verifier: verifier, key: key})
}

func (h Head) text() string { return fmt.Sprintf("%s\n%d\n%s\n", h.Origin, h.Size, h.Root) }

// OpenHead checks the signature of a head with the text form of a key, and returns the head. Other signatures beside that one, which
// witnesses may have added, do not count. The errors are ErrHead, ErrSignature and ErrKey.
func OpenHead(text []byte, verifierKey string) (Head, error) {
	verifier, err := note.NewVerifier(verifierKey)
	if err != nil {
		return Head{}, ErrKey
	}
	if len(text) > MaxHeadBytes {
		return Head{}, fmt.Errorf("%w: it has %d bytes, limit %d", ErrHead, len(text), MaxHeadBytes)
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	var unknown *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	if errors.As(err, &unknown) || errors.As(err, &invalid) {
		return Head{}, ErrSignature
	}
	if err != nil {
		return Head{}, ErrHead
	}
	head, err := parseHead(opened.Text)
	if err == nil && head.Origin != verifier.Name() {
		return Head{}, ErrSignature
	}
	return head, err
}

// parseHead takes the one form in which text writes a head.
func parseHead(text string) (Head, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 { // the last one is empty
		return Head{}, ErrHead
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || size > MaxSize {
		return Head{}, ErrHead
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return Head{}, ErrHead
	}
	head := Head{Origin: lines[0], Size: size, Root: root}
	if head.text() != text {
		return Head{}, ErrHead
	}
	return head, nil
}
