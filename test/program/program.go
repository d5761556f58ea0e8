// Package program is what the programs of proofs and benchmarks have in common: how they begin and end.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Run is what a program does. args are those behind its name. flag.ErrHelp says that help was asked for and printed.
type Run func(ctx context.Context, args []string, stdout, stderr io.Writer) error

// Parse parses the arguments of a program that takes flags alone.
func Parse(fs *flag.FlagSet, args []string) error {
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("takes flags only, not %q", fs.Args())
	}
	return nil
}

// Main runs a program of a name until it ends or is told to, by SIGINT or SIGTERM, which end ctx. It returns the exit code:
// 1 after an error, which it prints, and 0 otherwise.
func Main(name string, run Run) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}
