package envelope

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func keys(t *testing.T) *Keys {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys")
	if err := Generate(file, "one"); err != nil {
		t.Fatal(err)
	}
	if err := Generate(file, "one"); !errors.Is(err, os.ErrExist) {
		t.Errorf("Generate over a file = %v, want %v", err, os.ErrExist)
	}
	k, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// What was sealed opens with the same generation and key alone, and a change of any byte is seen.
func TestSealAndOpen(t *testing.T) {
	k := keys(t)
	generation, other := bytes.Repeat([]byte{1}, 16), bytes.Repeat([]byte{2}, 16)
	picture := bytes.Repeat([]byte("picture "), 100)
	ciphertext, wrapped, err := k.Seal(generation, picture)
	if err != nil || len(ciphertext) != len(picture)+Overhead || bytes.Contains(ciphertext, []byte("picture")) {
		t.Fatalf("Seal = %d bytes, %v", len(ciphertext), err)
	}
	open := func(generation, ciphertext, wrapped []byte) ([]byte, error) {
		return k.Open(generation, bytes.Clone(ciphertext), wrapped)
	}
	if got, err := open(generation, ciphertext, wrapped); err != nil || !bytes.Equal(got, picture) {
		t.Errorf("Open = %d bytes, %v", len(got), err)
	}
	second, secondWrapped, err := k.Seal(generation, picture)
	if err != nil || bytes.Equal(second, ciphertext) || bytes.Equal(wrapped, secondWrapped) {
		t.Errorf("the same picture twice is the same ciphertext")
	}
	if _, err := open(other, ciphertext, wrapped); err == nil {
		t.Error("opened as another generation")
	}
	if _, err := open(generation, ciphertext, secondWrapped); err == nil {
		t.Error("opened with another picture's key")
	}
	for i := range wrapped {
		broken := bytes.Clone(wrapped)
		broken[i] ^= 1
		if _, err := open(generation, ciphertext, broken); err == nil {
			t.Errorf("opened with byte %d of the wrapped key changed", i)
		}
	}
	for _, i := range []int{0, len(ciphertext) / 2, len(ciphertext) - 1} {
		broken := bytes.Clone(ciphertext)
		broken[i] ^= 1
		if _, err := open(generation, broken, wrapped); err == nil {
			t.Errorf("opened with byte %d of the ciphertext changed", i)
		}
	}
	for n := range wrapped {
		if _, err := open(generation, ciphertext, wrapped[:n]); err == nil {
			t.Errorf("opened with %d bytes of the wrapped key", n)
		}
	}
	if _, err := open(generation, nil, wrapped); err == nil {
		t.Error("opened nothing")
	}
}

// A file that cannot be used is refused, with its line, and without what is in it.
func TestFilesOfKeys(t *testing.T) {
	const key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	for _, c := range []struct {
		name, content string
		mode          os.FileMode
		want          string // part of the error, "" = none
	}{
		{"one", "a " + key + "\n", 0o600, ""},
		{"comments and empty lines", "# keys\n\na " + key + "\n  b " + key[:43] + "=\n", 0o600, ""},
		{"empty", "", 0o600, "no key"},
		{"comments only", "# nothing\n", 0o600, "no key"},
		{"short", "a AAAA\n", 0o600, "line 1"},
		{"no id", key + "\n", 0o600, "line 1"},
		{"odd id", "a/b " + key + "\n", 0o600, "line 1"},
		{"long id", strings.Repeat("x", 65) + " " + key + "\n", 0o600, "line 1"},
		{"twice", "a " + key + "\na " + key + "\n", 0o600, "line 2"},
		{"not base64", "a " + strings.Repeat("?", 44) + "\n", 0o600, "line 1"},
		{"readable by all", "a " + key + "\n", 0o644, "0600"},
		{"readable by the group", "a " + key + "\n", 0o640, "0600"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "keys")
			if err := os.WriteFile(file, []byte(c.content), c.mode); err != nil {
				t.Fatal(err)
			}
			_, err := Load(file)
			switch {
			case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("Load = %v, want %q", err, c.want)
			case err != nil && strings.Contains(err.Error(), key[:20]):
				t.Errorf("the error holds the key: %v", err)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Load of no file = %v", err)
	}
}

// A key that is not there is looked for in the file, as long as that was not done just before.
func TestMissingKeyIsLookedFor(t *testing.T) {
	dir := t.TempDir()
	file, other := filepath.Join(dir, "keys"), filepath.Join(dir, "other")
	if err := errors.Join(Generate(file, "first"), Generate(other, "second")); err != nil {
		t.Fatal(err)
	}
	k, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := Load(other)
	if err != nil {
		t.Fatal(err)
	}
	generation := []byte("generation")
	ciphertext, wrapped, err := elsewhere.Seal(generation, []byte("picture"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Open(generation, bytes.Clone(ciphertext), wrapped); !errors.Is(err, ErrNoKey) {
		t.Fatalf("Open = %v, want %v", err, ErrNoKey)
	}
	if err := os.Rename(other, file); err != nil {
		t.Fatal(err)
	}
	k.lookedAt = time.Now().Add(time.Hour)
	if _, err := k.Open(generation, bytes.Clone(ciphertext), wrapped); !errors.Is(err, ErrNoKey) {
		t.Errorf("Open soon after = %v, want %v", err, ErrNoKey)
	}
	k.lookedAt = time.Now().Add(-lookAgain)
	if picture, err := k.Open(generation, bytes.Clone(ciphertext), wrapped); err != nil || string(picture) != "picture" {
		t.Errorf("Open later = %q, %v", picture, err)
	}
}
