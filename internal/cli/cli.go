// Package cli is avatard's command line: it finds out which command is meant, reads the configuration, puts the parts
// together and shuts them down. The parts themselves are packages server, authz and storage.
//
//	cli.go ─► parse.go ◄─ grammar.go (every command and flag) ─► help.go, completion.go, man.go
//	                       │
//	              └────────┬► serve.go ◄─ identity.go, banner.go, reload.go, shutdown.go, signals.go
//	                       │      └► watch.go ─► diagnostics.go (metrics, traces, profiles)
//	                       │      └► providertry.go ◄─ config.go (what serve would go by)
//	                       ├► dev.go ◄─ devcluster.go, devseed.go, devenv.go, devhost.go, devready.go, devtemp.go
//	                       ├► register.go, issuermove.go ──────┐
//	                       ├► eraseorg.go ─► eraseuser.go ─────┤ through a running server where there is
//	                       ├► list.go, receipts.go, audit.go ──┤ one (package admin), else on the store
//	                       │      └► pages.go, printable.go    │
//	                       ├► fsck.go, backup.go ──────────────┘
//	                       ├► restore.go, migrate.go: with no server running
//	                       ├► move.go: with none, or it serves itself
//	                       └► put.go, get.go, rm.go, import.go ─► call.go: through the API of a server anywhere (package client)
//	                              login.go (package login) ─┘
//	                       └► prove.go (package prove): starts this program once more, as a server
//
// Each of them gets the store, or the place where it is, from place.go.
//
// Every setting and its faults are package config's. Nothing but main.go and tests imports this package.
package cli

import (
	"context"
	"errors"
	"io"
	"reflect"
	"time"

	"github.com/alecthomas/kong"

	"example.org/avatard/internal/config"
	"example.org/avatard/storage"
)

// Program is avatard in one process: what it gets from its surroundings.
type Program struct {
	// Environ has the form of os.Environ. It is a list and not a look-up function because a misspelt AVATARD_ variable can only be
	// refused when all of them are seen.
	Environ        []string
	Stdin          io.Reader // for restore -
	Stdout, Stderr io.Writer
	Now            func() time.Time                  // the clock of serve, restore and --since, nil = time.Now
	Place          func(config.Config) storage.Place // where the data is kept, nil = as the configuration says
	// Pause waits between two looks of a command that follows, or returns the context's error. nil = on the clock.
	Pause func(ctx context.Context, d time.Duration) error
}

// Run does a command and returns when it is done or ctx has ended. args are the command line without the program's name.
func (p *Program) Run(ctx context.Context, args []string) error {
	parsed, err := p.parse(args)
	if output, ok := errors.AsType[*shown](err); ok {
		return output.err
	}
	if err != nil {
		return err
	}
	if !servesCalls(parsed) { // to which it means something else
		var stop context.CancelFunc
		ctx, stop = endOnHangup(ctx)
		defer stop()
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run()
	if usage, ok := errors.AsType[*usageError](err); ok && usage.hint == "" {
		usage.hint = hintOf(parsed.Selected())
	}
	return err
}

// servesCalls reports whether a command is a server.
func servesCalls(parsed *kong.Context) bool {
	if moving, ok := reflect.TypeAssert[*moveCommand](parsed.Selected().Target.Addr()); ok {
		return moving.Serve
	}
	return parsed.Command() == "serve"
}
