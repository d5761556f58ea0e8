package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"avatard/storage/embedded"
)

// Exit codes of every command.
const (
	exitOK     = 0
	exitFailed = 1 // the command was understood and could not be done
	exitUsage  = 2 // the command line or the configuration is wrong; nothing was begun
	exitInUse  = 3 // another process has the data directory; nothing was begun
	exitData   = 4 // this program cannot work with what is in the data directory; trying again does not help
)

// avatardProgram is avatard in one process: what it gets from its surroundings.
type avatardProgram struct {
	// environ has the form of os.Environ. It is a list and not a look-up function because a misspelt AVATARD_ variable can only be
	// refused when all of them are seen.
	environ        []string
	stdin          io.Reader // for restore -
	stdout, stderr io.Writer
	now            func() time.Time // the clock of serve and restore, nil = time.Now
}

// run does a command and returns when it is done or ctx has ended. args are the command line without the program's name.
func (p *avatardProgram) run(ctx context.Context, args []string) error {
	cmd, rest, err := findCommand(args)
	if err != nil {
		return err
	}
	if cmd.name != "serve" { // to which it means something else
		var stop context.CancelFunc
		ctx, stop = endOnHangup(ctx)
		defer stop()
	}
	if len(rest) == 1 && isHelpFlag(rest[0]) { // also of commands that have no flags
		return printCommandHelp(p.stdout, cmd)
	}
	err = cmd.run(ctx, p, rest)
	if errors.Is(err, flag.ErrHelp) {
		return printCommandHelp(p.stdout, cmd)
	}
	if usage, ok := errors.AsType[*usageError](err); ok && usage.command == "" {
		usage.command = cmd.name
	}
	return err
}

// report writes an error the way a person at a terminal wants to see it and returns the exit code for it.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(stderr, "avatard: %v\n", err)
	if usage, ok := errors.AsType[*usageError](err); ok {
		fmt.Fprint(stderr, usage.hint())
		return exitUsage
	}
	if _, ok := errors.AsType[*configError](err); ok {
		return exitUsage
	}
	for _, known := range [...]struct {
		err  error
		code int
	}{
		{embedded.ErrLocked, exitInUse},
		{embedded.ErrDamaged, exitData},
		{embedded.ErrForeign, exitData},
		{embedded.ErrLink, exitData},
		{embedded.ErrNewerSchema, exitData},
	} {
		if errors.Is(err, known.err) {
			return known.code
		}
	}
	return exitFailed
}
