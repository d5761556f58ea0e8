package main

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
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
