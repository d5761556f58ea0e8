package sqlitefs

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3/vfs"

	"example.org/avatard/storage/embedded/internal/datadir"
)

// TempName is the beginning of the names of temporary files, into which SQLite sorts rows that do not fit into memory while a schema is
// brought forward. They lie in the data directory, so they have its owner and its file system. They hold ids and numbers, as the database
// does, and no byte of a picture. While the store serves there are none: SQLite keeps temporary data in memory then.
const TempName = "avatard.tmp-"

// openTemp makes a temporary file that only its owner can open. Where the system allows, its name is removed at once, so that nothing is
// left of it however the process ends.
func openTemp(dir datadir.Dir) (vfs.File, error) {
	f, err := os.CreateTemp(dir.Path, TempName+"*") // with mode 0600
	if err != nil {
		return nil, err
	}
	t := &tempFile{File: datadir.OSFile{File: f}, size: func() (int64, error) {
		info, err := f.Stat()
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}}
	if err := os.Remove(f.Name()); err != nil {
		t.name = f.Name()
	}
	t.File = dir.Wrap.Around(TempName, t.File)
	return t, nil
}

// RemoveTemps removes the temporary files of a process that was killed. The caller holds the directory's lock.
func RemoveTemps(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, TempName+"*"))
	for _, name := range names {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

// tempFile is a file that only one connection uses.
type tempFile struct {
	datadir.File
	size func() (int64, error)
	name string // to be removed in the end, "" when that is done
}

func (f *tempFile) Close() error {
	err := f.File.Close()
	if f.name != "" {
		err = errors.Join(err, os.Remove(f.name))
	}
	return err
}

// Sync does nothing: temporary data need not be durable.
func (f *tempFile) Sync(vfs.SyncFlag) error { return nil }

func (f *tempFile) Size() (int64, error)                            { return f.size() }
func (f *tempFile) Lock(vfs.LockLevel) error                        { return nil }
func (f *tempFile) Unlock(vfs.LockLevel) error                      { return nil }
func (f *tempFile) CheckReservedLock() (bool, error)                { return false, nil }
func (f *tempFile) SectorSize() int                                 { return PageBytes }
func (f *tempFile) DeviceCharacteristics() vfs.DeviceCharacteristic { return 0 }
