package receiptlog

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

const testOrigin = "avatard/test"

// testKey returns a key that is the same each time, and its text form.
func testKey(t testing.TB, n byte) (ed25519.PrivateKey, string) {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
	text, err := VerifierKey(testOrigin, key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return key, text
}

func signed(t testing.TB, head Head) []byte {
	t.Helper()
	key, _ := testKey(t, 1)
	text, err := head.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestHeadSignAndOpen(t *testing.T) {
	_, public := testKey(t, 1)
	for _, size := range []int{0, 1, 300} {
		head := newLog(t, size, 50).head()
		text := signed(t, head)
		if got, err := OpenHead(text, public); err != nil || got != head {
			t.Errorf("OpenHead = %+v, %v, want %+v", got, err, head)
		}
		if want := fmt.Sprintf("avatard/test\n%d\n%s\n\n— avatard/test ", size, base64.StdEncoding.EncodeToString(head.Root[:])); !strings.HasPrefix(string(text), want) {
			t.Errorf("the head is\n%s, want it to begin with\n%s", text, want)
		}
	}
}

// Another implementation of signed notes signs the same text with the same key.
func TestHeadIsAsOthersSignIt(t *testing.T) {
	key, public := testKey(t, 1)
	name, rest, _ := strings.Cut(public, "+")
	hash, _, _ := strings.Cut(rest, "+")
	theirs, err := note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%s+%s", name, hash, base64.StdEncoding.EncodeToString(append([]byte{1}, key.Seed()...))))
	if err != nil {
		t.Fatal(err)
	}
	head := newLog(t, 5, 5).head()
	want, err := note.Sign(&note.Note{Text: fmt.Sprintf("avatard/test\n5\n%s\n", base64.StdEncoding.EncodeToString(head.Root[:]))}, theirs)
	if err != nil {
		t.Fatal(err)
	}
	if got := signed(t, head); !bytes.Equal(got, want) {
		t.Errorf("our head is\n%s, theirs\n%s", got, want)
	}
}

// signedText is a note of any text, under the right key and any name.
func signedText(t *testing.T, name, text string) string {
	t.Helper()
	key, _ := testKey(t, 1)
	public, err := note.NewEd25519VerifierKey(name, key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	out, err := note.Sign(&note.Note{Text: text}, signer{Verifier: verifier, key: key})
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestOpenHeadRefuses(t *testing.T) {
	head := newLog(t, 12, 5).head()
	good, root := string(signed(t, head)), head.Root.String()
	_, public := testKey(t, 1)
	_, another := testKey(t, 2)
	sign := func(text string) string { return signedText(t, testOrigin, text) }
	for _, row := range []struct {
		name, text, key string
		want            error
	}{
		{"another key", good, another, ErrSignature},
		{"a broken key", good, public[:len(public)-4], ErrKey},
		{"no key", good, "", ErrKey},
		{"another size", strings.Replace(good, "\n12\n", "\n13\n", 1), public, ErrSignature},
		{"another origin", strings.Replace(good, "avatard/test\n", "avatard/tes2\n", 1), public, ErrSignature},
		{"another name", signedText(t, "avatard/other", "avatard/test\n12\n"+root+"\n"), public, ErrSignature},
		{"the head of another log under our name", sign("avatard/other\n12\n" + root + "\n"), public, ErrSignature},
		{"an extension line", sign("avatard/test\n12\n" + root + "\nmore\n"), public, ErrHead},
		{"an empty line", sign("avatard/test\n12\n" + root + "\n\n"), public, ErrHead},
		{"no root", sign("avatard/test\n12\n"), public, ErrHead},
		{"a leading zero", sign("avatard/test\n012\n" + root + "\n"), public, ErrHead},
		{"a sign", sign("avatard/test\n+12\n" + root + "\n"), public, ErrHead},
		{"a negative size", sign("avatard/test\n-12\n" + root + "\n"), public, ErrHead},
		{"a size out of range", sign("avatard/test\n9223372036854775807\n" + root + "\n"), public, ErrHead},
		{"a short root", sign("avatard/test\n12\n" + root[4:] + "\n"), public, ErrHead},
		{"a root with spare bits", sign("avatard/test\n12\n" + root[:42] + nextDigit(root[42]) + "=\n"), public, ErrHead},
		{"a line before", "\n" + good, public, ErrSignature},
		{"a line behind", good + "\n", public, ErrHead},
		{"no signature", good[:strings.Index(good, "—")], public, ErrHead},
		{"a cut end", good[:len(good)-1], public, ErrHead},
		{"carriage returns", strings.ReplaceAll(good, "\n", "\r\n"), public, ErrHead},
		{"nothing", "", public, ErrHead},
		{"too much", good + strings.Repeat("— witness AAAAAAAA\n", MaxHeadBytes/18), public, ErrHead},
	} {
		if got, err := OpenHead([]byte(row.text), row.key); !errors.Is(err, row.want) || got != (Head{}) {
			t.Errorf("%s: %+v, error %v, want %v", row.name, got, err, row.want)
		}
	}
}

// nextDigit changes the bits of a base64 digit that count for nothing.
func nextDigit(digit byte) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return string(digits[strings.IndexByte(digits, digit)^1])
}

// Witnesses may sign beside the log.
func TestOpenHeadWithWitness(t *testing.T) {
	head := newLog(t, 12, 5).head()
	_, public := testKey(t, 1)
	text := string(signed(t, head)) + "— witness.example " + base64.StdEncoding.EncodeToString(make([]byte, 76)) + "\n"
	if got, err := OpenHead([]byte(text), public); err != nil || got != head {
		t.Errorf("OpenHead = %+v, %v", got, err)
	}
}

// brokenKey is a key that lies elsewhere, which cannot be reached.
type brokenKey struct{ ed25519.PrivateKey }

var errElsewhere = errors.New("elsewhere")

func (brokenKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, errElsewhere }

func TestSignRefuses(t *testing.T) {
	key, _ := testKey(t, 1)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		head Head
		key  crypto.Signer
		want error
	}{
		{"no origin", Head{}, key, ErrKey},
		{"a space", Head{Origin: "a b"}, key, ErrKey},
		{"a line", Head{Origin: "a\n5"}, key, ErrKey},
		{"a control character", Head{Origin: "a\x01"}, key, ErrKey},
		{"a plus sign", Head{Origin: "a+b"}, key, ErrKey},
		{"a negative size", Head{Origin: testOrigin, Size: -1}, key, ErrHead},
		{"a size out of range", Head{Origin: testOrigin, Size: MaxSize + 1}, key, ErrHead},
		{"a key of another kind", Head{Origin: testOrigin}, other, ErrKey},
		{"a key that fails", Head{Origin: testOrigin}, brokenKey{key}, errElsewhere},
	} {
		if text, err := row.head.Sign(row.key); !errors.Is(err, row.want) || text != nil {
			t.Errorf("%s: %q, error %v, want %v", row.name, text, err, row.want)
		}
	}
}
