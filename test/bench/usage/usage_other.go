//go:build !linux

// Package usage tells what memory and processor time this process has used, for programs that measure themselves, and what memory others have.
package usage

import (
	"errors"
	"time"
)

// Resident is not known here.
func Resident() (int64, error) { return 0, errors.New("memory is measured on Linux only") }

// ResidentOf is not known here.
func ResidentOf(int) (now, peak int64, err error) {
	return 0, 0, errors.New("memory is measured on Linux only")
}

// CPU is not known here.
func CPU() time.Duration { return 0 }
