package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// processCPU returns the CPU time, user and system, that this process has used.
func processCPU() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// resident returns the memory of this process that is in RAM: now, at most so far, and the part of it that is not
// pages of the program's own file.
func resident() (now, peak, anonymous int64, err error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, 0, 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		var kibibytes int64
		if _, err := fmt.Sscan(value, &kibibytes); err != nil {
			continue
		}
		switch name {
		case "VmRSS":
			now = kibibytes << 10
		case "VmHWM":
			peak = kibibytes << 10
		case "RssAnon":
			anonymous = kibibytes << 10
		}
	}
	return now, peak, anonymous, nil
}

func datasync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
