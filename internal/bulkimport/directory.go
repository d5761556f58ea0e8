package bulkimport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"example.org/avatard/internal/client"
	"example.org/avatard/internal/ids"
)

// extensions are those of files that may be pictures. What a file is its content says, to the server.
var extensions = []string{".png", ".jpg", ".jpeg", ".gif", ".webp"}

// ReadDirectory returns an item for each entry of a directory, in the order of their names, those that cannot be imported, too. Files are
// named by the user's id: "1503….png". limit bounds the bytes of a file. The directory is the only place that is read from: links out of it are refused.
func ReadDirectory(dir string, limit int) ([]Item, io.Closer, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, nil, errors.Join(err, root.Close())
	}
	items := make([]Item, 0, len(entries))
	times := make(map[string]int, len(entries))
	for _, e := range entries {
		item := Item{Name: e.Name(), Read: func(context.Context) ([]byte, error) { return readFile(root, e.Name(), limit) }}
		item.User, item.Refused = userOf(e)
		if item.Refused == nil {
			times[item.User]++
		}
		items = append(items, item)
	}
	for i, item := range items {
		if item.Refused == nil && times[item.User] > 1 {
			items[i].Refused = &Refusal{Reason: Duplicate, Text: fmt.Sprintf("%d files are named after this user", times[item.User])}
		}
	}
	return items, root, nil
}

// userOf returns whose picture an entry is.
func userOf(e fs.DirEntry) (string, *Refusal) {
	if !e.Type().IsRegular() {
		return "", notAFile(e.Type())
	}
	ext := filepath.Ext(e.Name())
	user := strings.TrimSuffix(e.Name(), ext)
	switch {
	case !slices.Contains(extensions, strings.ToLower(ext)):
		return "", &Refusal{Reason: BadName, Text: "the name does not end like that of a picture; expected USER" + strings.Join(extensions, ", USER")}
	case !ids.Valid(user) || user == client.Me:
		return "", &Refusal{Reason: BadName, Text: "the name is no user's id"}
	}
	return user, nil
}

func notAFile(mode fs.FileMode) *Refusal {
	text := "it is no file of bytes"
	switch {
	case mode&fs.ModeSymlink != 0:
		text = "it is a symbolic link"
	case mode.IsDir():
		text = "it is a folder"
	}
	return &Refusal{Reason: NotAFile, Text: text}
}

// readFile reads a file that is one at the moment of opening, too: a link or a pipe may have taken its name.
func readFile(root *os.Root, name string, limit int) ([]byte, error) {
	before, err := root.Lstat(name)
	if err != nil {
		return nil, unreadable(err)
	}
	if !before.Mode().IsRegular() {
		return nil, &RefusedError{*notAFile(before.Mode())}
	}
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe would wait for its writer
	if err != nil {
		return nil, unreadable(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !os.SameFile(before, info) {
		return nil, Refuse(Failed, "it was exchanged while it was opened")
	}
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	switch {
	case err != nil:
		return nil, unreadable(err)
	case len(data) == 0:
		return nil, Refuse(NotAPicture, "it is empty")
	case len(data) > limit:
		return nil, Refuse(TooLarge, fmt.Sprintf("it is larger than %d bytes, which no server takes", limit))
	}
	return data, nil
}

func unreadable(err error) error {
	return Refuse(Failed, "it cannot be read: "+err.Error())
}
