package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"avatard/storage/embedded/internal/datadir"
)

// Errors of a directory into which nothing can be restored, or out of which nothing can be served. Compare with errors.Is.
var (
	// ErrStoreExists: there is a store in the directory already.
	ErrStoreExists = errors.New("there is a store already")
	// ErrHalfRestored: a restore into the directory was begun and not finished.
	ErrHalfRestored = errors.New("a restore was not finished")
	// ErrOtherStore: the receipts are of another store than the backup.
	ErrOtherStore = errors.New("the receipts are of another store than the backup")
	// ErrGap: of some time between the backup and the end of the receipts, no file knows what was erased.
	ErrGap = errors.New("what was erased in between is not known")
)

// restoreName is the directory, in the data directory, in which a restore builds. As long as it is there and no
// database beside it, nothing in the data directory is served.
const restoreName = "restore.unfinished"

// StreamName is the name of a file in RestoreOptions that stands for their Stream.
const StreamName = "-"

// RestoreOptions tell what to restore.
type RestoreOptions struct {
	// Backup is the name of the file to restore, one made without BackupOptions.ReceiptsOnly.
	Backup string
	// Receipts are the names of other backups of the same store, usually newer ones made with ReceiptsOnly, in any order.
	// No picture is restored that they know to be erased, and users they know get the record that has come further.
	Receipts []string
	// AllowGap restores although erasures of some time between Backup and the last of Receipts are not known: because receipts
	// have gone that are not younger than the backup, or because a file is missing. Pictures that were erased then come back.
	AllowGap bool
	// Stream is read to its end in place of the one file that is called StreamName; nil = that is a file like others. It takes
	// its size in the directory, or the nearest one above that there is, until Restore returns: encrypted and without a name.
	Stream io.Reader
	// Progress, unless it is nil, hears now and then how many bytes of the backup are dealt with, twice over.
	Progress func(done, total int64)
}

// RestoreSummary tells what was restored.
type RestoreSummary struct {
	Users, Organizations, Receipts, Audit int64
	// Pictures and PictureBytes are those that are served now.
	Pictures, PictureBytes int64
	// Erased counts the pictures of the backup that were left out because a newer receipt names them.
	Erased int64
	// Missing counts the users who had a picture that the backup does not hold, see [BackupTotals].
	Missing int64
	// Backup and Newer tell about the files. Newer is empty without RestoreOptions.Receipts.
	Backup BackupSummary
	Newer  []BackupSummary
	// Gaps are the times of which no file knows what was erased.
	Gaps []Gap
	// NewestReceipt is the time of the newest erasure that is known, zero when there is none.
	NewestReceipt time.Time
}

// Gap is a time of which it is not known what was erased.
type Gap struct{ From, Until time.Time }

// KnownUntil is the moment up to which the restored store knows of every erasure, but for those of the gaps.
func (r RestoreSummary) KnownUntil() time.Time {
	until, _ := known(r.Backup, r.Newer)
	return until
}

// known puts together what files know of erasures since the end of a backup.
func known(backup BackupSummary, newer []BackupSummary) (until time.Time, gaps []Gap) {
	newer = slices.Clone(newer)
	slices.SortFunc(newer, func(a, b BackupSummary) int { return a.KnownFrom().Compare(b.KnownFrom()) })
	until = backup.Ended
	for _, n := range newer {
		if !n.Ended.After(until) {
			continue
		}
		if from := n.KnownFrom(); from.After(until) {
			gaps = append(gaps, Gap{until, from})
		}
		until = n.Ended
	}
	return until, gaps
}

// CheckGaps returns ErrGap when Restore would refuse these files for what they leave out, unless that is allowed.
func CheckGaps(backup BackupSummary, newer []BackupSummary) error {
	_, gaps := known(backup, newer)
	if len(gaps) == 0 {
		return nil
	}
	return fmt.Errorf("%w: between %s, up to where the backup and what goes on from it know, and %s, from where on the receipts do; add the file of that time, or take a newer backup",
		ErrGap, gaps[0].From.Format(time.RFC3339Nano), gaps[0].Until.Format(time.RFC3339Nano))
}

