package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"example.org/avatard/internal/config"
	"example.org/avatard/storage"
	"example.org/avatard/storage/backup"
)

// restoreCommand is "restore".
type restoreCommand struct {
	settingFlags
	File     string   `arg:"" name:"FILE|-" help:"backup to read, or - for standard input"`
	Receipts []string `type:"repeated" placeholder:"FILE|-" help:"newer backup, usually of --receipts-only: what it knows to be erased is not restored; may be given several times"`
	AllowGap bool     `help:"restore although the files leave out what was erased at some time after the backup: those pictures come back"`
	Check    bool     `help:"read the files, say what is in them and whether their times leave a gap, and change nothing"`
}

// Run makes a data directory out of a backup.
func (flags *restoreCommand) Run(ctx context.Context, inv *Program) error {
	names := append([]string{flags.File}, flags.Receipts...)
	if err := checkInput(inv.Stdin, names...); err != nil {
		return err
	}
	var err error
	if flags.Check {
		err = checkBackups(inv, names, flags.AllowGap)
	} else {
		cfg, cerr := config.Read(inv.Environ, flags.Flags, "data")
		if cerr != nil {
			return cerr
		}
		err = restore(ctx, inv, inv.placeOf(cfg), flags.File, flags)
	}
	switch {
	case errors.Is(err, storage.ErrGap):
		return fmt.Errorf("restore: %w; or --allow-gap", err)
	case errors.Is(err, storage.ErrInUse):
		return fmt.Errorf("restore: %w: stop the server, and restore into an empty directory", err)
	case err != nil:
		return fmt.Errorf("restore: %w", err)
	}
	return nil
}

// checkBackups reads files to their ends. Unless gaps are allowed, the receipts behind the first file have to go on from it.
func checkBackups(inv *Program, names []string, allowGap bool) error {
	var sums []storage.ExportSummary
	for _, name := range names {
		var sum storage.ExportSummary
		var err error
		if name == stdioName {
			name = "standard input"
			sum, err = backup.Check(inv.Stdin)
		} else {
			sum, err = checkBackup(name)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := printBackup(inv.Stdout, name, sum); err != nil {
			return err
		}
		sums = append(sums, sum)
	}
	if allowGap || sums[0].ReceiptsOnly {
		return nil
	}
	return storage.CheckGaps(sums[0], sums[1:])
}

func checkBackup(name string) (storage.ExportSummary, error) {
	f, err := os.Open(name)
	if err != nil {
		return storage.ExportSummary{}, err
	}
	defer f.Close()
	return backup.Check(f)
}

func restore(ctx context.Context, inv *Program, place storage.Place, name string, flags *restoreCommand) error {
	bar := startProgress(inv.Stderr, "restore", 0)
	sum, err := backup.Restore(ctx, place, backup.RestoreOptions{Backup: name, Receipts: flags.Receipts,
		AllowGap: flags.AllowGap, Stream: inv.Stdin, Progress: bar.set})
	bar.finish()
	if err != nil {
		return err
	}
	now := time.Now
	if inv.Now != nil {
		now = inv.Now
	}
	warnOfRestore(inv.Stderr, flags.Receipts, sum)
	return printRestore(inv.Stdout, sum, now())
}

// warnOfRestore says which erasures nobody knows of.
func warnOfRestore(w io.Writer, receipts []string, sum storage.ImportSummary) {
	if len(receipts) == 0 {
		fmt.Fprintf(w, "avatard: warning: without --receipts every picture that was deleted or replaced after %s is back; "+
			"delete those again before you serve\n", sum.Backup.Ended.Format(time.RFC3339))
	} else if !slices.ContainsFunc(sum.Newer, func(n storage.ExportSummary) bool { return !n.Ended.Before(sum.Backup.Ended) }) {
		fmt.Fprintf(w, "avatard: warning: %s is older than the backup and adds nothing; every picture that was deleted or replaced after %s is back\n",
			strings.Join(receipts, ", "), sum.Backup.Ended.Format(time.RFC3339))
	}
	for _, gap := range sum.Gaps {
		fmt.Fprintf(w, "avatard: warning: every picture that was deleted or replaced between %s and %s is back; delete those again before you serve\n",
			gap.From.Format(time.RFC3339), gap.Until.Format(time.RFC3339))
	}
}

func printRestore(w io.Writer, sum storage.ImportSummary, now time.Time) error {
	lines := []string{fmt.Sprintf("restored: %s, %s (%d bytes), %s, %s, %s of the audit trail", countOf(sum.Users, "user"), countOf(sum.Pictures, "picture"),
		sum.PictureBytes, countOf(sum.Organizations, "organisation"), countOf(sum.Receipts, "receipt"), countOf(sum.Audit, "record"))}
	lines = append(lines, fmt.Sprintf("left out: %s that newer receipts name as erased", countOf(sum.Erased, "picture")))
	if sum.Missing > 0 {
		lines = append(lines, fmt.Sprintf("missing: %s that changed while the backup was made, or could not be read then", countOf(sum.Missing, "picture")))
	}
	known := sum.KnownUntil()
	lines = append(lines, fmt.Sprintf("erasures are known up to %s, %s ago", known.Format(time.RFC3339), now.Sub(known).Round(time.Second)))
	if !sum.NewestReceipt.IsZero() {
		lines = append(lines, fmt.Sprintf("the newest receipt is of %s, %s ago", sum.NewestReceipt.Format(time.RFC3339), now.Sub(sum.NewestReceipt).Round(time.Second)))
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}
