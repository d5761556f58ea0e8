package main

import (
	"bytes"
	"fmt"
	"os"
)

// resident returns how many bytes of this process are in RAM.
func resident() (int64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(text, []byte("VmRSS:"))
	var kibibytes int64
	if _, err := fmt.Sscan(string(rest), &kibibytes); err != nil {
		return 0, fmt.Errorf("read the memory of this process: %w", err)
	}
	return kibibytes << 10, nil
}
