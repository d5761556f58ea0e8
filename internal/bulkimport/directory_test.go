//go:build unix

package bulkimport

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Each entry of a directory is an item; those that are no user's picture say why. Nothing but a file in the directory is read.
func TestReadDirectory(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "secret.png")
	for name, text := range map[string]string{
		filepath.Join(dir, "ann.png"): "a", filepath.Join(dir, "b.c.JPEG"): "b", filepath.Join(dir, "dan.gif"): "", filepath.Join(dir, "eve.webp"): "12345678901",
		filepath.Join(dir, "two.png"): "1", filepath.Join(dir, "two.jpg"): "2", filepath.Join(dir, "me.png"): "m", filepath.Join(dir, ".png"): "x",
		filepath.Join(dir, "list.txt"): "x", filepath.Join(dir, "a\x01.png"): "x", outside: "secret",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink(outside, filepath.Join(dir, "link.png")), os.Mkdir(filepath.Join(dir, "folder.png"), 0o700),
		syscall.Mkfifo(filepath.Join(dir, "pipe.png"), 0o600)); err != nil {
		t.Fatal(err)
	}
	items, closer, err := ReadDirectory(dir, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	want := map[string]Reason{"ann.png": "", "b.c.JPEG": "", "dan.gif": NotAPicture, "eve.webp": TooLarge, "two.png": Duplicate, "two.jpg": Duplicate,
		"me.png": BadName, ".png": BadName, "list.txt": BadName, "a\x01.png": BadName, "link.png": NotAFile, "folder.png": NotAFile, "pipe.png": NotAFile}
	for _, item := range items {
		reason, known := want[item.Name]
		delete(want, item.Name)
		refused := item.Refused
		if refused == nil {
			data, err := item.Read(t.Context())
			if e, ok := errors.AsType[*RefusedError](err); ok {
				refused = &e.Refusal
			}
			if refused == nil && len(data) != 1 {
				t.Errorf("%s holds %q, %v", item.Name, data, err)
			}
		}
		got := Reason("")
		if refused != nil {
			got = refused.Reason
		}
		if !known || got != reason {
			t.Errorf("%q is refused for %q, want %q", item.Name, got, reason)
		}
		if item.Name == "b.c.JPEG" && item.User != "b.c" {
			t.Errorf("%s is the picture of %q", item.Name, item.User)
		}
	}
	if len(want) > 0 {
		t.Errorf("not seen: %v", want)
	}
}

// What took the name of a file after the list was made is not followed.
func TestFileThatIsExchanged(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "secret.png")
	if err := errors.Join(os.WriteFile(outside, []byte("secret"), 0o600), os.WriteFile(filepath.Join(dir, "ann.png"), []byte("a"), 0o600)); err != nil {
		t.Fatal(err)
	}
	items, closer, err := ReadDirectory(dir, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	for _, replace := range []func(string) error{
		func(name string) error { return os.Symlink(outside, name) },
		func(name string) error { return syscall.Mkfifo(name, 0o600) },
	} {
		name := filepath.Join(dir, "ann.png")
		if err := errors.Join(os.Remove(name), replace(name)); err != nil {
			t.Fatal(err)
		}
		if data, err := items[0].Read(t.Context()); err == nil {
			t.Errorf("read %q in place of the file", data)
		}
	}
}
