package cli

import (
	"errors"
	"fmt"
	"syscall"
)

// listeningFailed words why an address cannot be listened on. otherwise says how to choose another one.
func listeningFailed(err error, otherwise string) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("listening: %w: stop the program that has this port, or %s", err, otherwise)
	}
	return fmt.Errorf("listening: %w", err)
}
