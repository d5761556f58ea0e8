//go:build !linux

package main

// residentMemory is not known here: the same for every process, so that none grows.
func residentMemory(int) (int64, error) { return 0, nil }
