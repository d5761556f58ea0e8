package main

import (
	"bytes"
	"fmt"
	"os"
)

// residentMemory returns how many bytes of a process are in RAM.
func residentMemory(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(text, []byte("VmRSS:"))
	var kibibytes int64
	if _, err := fmt.Sscan(string(rest), &kibibytes); err != nil {
		return 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	return kibibytes << 10, nil
}
