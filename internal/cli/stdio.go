package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"example.org/avatard/storage"
	"example.org/avatard/storage/backup"
)

// stdioName is the name of a file that stands for standard output, or standard input. "./-" is a file of that name.
const stdioName = backup.StreamName

// checkOutput refuses to write a backup to a terminal, and sees to broken pipes.
func checkOutput(stdout io.Writer) error {
	if isTerminal(stdout) {
		return usagef("standard output is a terminal; send the backup somewhere: backup - > FILE, or backup - | PROGRAM")
	}
	ignoreBrokenPipes()
	return nil
}

// ignoreBrokenPipes ignores SIGPIPE: the end of the receiver is then an error of the write that is reported like others, and does not end
// the process without a word.
func ignoreBrokenPipes() { signal.Ignore(syscall.SIGPIPE) }

// checkInput refuses to read a backup from a terminal, and more than one file from standard input.
func checkInput(stdin io.Reader, names ...string) error {
	inputs := 0
	for _, name := range names {
		if name == stdioName {
			inputs++
		}
	}
	if inputs > 1 {
		return usagef("standard input can stand for one file only")
	}
	if inputs == 1 && isTerminal(stdin) {
		return usagef("standard input is a terminal; restore - < FILE, or PROGRAM | restore -")
	}
	return nil
}

// syncOutput makes a backup durable that was sent into a file. Pipes and devices cannot be.
func syncOutput(w io.Writer) error {
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return err
	}
	return f.Sync()
}

// copyBackup passes a stream on to standard output and says on standard error what cannot be known before.
func copyBackup(inv *Program, stream io.Reader, progress func(done, total int64)) (storage.ExportSummary, error) {
	sum, late, err := backup.Copy(inv.Stdout, stream, progress)
	if err == nil {
		err = syncOutput(inv.Stdout)
	}
	if errors.Is(err, storage.ErrExportDamaged) {
		return sum, err
	}
	if err != nil {
		return sum, fmt.Errorf("standard output: %w", err)
	}
	if late && !sum.ReceiptsOnly {
		fmt.Fprintln(inv.Stderr, "avatard: warning: pictures that were deleted or replaced while the backup was made may be in it; a restore leaves them out")
	}
	return sum, nil
}
