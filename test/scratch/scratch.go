// Package scratch lets tests keep their files in memory. Where a disk that loses power is not what a test is about, waiting for its syncs
// shows nothing, and there are thousands of them.
//
//	func TestMain(m *testing.M) { os.Exit(scratch.InMemory(m.Run)) }
package scratch

import (
	"errors"
	"fmt"
	"os"
	"testing"
)

// room is how many bytes have to be free in memory.
const room = 1 << 30

// onDisk is where temporary files are without this package.
var onDisk = os.TempDir()

// InMemory calls what runs the tests of a package, and returns its exit code. Temporary files and directories, also those of processes that the
// tests start, are in memory, on systems where there is such a place with enough room; otherwise they are where they always are.
func InMemory(run func() int) int {
	const memory = "/dev/shm"
	if !fits(memory, room) {
		return run()
	}
	dir, err := os.MkdirTemp(memory, "avatard-test-")
	if err != nil {
		return run()
	}
	defer func() { _ = os.RemoveAll(dir) }()
	// Database servers run as another account, which has to pass through.
	if err := errors.Join(os.Chmod(dir, 0o711), os.Setenv("TMPDIR", dir)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return run()
}

// OnDisk puts the files of one test, which does not run in parallel, where they are without InMemory: on a disk whose syncs take time, in
// which calls meet.
func OnDisk(t *testing.T) {
	t.Helper()
	t.Setenv("TMPDIR", onDisk)
}
