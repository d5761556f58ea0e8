package cli

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

const (
	// devTempPrefix is what the temporary directories of dev begin with.
	devTempPrefix = "avatard-dev-"
	// devTempLock is the file in each of them that its process holds a lock on.
	devTempLock = "dev.lock"
)

// devTemp is a temporary directory of this process.
type devTemp struct {
	dir  string
	lock *os.File
}

// newDevTemp makes one. Its lock file gets its name only once it is locked, so a process that can take the lock of a
// directory knows that the process that made it has ended.
func newDevTemp() (t *devTemp, err error) {
	dir, err := os.MkdirTemp("", devTempPrefix) // with mode 0700
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	lock, err := os.CreateTemp(dir, devTempLock+".*")
	if err != nil {
		return nil, err
	}
	err = tryLock(lock)
	if err == nil {
		err = os.Rename(lock.Name(), filepath.Join(dir, devTempLock))
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &devTemp{dir, lock}, nil
}

func (t *devTemp) remove() error {
	return errors.Join(os.RemoveAll(t.dir), t.lock.Close())
}

// sweepDevTemps removes the directories of processes that were killed before they could. It touches none that somebody else
// owns, none whose process runs, and none of another form. One with a cluster may be passed through by others.
func sweepDevTemps(logger *slog.Logger) {
	entries, err := filepath.Glob(filepath.Join(os.TempDir(), devTempPrefix+"*"))
	if err != nil {
		logger.Warn("looking for temporary directories of earlier starts", "error", err)
	}
	for _, dir := range entries {
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
	lock, err := os.Open(filepath.Join(dir, devTempLock))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil // it is just being made, or not dev's
		}
		return false, err
	}
	defer lock.Close()
	if tryLock(lock) != nil {
		return false, nil
	}
	return true, os.RemoveAll(dir)
}
