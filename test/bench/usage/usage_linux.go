// Package usage tells what memory and processor time this process has used, for programs that measure themselves.
package usage

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
	"time"
)

// Resident returns how many bytes of this process are in RAM.
func Resident() (int64, error) {
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

// CPU returns the CPU time, user and system, that this process has used.
func CPU() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
