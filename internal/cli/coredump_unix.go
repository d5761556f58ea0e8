//go:build unix

package cli

import (
	"fmt"
	"syscall"
)

// disableCoreDumps keeps pictures and secrets in memory from being written to disk by a crash.
func disableCoreDumps() error {
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return fmt.Errorf("switching core dumps off: %w", err)
	}
	return nil
}
