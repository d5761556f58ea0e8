// Command avatard owns users' avatars and deletes them for real. What its commands do is in package cli; the parts that
// they put together are packages server, authz and storage.
package main

import (
	"context"
	"os"

	"example.org/avatard/internal/cli"
	"example.org/avatard/server"
)

func main() {
	server.TuneRuntime(os.Getenv)
	p := &cli.Program{Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	os.Exit(cli.Report(os.Stderr, p.Run(cli.EndOnSignal(context.Background()), os.Args[1:])))
}
