// Command avatard owns users' avatars and deletes them for real. What its commands do is in package cli; the parts that
// they put together are packages server, authz and storage.
package main

import (
	"context"
	"os"

	"example.org/avatard/internal/cli"
	"example.org/avatard/server"
)

// version is set at link time (-ldflags "-X main.version=1.2.3") and never changed by the program.
var version string

func main() {
	server.TuneRuntime(os.Getenv)
	p := &cli.Program{Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Version: version}
	os.Exit(cli.Report(os.Stderr, p.Run(cli.EndOnSignal(context.Background()), os.Args[1:])))
}
