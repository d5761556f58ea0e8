package receiptlog

import (
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestKeyFileIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "receipts.key")
	made, err := MakeKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("the mode of the file is %v (%v), want 0600", info.Mode(), err)
	}
	if _, err := MakeKeyFile(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("making it again: error %v, want %v", err, fs.ErrExist)
	}
	read, err := ReadKeyFile(path)
	if err != nil || !made.Equal(read) {
		t.Errorf("ReadKeyFile returns another key (%v)", err)
	}
	if names, err := os.ReadDir(filepath.Dir(path)); err != nil || len(names) != 1 {
		t.Errorf("the directory has %v (%v), want the key alone", names, err)
	}
}

// Of many who make it at once one succeeds, and its key is the one in the file.
func TestKeyFileOfMany(t *testing.T) {
	path := filepath.Join(t.TempDir(), "receipts.key")
	keys := make([]ed25519.PrivateKey, 16)
	var makers sync.WaitGroup
	for i := range keys {
		makers.Go(func() { keys[i], _ = MakeKeyFile(path) })
	}
	makers.Wait()
	read, err := ReadKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	winners := 0
	for _, key := range keys {
		if key != nil {
			winners++
			if !key.Equal(read) {
				t.Error("the key in the file is not that of who made it")
			}
		}
	}
	if winners != 1 {
		t.Errorf("%d made the file, want 1", winners)
	}
}

func TestReadKeyFileRefuses(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	if _, err := MakeKeyFile(good); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name, content string, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte(content), 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(good, link); err != nil {
		t.Fatal(err)
	}
	directory := filepath.Join(dir, "directory")
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"readable for the group": file("group", string(content), 0o640),
		"writable for everybody": file("everybody", string(content), 0o602),
		"empty":                  file("empty", "", 0o600),
		"cut off":                file("cut", string(content[:len(content)/2]), 0o600),
		"of another kind":        file("kind", strings.ReplaceAll(string(content), "PRIVATE KEY", "PUBLIC KEY"), 0o600),
		"a link":                 link,
		"a directory":            directory,
	} {
		if key, err := ReadKeyFile(path); !errors.Is(err, ErrKeyFile) || key != nil {
			t.Errorf("a file that is %s: error %v, want %v", name, err, ErrKeyFile)
		}
	}
	if _, err := ReadKeyFile(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: error %v, want %v", err, fs.ErrNotExist)
	}
}
