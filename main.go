// Command avatard owns users' avatars and deletes them for real.
//
// This package is the wiring: it reads the command line and the configuration, puts the parts together, and
// shuts them down. What the parts do is in packages server, authz and storage.
//
//	main.go ─► commands.go ─┬► serve.go ◄─ config.go ◄─ settings.go, certificate.go, reload.go
//	                        │      └─► watch.go ─► diagnostics.go (metrics, traces, profiles)
//	                        │      └─► secretwatch.go, providertry.go ◄─ configcommand.go
//	                        ├► dev.go ◄─ devseed.go, devenv.go, devhost.go, devtemp.go
//	                        ├► migrate.go
//	                        ├► orgremove.go ─► userremove.go ─(socket)─► admin.go
//	                        ├► issuermove.go ─(socket)─► admin.go
//	                        ├► fsck.go ─► fsckclient.go ─(socket)─► fsckserver.go
//	                        ├► migrate.go, restore.go
//	                        ├► backup.go ─► backupclient.go ─(socket)─► backupserver.go
//	                        └► register.go ─► adminclient.go ─(socket)─► admin.go
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"avatard/server"
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

func main() {
	server.TuneRuntime(os.Getenv)
	os.Exit(runProcess(os.Args[1:], os.Environ()))
}

// runProcess does a command in this process and returns the exit code.
func runProcess(args, environ []string) int {
	err := run(endOnSignal(context.Background()), args, environ, os.Stdout, os.Stderr)
	return report(os.Stderr, err)
}

// run is the whole program behind main, for tests too: it parses args (without the program's name), does the
// command and returns when it is done or ctx has ended. environ has the form of os.Environ; it is a list and
// not a look-up function because a misspelt AVATARD_ variable can only be refused when all of them are seen.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	inv := &invocation{environ: environ, stdin: os.Stdin, stdout: stdout, stderr: stderr}
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
		return printCommandHelp(stdout, cmd)
	}
	err = cmd.run(ctx, inv, rest)
	if errors.Is(err, flag.ErrHelp) {
		return printCommandHelp(stdout, cmd)
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