// Restore builds a store from a backup in cfg.Dir, which may be missing but must not hold one. The store is the one that
// was backed up: ids of pictures and receipts, details of users, the audit trail. A picture is in it only when no
// receipt of either file names it; bytes of others are not even written.
//
// Until it returns nil nothing in the directory can be opened; a try that fails takes back what it wrote, and one
// that was killed is replaced by the next. The errors are ErrLocked, ErrStoreExists, ErrNoBackup, ErrBackupVersion,
// ErrBackupDamaged, ErrOtherStore, ErrGap, and those of the disk.
func Restore(ctx context.Context, cfg Config, opt RestoreOptions) (RestoreSummary, error) {
	sum, err := restoreAnd(ctx, cfg, opt, func(string) {})
	if err != nil {
		err = fmt.Errorf("restore into %s: %w", cfg.Dir, err)
	}
	return sum, err
}

// restoreAnd calls after behind each step that is a change of the data directory.
func restoreAnd(ctx context.Context, cfg Config, opt RestoreOptions, after func(step string)) (sum RestoreSummary, err error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return sum, err
	}
	if opt.streams() { // before that is read
		if err := hasNoStore(dir); err != nil {
			return sum, err
		}
	}
	backup, newer, err := openBackups(ctx, opt, dir, cfg.WrapFile)
	if err != nil {
		return sum, err
	}
	defer func() {
		for _, f := range append(newer, backup) {
			err = errors.Join(err, f.close())
		}
	}()
	if err := hasNoStore(dir); err != nil { // before anything is made
		return sum, err
	}
	if err := datadir.At(dir).Make(); err != nil {
		return sum, err
	}
	lock, err := datadir.At(dir).Lock(lockName)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	if err := errors.Join(datadir.At(dir).RefuseLinks(ownNames...), hasNoStore(dir)); err != nil {
		return sum, err
	}
	if err := clearHalf(dir); err != nil {
		return sum, err
	}
	work := filepath.Join(dir, restoreName)
	if err := os.Mkdir(work, 0o700); err != nil {
		return sum, err
	}
	if err := datadir.At(dir).Sync(); err != nil {
		return sum, err
	}
	after("begun")
	r := &restore{ctx: ctx, cfg: cfg, opt: opt, dir: work, backup: backup, newer: newer}
	if sum, err = r.run(); err != nil {
		return RestoreSummary{}, errors.Join(err, os.RemoveAll(work))
	}
	after("built")
	if err := moveIn(dir, after); err != nil {
		return RestoreSummary{}, err
	}
	return sum, nil
}

// hasNoStore reports what is in the way of a restore.
func hasNoStore(dir string) error {
	for _, name := range []string{databaseName, databaseName + "-wal"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("%w: %s is there; restore into an empty directory", ErrStoreExists, name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	slab := exists(filepath.Join(dir, slabName))
	// The slab is moved in before the database: an unfinished restore may have come that far.
	ours := exists(filepath.Join(dir, restoreName, databaseName)) && !exists(filepath.Join(dir, restoreName, slabName))
	if slab && !ours {
		return fmt.Errorf("%w: %s is there, without its database; restore into an empty directory", ErrStoreExists, slabName)
	}
	return nil
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// clearHalf removes what an unfinished restore left. The slab goes first: as long as the other database is there,
// the slab is known to be of no use.
func clearHalf(dir string) error {
	work := filepath.Join(dir, restoreName)
	if !exists(work) {
		return nil
	}
	err := os.Remove(filepath.Join(dir, slabName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := datadir.At(dir).Sync(); err != nil {
		return err
	}
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	return datadir.At(dir).Sync()
}

// moveIn puts a store that is whole and durable in its place. The moment at which the database has its name is the one
// from which on it is served.
func moveIn(dir string, after func(string)) error {
	work := filepath.Join(dir, restoreName)
	for _, name := range []string{slabName, databaseName} {
		if err := os.Rename(filepath.Join(work, name), filepath.Join(dir, name)); err != nil {
			return err
		}
		after("moved " + name)
		if err := datadir.At(dir).Sync(); err != nil {
			return err
		}
	}
	return tidyRestored(dir)
}

// tidyRestored removes the rest of a restore that came to its end. It is called by whoever opens the store, too.
func tidyRestored(dir string) error {
	work := filepath.Join(dir, restoreName)
	if !exists(work) {
		return nil
	}
	if !exists(filepath.Join(dir, databaseName)) {
		return fmt.Errorf("%w: run it again; or remove %s, and with it what was restored", ErrHalfRestored, work)
	}
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	return datadir.At(dir).Sync()
}
