//go:build unix

package main

import (
	"os/signal"
	"syscall"
)

// ignoreFileSizeSignal makes a limit to the size of files (ulimit -f, LimitFSIZE=) an error of the write that meets it, like a
// full disk. The signal that comes with it would end the process.
func ignoreFileSizeSignal() { signal.Ignore(syscall.SIGXFSZ) }
