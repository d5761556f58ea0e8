// Command avatard owns users' avatars and deletes them for real. What it does is in package cli; what the parts do that
// it puts together is in packages server, authz and storage.
package main

import (
	"context"
	"os"

	"avatard/server"
)

func main() {
	server.TuneRuntime(os.Getenv)
	p := &avatardProgram{environ: os.Environ(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(report(os.Stderr, p.run(endOnSignal(context.Background()), os.Args[1:])))
}
