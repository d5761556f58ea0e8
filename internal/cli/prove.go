package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"example.org/avatard/internal/prove"
)

// proveCommand is "prove".
type proveCommand struct {
	Dir  string `placeholder:"DIR" help:"directory to work in, such as one on the disk that is meant; without it that for temporary files"`
	Keep bool   `help:"leave the server's files, and the pictures beside them, to search with other tools"`
	JSON bool   `name:"json" help:"print the report as JSON, at the end"`
}

// Run makes the proof with this program as the server.
func (flags *proveCommand) Run(ctx context.Context, inv *Program) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("prove: %w", err)
	}
	signal.Ignore(syscall.SIGPIPE) // a reader that has gone must not keep the directory from being removed
	tell := func(sentence string) { fmt.Fprintln(inv.Stdout, sentence) }
	if flags.JSON {
		tell = nil
	}
	sweepTempDirs(cmp.Or(flags.Dir, os.TempDir()), proveTempPrefix, slog.New(slog.DiscardHandler))
	temp, err := newTempDir(flags.Dir, proveTempPrefix)
	if err != nil {
		return fmt.Errorf("prove: %w", err)
	}
	report, err := prove.Run(ctx, prove.Config{Program: self, Environ: inv.Environ, Version: version(), Dir: temp.dir, Keep: flags.Keep, Tell: tell})
	if report.Directory == "" {
		err = errors.Join(err, temp.remove())
	} else {
		err = errors.Join(err, temp.keep())
	}
	switch {
	case ctx.Err() != nil:
		return errors.New("prove: interrupted")
	case flags.JSON:
		err = errors.Join(err, json.NewEncoder(inv.Stdout).Encode(report))
	case err == nil:
		_, err = io.WriteString(inv.Stdout, report.Verdict())
	}
	if err = errors.Join(err, report.Err()); err != nil {
		return fmt.Errorf("prove: %w", err)
	}
	return nil
}
