package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ErrLink: a file that the engine keeps in the data directory is a symbolic link. Following it would put metadata or pictures,
// or zeros over pictures, wherever it points; a backup of the directory would miss them; and the lock would not be theirs. The
// directory itself may be a link, or be reached through some.
var ErrLink = errors.New("a symbolic link stands in place of a file")

// ownNames are the names in the data directory that are the engine's, or SQLite's for it.
var ownNames = [...]string{databaseName, logName, databaseName + "-journal", databaseName + "-shm", slabName, lockName, restoreName}

// noLinks refuses a data directory in which one of our names is a link. It is for the words: what is opened is opened so that no
// link is followed, whoever puts one there in between.
func noLinks(dir string) error {
	for _, name := range ownNames {
		path := filepath.Join(dir, name)
		info, err := os.Lstat(path)
		if err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return linkError(path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func linkError(path string) error {
	return fmt.Errorf("%w: %s; put the file itself there, or make the whole data directory a link", ErrLink, path)
}

// openOwn opens a file of the data directory, which must not be a link. New ones are for their owner only.
func openOwn(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|noFollow, 0o600)
	if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EMLINK) { // the second is FreeBSD's
		return nil, linkError(path)
	}
	return f, err
}
