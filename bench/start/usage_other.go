//go:build !linux

package main

import (
	"errors"
	"time"
)

// resident is not known here.
func resident() (int64, error) { return 0, errors.New("memory is measured on Linux only") }

// processCPU is not known here.
func processCPU() time.Duration { return 0 }
