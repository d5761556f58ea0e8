//go:build !linux

package main

import "errors"

// resident is not known here.
func resident() (int64, error) { return 0, errors.New("memory is measured on Linux only") }
