package receiptlog

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// Salt keeps digests from saying anything about their texts to those who do not know it.
type Salt [sha256.Size]byte

// FieldSalts are the salts of the fields. Each may be given away alone.
type FieldSalts struct{ User, Caller, Request Salt }

// Fields returns the salts of the fields of a receipt with this salt.
func (s Salt) Fields() FieldSalts {
	return FieldSalts{User: s.field("user"), Caller: s.field("caller"), Request: s.field("request")}
}

func (s Salt) field(name string) Salt {
	mac := hmac.New(sha256.New, s[:])
	mac.Write([]byte(name))
	return Salt(mac.Sum(nil))
}

// digest is injective: each text comes with its length.
func (s Salt) digest(texts ...string) Digest {
	mac := hmac.New(sha256.New, s[:])
	for _, text := range texts {
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(text)))
		mac.Write(length[:])
		mac.Write([]byte(text))
	}
	return Digest(mac.Sum(nil))
}

// Texts are what the digests of a leaf are of. What is unknown is "".
type Texts struct {
	Issuer, User               string // whose picture was erased
	Caller, CallerOrganization string // whose call erased it
	Request                    string // the id of that call
}

// Entry is a receipt as its engine knows it.
type Entry struct {
	ID           [16]byte
	Time         int64 // in microseconds since 1970
	Reason       int64
	Organization string
	Texts        Texts
	Salt         Salt // zero before Seal
}

// Leaf returns the leaf of an entry that has its salt.
func (e Entry) Leaf() Leaf {
	user, caller, request := e.Texts.Digests(e.Salt.Fields())
	return Leaf{ID: e.ID, Time: e.Time, Reason: e.Reason, Organization: e.Organization, User: user, Caller: caller, Request: request}
}

// Digests returns the digests of a leaf that is of these texts. An engine that has dropped some of the salts has kept the digests of theirs.
func (t Texts) Digests(salts FieldSalts) (user, caller, request Digest) {
	return salts.User.digest(t.Issuer, t.User), salts.Caller.digest(t.Caller, t.CallerOrganization), salts.Request.digest(t.Request)
}

// Seal gives each entry a new salt, which the engine has to store with it, and returns their leaves.
func Seal(entries []Entry) []Leaf {
	leaves := make([]Leaf, len(entries))
	for i := range entries {
		_, _ = rand.Read(entries[i].Salt[:]) // it never fails
		leaves[i] = entries[i].Leaf()
	}
	return leaves
}

// Errors of Matches.
var (
	// ErrNoSalt: there are texts whose salt is not there, or no salt at all, so nothing can be said.
	ErrNoSalt = errors.New("there is no salt for what is to be compared")
	// ErrOtherTexts: the leaf is of other texts, or of another salt.
	ErrOtherTexts = errors.New("the receipt is about somebody or something else")
)

// Matches returns nil when the leaf is of these texts. A field whose salt is zero is left out; its texts have to be empty. The errors are
// ErrNoSalt and ErrOtherTexts, with the name of the field.
func Matches(leaf Leaf, texts Texts, salts FieldSalts) error {
	if salts == (FieldSalts{}) {
		return ErrNoSalt
	}
	for _, field := range []struct {
		name  string
		salt  Salt
		want  Digest
		texts []string
	}{
		{"user", salts.User, leaf.User, []string{texts.Issuer, texts.User}},
		{"caller", salts.Caller, leaf.Caller, []string{texts.Caller, texts.CallerOrganization}},
		{"request", salts.Request, leaf.Request, []string{texts.Request}},
	} {
		if field.salt == (Salt{}) {
			for _, text := range field.texts {
				if text != "" {
					return fmt.Errorf("%s: %w", field.name, ErrNoSalt)
				}
			}
			continue
		}
		if field.salt.digest(field.texts...) != field.want {
			return fmt.Errorf("%s: %w", field.name, ErrOtherTexts)
		}
	}
	return nil
}
