package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/config"
	"example.org/avatard/storage"
	"example.org/avatard/storage/backup"
)

// backupCommand is "backup".
type backupCommand struct {
	settingFlags
	File         string `arg:"" name:"FILE|-" help:"file to write, or - for standard output"`
	ReceiptsOnly bool   `help:"leave pictures out: a small file that tells a later restore what was erased"`
	Since        string `placeholder:"FILE" help:"with --receipts-only: write only receipts that came after this backup, which restore needs, too"`
	Force        bool   `help:"replace FILE if it is there"`
}

// Run writes a backup of a data directory into a file, through the server that runs on it or without one.
func (flags *backupCommand) Run(ctx context.Context, inv *Program) error {
	name, status := flags.File, inv.Stdout
	if name == stdioName {
		if err := checkOutput(inv.Stdout); err != nil {
			return err
		}
		name, status = "standard output", inv.Stderr
	}
	if flags.Since == stdioName {
		return usagef("--since takes a file: only its beginning and its end are read")
	}
	if flags.Since != "" && !flags.ReceiptsOnly {
		return usagef("--since goes with --receipts-only: a whole backup does not go on from another one")
	}
	cfg, err := config.Read(inv.Environ, flags.Flags, "data")
	if err != nil {
		return err
	}
	sum, err := writeBackup(ctx, inv, inv.placeOf(cfg), flags.File, flags)
	if errors.Is(err, backup.ErrFileExists) {
		err = fmt.Errorf("%w; take another name, or --force to replace it", err)
	}
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := printBackup(status, name, sum); err != nil {
		return err
	}
	if sum.Unreadable > 0 {
		return fmt.Errorf("backup: %s is written, but %s could not be read and are not in it; the log names them", name, countOf(sum.Unreadable, "picture"))
	}
	return nil
}

func writeBackup(ctx context.Context, inv *Program, place storage.Place, name string, flags *backupCommand) (sum storage.ExportSummary, err error) {
	if name != stdioName { // before a server is bothered
		if err := checkBackupName(name, place.ControlDir(), flags.Force); err != nil {
			return sum, err
		}
	}
	req := admin.BackupRequest{ReceiptsOnly: flags.ReceiptsOnly}
	if flags.Since != "" {
		if name != stdioName && sameFile(flags.Since, name) {
			return sum, fmt.Errorf("%s would replace the file that it goes on from, which restore needs, too; take another name", name)
		}
		since, err := backup.End(flags.Since)
		if err != nil {
			return sum, err
		}
		req.Since = &since
	}
	stream, err := backupStream(ctx, inv, place, req)
	if err != nil {
		return sum, err
	}
	defer func() {
		err = errors.Join(err, stream.Close())
		if s, ok := stream.(*admin.BackupStream); ok {
			s.Report(ctx, err)
		}
	}()
	bar := startProgress(inv.Stderr, "backup", 0)
	left := "nothing is left of it"
	if name == stdioName {
		sum, err = copyBackup(inv, stream, bar.set)
		left = "what was sent of it is no backup"
	} else {
		sum, err = backup.Save(name, flags.Force, stream, bar.set)
	}
	bar.finish()
	if errors.Is(err, storage.ErrExportDamaged) {
		err = errors.Join(stream.Close(), fmt.Errorf("it broke off (%w); %s, and the log says more", err, left))
	}
	return sum, err
}

// checkBackupName refuses a file that lies in the data directory, and one that is there unless it may be replaced.
func checkBackupName(name, dir string, force bool) error {
	if inside, err := liesIn(name, dir); err != nil {
		return err
	} else if inside {
		return fmt.Errorf("%s lies in the data directory, which is where pictures are deleted from; write it elsewhere", name)
	}
	if _, err := os.Lstat(name); err == nil && !force {
		return fmt.Errorf("%w: %s", backup.ErrFileExists, name)
	}
	return nil
}

// sameFile tells whether two names lead to one file that is there.
func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// backupStream returns the bytes of a backup, from the running server or, when there is none, from the store itself, under
// its lock. Close tells why a stream of the latter kind ended early.
func backupStream(ctx context.Context, inv *Program, place storage.Place, req admin.BackupRequest) (io.ReadCloser, error) {
	stream, err := serverOf(place).Backup(ctx, req)
	if err == nil {
		return stream, nil
	}
	if !errors.Is(err, admin.ErrNoServer) {
		return nil, err
	}
	if err := place.Exists(ctx); err != nil {
		return nil, err
	}
	logger := slog.New(slog.NewTextHandler(inv.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	store, err := place.Open(ctx, storage.OpenOptions{Logger: logger, AsIs: true})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	r, w := io.Pipe()
	s := &ownStream{PipeReader: r, cancel: cancel, ended: make(chan error, 1)}
	go func() {
		_, err := backup.Write(ctx, store, w, storage.ExportOptions{ReceiptsOnly: req.ReceiptsOnly, Since: req.Since})
		_ = w.CloseWithError(err) // nil is the end of the stream; it returns nil
		s.ended <- errors.Join(err, store.Close())
	}()
	return s, nil
}

// ownStream is the backup of a store that this process has open.
type ownStream struct {
	*io.PipeReader
	cancel context.CancelFunc
	ended  chan error
	closed bool
}

// Close waits until the store is closed. That Close came early is not reported as an error of the store.
func (s *ownStream) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	s.cancel()
	_ = s.PipeReader.Close() // returns nil
	err := <-s.ended
	if errors.Is(err, context.Canceled) || errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}

// liesIn reports whether a file lies in a directory or below it, whatever links lead there; "" is none.
func liesIn(name, dir string) (bool, error) {
	if dir == "" {
		return false, nil
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(name))
	if err != nil {
		return false, err
	}
	if parent, err = filepath.Abs(parent); err != nil {
		return false, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return false, nil //nolint:nilerr // nothing lies in what is not there
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return false, err
	}
	rel, err := filepath.Rel(dir, parent)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)), nil
}

func printBackup(w io.Writer, name string, sum storage.ExportSummary) error {
	what := fmt.Sprintf("%s, %s and %s", countOf(sum.Users, "user"), countOf(sum.Pictures, "picture"), countOf(sum.Receipts, "receipt"))
	if sum.ReceiptsOnly {
		what = countOf(sum.Receipts, "receipt")
		if from := sum.KnownFrom(); !from.IsZero() {
			what += " since " + from.Format(time.RFC3339)
		}
	}
	_, err := fmt.Fprintf(w, "%s: %s as of %s, %d bytes\n", name, what, sum.Ended.Format(time.RFC3339), sum.Bytes)
	return err
}

// countOf says "1 picture" or "2 pictures".
func countOf(n int64, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
