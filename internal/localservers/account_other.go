//go:build !unix

package localservers

import (
	"errors"
	"syscall"
)

func databaseAccount(string, string) (*syscall.SysProcAttr, error) {
	return nil, errors.New("PostgreSQL can be started on Unix only")
}

// LetThrough does nothing.
func LetThrough(string) error { return nil }

func ofItsOwn(as *syscall.SysProcAttr, _ syscall.Signal) *syscall.SysProcAttr { return as }
