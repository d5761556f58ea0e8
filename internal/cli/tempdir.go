package cli

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

const (
	// devTempPrefix and proveTempPrefix are what the temporary directories of dev and prove begin with.
	devTempPrefix   = "avatard-dev-"
	proveTempPrefix = "avatard-prove-"
	// tempDirLock is the file in each of them that its process holds a lock on.
	tempDirLock = "avatard.lock"
)

// tempDir is a temporary directory of this process.
type tempDir struct {
	dir  string
	lock *os.File
}

// newTempDir makes one below parent, "" = the system's place for temporary files. Its lock file gets its name only once it is locked, so a process
// that can take the lock of a directory knows that the process that made it has ended.
func newTempDir(parent, prefix string) (t *tempDir, err error) {
	dir, err := os.MkdirTemp(parent, prefix) // with mode 0700
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	lock, err := os.CreateTemp(dir, tempDirLock+".*")
	if err != nil {
		return nil, err
	}
	err = tryLock(lock)
	if err == nil {
		err = os.Rename(lock.Name(), filepath.Join(dir, tempDirLock))
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &tempDir{dir, lock}, nil
}

func (t *tempDir) remove() error {
	return errors.Join(os.RemoveAll(t.dir), t.lock.Close())
}

// keep leaves the directory to its reader: no sweep removes it.
func (t *tempDir) keep() error {
	return errors.Join(os.Remove(filepath.Join(t.dir, tempDirLock)), t.lock.Close())
}

// sweepTempDirs removes the directories below parent of processes that were killed before they could. It touches none that somebody else
// owns, none whose process runs, and none of another form. One with a cluster may be passed through by others.
func sweepTempDirs(parent, prefix string, logger *slog.Logger) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		logger.Warn("looking for temporary directories of earlier starts", "error", err)
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), prefix) {
			continue
		}
		dir := filepath.Join(parent, entry.Name())
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || info.Mode().Perm()&^0o011 != 0o700 || !isOwn(info) {
			continue
		}
		switch removed, err := removeAbandoned(dir); {
		case err != nil:
			logger.Warn("removing the temporary directory of an earlier start", "directory", dir, "error", err)
		case removed:
			logger.Info("removed the temporary directory of an earlier start", "directory", dir)
		}
	}
}

func removeAbandoned(dir string) (removed bool, err error) {
	lock, err := os.Open(filepath.Join(dir, tempDirLock))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil // it is just being made, or kept, or not ours
		}
		return false, err
	}
	defer lock.Close()
	if tryLock(lock) != nil {
		return false, nil
	}
	return true, os.RemoveAll(dir)
}
