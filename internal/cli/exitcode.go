package cli

import (
	"errors"
	"fmt"
	"io"

	"example.org/avatard/internal/client"
	"example.org/avatard/internal/config"
	"example.org/avatard/storage"
)

// Exit codes of every command.
const (
	ExitOK           = 0
	ExitFailed       = 1
	ExitUsage        = 2
	ExitInUse        = 3
	ExitData         = 4
	ExitNotPermitted = 5
	ExitNotFound     = 6
	ExitRefused      = 7
	ExitUnreachable  = 8
)

// exitCodes say what each code means, to readers of the help and of the pages, and which errors have it.
var exitCodes = [...]struct {
	code    int
	meaning string
	errs    []error
}{
	{ExitOK, "done", nil},
	{ExitFailed, "failed: the command was understood and could not be done", nil},
	{ExitUsage, "the command line or the configuration is wrong; nothing was begun", nil},
	{ExitInUse, "another process has the data directory; nothing was begun", []error{storage.ErrInUse}},
	{ExitData, "the data is damaged, moved elsewhere or not for this program; trying again does not help",
		[]error{storage.ErrDamaged, storage.ErrForeign, storage.ErrLink, storage.ErrNewerSchema, storage.ErrMoved}},
	{ExitNotPermitted, "not signed in, or not permitted", []error{client.ErrNotPermitted}},
	{ExitNotFound, "no such user in the organisation, or no picture", []error{client.ErrNotFound}},
	{ExitRefused, "the server does not take this: no picture, too large, no id", []error{client.ErrRefused}},
	{ExitUnreachable, "the server does not answer in time, or is busy; try again", []error{client.ErrUnreachable}},
}

// Report writes an error the way a person at a terminal wants to see it and returns the exit code for it.
func Report(stderr io.Writer, err error) int {
	if err == nil {
		return ExitOK
	}
	fmt.Fprintf(stderr, "avatard: %v\n", err)
	if usage, ok := errors.AsType[*usageError](err); ok {
		fmt.Fprint(stderr, usage.hint)
		return ExitUsage
	}
	if _, ok := errors.AsType[*config.Error](err); ok {
		return ExitUsage
	}
	for _, e := range exitCodes {
		for _, known := range e.errs {
			if errors.Is(err, known) {
				return e.code
			}
		}
	}
	return ExitFailed
}
