// Package usage tells what memory and processor time this process has used, for programs that measure themselves, and what memory others have.
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
	now, _, err := ResidentOf(os.Getpid())
	return now, err
}

// ResidentOf returns how many bytes of a process are in RAM, and how many were at most since it began.
func ResidentOf(pid int) (now, peak int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	kibibytes := func(name string) (n int64) {
		_, rest, _ := bytes.Cut(text, []byte(name+":"))
		if _, e := fmt.Sscan(string(rest), &n); e != nil {
			err = fmt.Errorf("read the memory of process %d: %w", pid, e)
		}
		return n
	}
	return kibibytes("VmRSS") << 10, kibibytes("VmHWM") << 10, err
}

// CPU returns the CPU time, user and system, that this process has used.
func CPU() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
