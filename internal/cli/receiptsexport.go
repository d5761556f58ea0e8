package cli

import (
	"context"
	"fmt"
	"io"

	"example.org/avatard/internal/admin"
)

// receiptsExportCommand is "receipts export".
type receiptsExportCommand struct {
	receiptFilter
	File  string `arg:"" name:"FILE|-" help:"file to write, or - for standard output"`
	Force bool   `help:"replace FILE if it is there"`
	JSON  bool   `name:"json" help:"say how many there are as JSON"`
}

// Run writes receipts for other programs. A file has all of them, or is not there; standard output may end behind any of them, which the
// exit code tells.
func (flags *receiptsExportCommand) Run(ctx context.Context, inv *Program) error {
	if flags.File == stdioName && flags.JSON {
		return usagef("--json needs a FILE: standard output is the receipts'")
	}
	each, err := flags.receipts(inv)
	if err != nil {
		return err
	}
	if err := mayWrite(flags.File, flags.Force); err != nil {
		return fmt.Errorf("receipts export: %w", err)
	}
	written := int64(0)
	write := func(w io.Writer) error {
		return each(ctx, w, func(w io.Writer, r admin.Receipt) error {
			written++
			return writeJSON(w, r)
		})
	}
	if flags.File == stdioName {
		ignoreBrokenPipes()
		if err = write(inv.Stdout); err == nil {
			err = syncOutput(inv.Stdout)
		}
	} else {
		err = writeWhole(flags.File, 0o600, write)
	}
	switch {
	case err != nil:
		return fmt.Errorf("receipts export: %w", err)
	case flags.File == stdioName:
		return nil
	case flags.JSON:
		return writeJSON(inv.Stdout, struct {
			File     string `json:"file"`
			Receipts int64  `json:"receipts"`
		}{flags.File, written})
	}
	_, err = fmt.Fprintf(inv.Stdout, "%s: %s\n", flags.File, countOf(written, "receipt"))
	return err
}
