package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
	"example.org/avatard/storage/embedded/internal/slab"
	"example.org/avatard/storage/embedded/internal/sqlitefs"
)

// inspect checks a locked directory before any file in it is opened: whether the files that belong together are there, whether this
// process may use them, and whether other users may. Its errors name the file and the reason, where SQLite would say "unable to open
// database file", or silently begin anew.
func inspect(dir datadir.Dir, log *slog.Logger) error {
	info, err := os.Stat(dir.Path)
	if err != nil {
		return err
	}
	if err := dir.RefuseLinks(ownNames...); err != nil {
		return err
	}
	if err := dir.Writable(); err != nil {
		return err
	}
	open := info.Mode().Perm()&0o077 != 0
	if open {
		log.Warn("others on this machine may look into the data directory; take their rights away (chmod 700)",
			"path", dir.Path, "mode", fmt.Sprintf("%04o", info.Mode().Perm()))
	}
	if owner, ok := datadir.Owner(info); ok && owner != os.Geteuid() {
		log.Warn("the data directory is another user's, who may be unable to use what this process makes in it",
			"path", dir.Path, "owner_uid", owner, "uid", os.Geteuid())
	}
	sizes := make(map[string]int64)
	for _, name := range [...]string{databaseName, logName, slabName, reserveName} {
		path := dir.File(name)
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is in the way: it is no file", path)
		}
		f, err := datadir.Open(path, os.O_RDWR)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
		if mode := info.Mode().Perm(); open && mode&0o077 != 0 {
			log.Warn("others on this machine may read a file of the data directory; take their rights away (chmod 600)",
				"path", path, "mode", fmt.Sprintf("%04o", mode))
		}
		sizes[name] = info.Size()
	}
	if sizes[databaseName] == 0 && (sizes[slabName] > slab.PageBytes || sizes[logName] > sqlitefs.HeaderBytes) {
		// A new database would know of no picture, and SQLite drops the log of one that is empty.
		return fmt.Errorf("%w: %s is missing or empty beside what belongs to it; restore the directory from a backup",
			storage.ErrDamaged, databaseName)
	}
	return sqlitefs.CheckLog(dir.File(logName))
}
