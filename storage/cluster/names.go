package cluster

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// folderNames makes the names of people's folders in the bucket: ab/cd/<32 digits>/, which say nothing of the person. Two levels
// above them keep a listing cheap on servers that keep objects as files.
type folderNames struct{ key []byte }

// of returns the folder of a person, whose issuer had that folder text.
func (n folderNames) of(issuer, id string) string {
	mac := hmac.New(sha256.New, n.key)
	var length [8]byte // of the issuer, or two pairs could be one text
	binary.BigEndian.PutUint64(length[:], uint64(len(issuer)))
	mac.Write(length[:])
	mac.Write([]byte(issuer))
	mac.Write([]byte(id))
	digits := hex.EncodeToString(mac.Sum(nil)[:16])
	return digits[:2] + "/" + digits[2:4] + "/" + digits + "/"
}

// generationID is the id of a generation, and of whatever else claims a person's row.
type generationID [16]byte

func newGeneration() (g generationID) {
	_, _ = rand.Read(g[:])
	return g
}

func (g generationID) String() string { return hex.EncodeToString(g[:]) }

// generationOf returns the generation that an object's name ends with; ok is false when it ends with something else.
func generationOf(folder, name string) (g generationID, ok bool) {
	digits, ok := strings.CutPrefix(name, folder)
	if !ok || len(digits) != 2*len(g) || strings.ToLower(digits) != digits {
		return g, false
	}
	_, err := hex.Decode(g[:], []byte(digits))
	return g, err == nil
}

// withoutNUL replaces what PostgreSQL cannot hold in a text.
func withoutNUL(text string) string {
	if strings.IndexByte(text, 0) < 0 {
		return text
	}
	return strings.ReplaceAll(text, "\x00", "?")
}

// isObject reports whether a name in the bucket is one that the engine gives to pictures.
func isObject(name string) bool {
	parts := strings.Split(name, "/")
	if len(parts) != 4 || len(parts[2]) != 32 || parts[0] != parts[2][:2] || parts[1] != parts[2][2:4] {
		return false
	}
	_, folder := generationOf("", parts[2])
	_, object := generationOf("", parts[3])
	return folder && object
}

// BytesValue is the form in which a generation goes to the database.
func (g generationID) BytesValue() ([]byte, error) { return g[:], nil }
