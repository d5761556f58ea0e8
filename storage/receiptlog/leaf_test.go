package receiptlog

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
)

var goldenEntry = Entry{
	ID: [16]byte{0xab, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, Time: 1_700_000_000_000_001, Reason: 2, Organization: "Zoë & Co",
	Texts: Texts{Issuer: "https://issuer.example", User: "alice", Caller: "admin", CallerOrganization: "org-1", Request: "req-1"},
	Salt:  Salt{31: 1},
}

// What verifiers in other languages compute. It never changes: there are logs.
const (
	goldenLeaf = "01" + "ab0102030405060708090a0b0c0d0e0f" + "00060a24181e4001" + "0000000000000002" +
		"b250dbcc2a7231507405999eb685df38806558c4305b05c42ef39cfac528bd0c" + "4d463d98a04ea55813c6540a036b3e4826a7ea545cf03e49cb245b7173014b0c" + "5f98fcdde1e08cdb53bb3485f1c94752de0db90c845d8b2b30e9d6395c3fa14a" + "5a6fc3ab202620436f"
	goldenHash = "7c2dd84d54e9676e1473cb1bf7f64279b66cec65473dcdc814b798562ca6b996"
)

func TestLeafBytesNeverChange(t *testing.T) {
	leaf := goldenEntry.Leaf()
	if got := hex.EncodeToString(leaf.Marshal()); got != goldenLeaf {
		t.Errorf("the bytes of the leaf are %s, want %s", got, goldenLeaf)
	}
	if got := leaf.Hash(); hex.EncodeToString(got[:]) != goldenHash {
		t.Errorf("the hash of the leaf is %x, want %s", got[:], goldenHash)
	}
	if leaf.Receipt() != "ab0102030405060708090a0b0c0d0e0f" {
		t.Errorf("the receipt is %s", leaf.Receipt())
	}
}

// The package comment says how to compute a digest; this does as it says.
func TestDigestsAreAsDescribed(t *testing.T) {
	mac := func(key, message []byte) []byte {
		h := hmac.New(sha256.New, key)
		h.Write(message)
		return h.Sum(nil)
	}
	text := func(s string) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...) }
	e := goldenEntry
	leaf := e.Leaf()
	for _, row := range []struct {
		field string
		got   Digest
		texts []string
	}{
		{"user", leaf.User, []string{e.Texts.Issuer, e.Texts.User}},
		{"caller", leaf.Caller, []string{e.Texts.Caller, e.Texts.CallerOrganization}},
		{"request", leaf.Request, []string{e.Texts.Request}},
	} {
		var message []byte
		for _, s := range row.texts {
			message = append(message, text(s)...)
		}
		if want := mac(mac(e.Salt[:], []byte(row.field)), message); !bytes.Equal(row.got[:], want) {
			t.Errorf("the digest of the %s is %x, want %x", row.field, row.got, want)
		}
	}
}

func TestParseLeaf(t *testing.T) {
	good := goldenEntry.Leaf()
	data := good.Marshal()
	if got, err := ParseLeaf(data); err != nil || got != good {
		t.Fatalf("ParseLeaf = %+v, %v", got, err)
	}
	for i := range data { // each byte counts
		altered := slices.Clone(data)
		altered[i] ^= 1
		if got, err := ParseLeaf(altered); err == nil && (got == good || got.Hash() == good.Hash()) {
			t.Errorf("another byte %d makes no other leaf", i)
		}
	}
	for name, data := range map[string][]byte{
		"nothing": nil, "a part": data[:leafHeadBytes-1], "another version": append([]byte{2}, data[1:]...),
		"an organisation that is too long": append(slices.Clone(data[:leafHeadBytes]), strings.Repeat("x", MaxTextBytes+1)...),
		"an organisation that is no text":  append(slices.Clone(data), 0xff),
	} {
		if _, err := ParseLeaf(data); !errors.Is(err, ErrLeaf) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestSealSaltsEachEntryAnew(t *testing.T) {
	entries := []Entry{goldenEntry, goldenEntry}
	leaves := Seal(entries)
	if entries[0].Salt == entries[1].Salt || entries[0].Salt == goldenEntry.Salt || entries[0].Salt == (Salt{}) {
		t.Error("the salts are not new")
	}
	if leaves[0].User == leaves[1].User || leaves[0].Request == leaves[1].Request {
		t.Error("two receipts of one user have the same digest")
	}
	for i, leaf := range leaves {
		if leaf != entries[i].Leaf() || Matches(leaf, entries[i].Texts, entries[i].Salt.Fields()) != nil {
			t.Errorf("leaf %d is not that of its entry", i)
		}
	}
}

func TestMatches(t *testing.T) {
	leaf, texts, salts := goldenEntry.Leaf(), goldenEntry.Texts, goldenEntry.Salt.Fields()
	with := func(change func(*Texts)) Texts { t := texts; change(&t); return t }
	for _, row := range []struct {
		name  string
		texts Texts
		salts FieldSalts
		want  error
	}{
		{"all of it", texts, salts, nil},
		{"the user alone", Texts{Issuer: texts.Issuer, User: texts.User}, FieldSalts{User: salts.User}, nil},
		{"the request alone", Texts{Request: texts.Request}, FieldSalts{Request: salts.Request}, nil},
		{"no salt", texts, FieldSalts{}, ErrNoSalt},
		{"nothing", Texts{}, FieldSalts{}, ErrNoSalt},
		{"a caller without salt", texts, FieldSalts{User: salts.User, Request: salts.Request}, ErrNoSalt},
		{"another user", with(func(t *Texts) { t.User = "bob" }), salts, ErrOtherTexts},
		{"another issuer", with(func(t *Texts) { t.Issuer = "https://other.example" }), salts, ErrOtherTexts},
		{"issuer and user cut elsewhere", with(func(t *Texts) { t.Issuer, t.User = t.Issuer+"a", t.User[1:] }), salts, ErrOtherTexts},
		{"another caller", with(func(t *Texts) { t.Caller = "mallory" }), salts, ErrOtherTexts},
		{"another organisation of the caller", with(func(t *Texts) { t.CallerOrganization = "org-2" }), salts, ErrOtherTexts},
		{"another request", with(func(t *Texts) { t.Request = "req-2" }), salts, ErrOtherTexts},
		{"salts of other fields", texts, FieldSalts{User: salts.Caller, Caller: salts.User, Request: salts.Request}, ErrOtherTexts},
		{"the salt of another receipt", texts, Salt{1}.Fields(), ErrOtherTexts},
	} {
		if err := Matches(leaf, row.texts, row.salts); !errors.Is(err, row.want) {
			t.Errorf("%s: error %v, want %v", row.name, err, row.want)
		}
	}
}
