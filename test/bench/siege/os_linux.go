package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// peakMemory returns how many bytes of a process were in RAM at most.
func peakMemory(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(text, []byte("VmHWM:"))
	var kibibytes int64
	if _, err := fmt.Sscan(string(rest), &kibibytes); err != nil {
		return 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	return kibibytes << 10, nil
}

// processorTime returns how long a process has run on all processors together.
func processorTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(text, []byte(") ")) // behind the name, which may hold anything
	fields := strings.Fields(string(rest))
	const user, system, perSecond = 11, 12, 100 // proc_pid_stat(5): fields 14 and 15, in hundredths of a second
	if len(fields) <= system {
		return 0, fmt.Errorf("read the processor time of process %d: %d fields", pid, len(fields))
	}
	var ticks int64
	for _, field := range fields[user : system+1] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the processor time of process %d: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / perSecond, nil
}

// lowestPriority makes a process take only what others leave.
func lowestPriority(pid int) {
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, pid, 19) // without it the figures are worse, not better
}

// narrowSocket gives a connection the smallest buffer and small segments: from these the other end computes how much it
// keeps for sending, megabytes otherwise on loopback.
func narrowSocket(_, _ string, conn syscall.RawConn) error {
	var failed error
	err := conn.Control(func(fd uintptr) {
		if failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1); failed == nil {
			failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 536)
		}
	})
	if err != nil {
		return err
	}
	return failed
}
