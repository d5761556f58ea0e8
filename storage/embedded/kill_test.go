package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
	"example.org/avatard/storage/embedded/internal/slab"
	"example.org/avatard/storage/storagetest"
	"example.org/avatard/test/scratch"
)

// The environment by which a test process becomes the one that is killed.
const (
	killDirEnv = "AVATARD_TEST_KILL_DIR" // data directory
	killAtEnv  = "AVATARD_TEST_KILL_AT"  // number of the file operation to die before; 0 to survive
	killJobEnv = "AVATARD_TEST_KILL_JOB" // what to do between opening and closing
)

// killScenario is what the process does, in order, each step after the one before was acknowledged. Picture 0 stands
// for a removal. Two sizes share a class, so that slots are used again.
var killScenario = []struct {
	user    int
	picture uint32
	size    int
}{
	{1, 1, 5000}, {2, 2, 300}, {1, 3, 200_000}, {1, 4, 5100}, {1, 0, 0}, {1, 5, 5200}, {2, 6, 300}, {2, 0, 0}, {1, 0, 0},
}

// killCheckpoints are the steps before which the log is moved into the database: then it begins anew, or is cut off.
var killCheckpoints = map[int]sqlite3.CheckpointMode{3: sqlite3.CHECKPOINT_PASSIVE, 6: sqlite3.CHECKPOINT_TRUNCATE}

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDirEnv); dir != "" {
		if err := killChild(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(scratch.InMemory(m.Run))
}

// killer dies before one operation on a file.
type killer struct {
	at, seen atomic.Int64
}

type killerFile struct {
	File
	k *killer
}

func (k *killer) wrap(_ string, f File) File { return &killerFile{f, k} }

func (k *killer) step() {
	if k.seen.Add(1) == k.at.Load() {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until the signal is delivered
	}
}

func (f *killerFile) WriteAt(p []byte, off int64) (int, error) {
	f.k.step()
	return f.File.WriteAt(p, off)
}
func (f *killerFile) Truncate(size int64) error { f.k.step(); return f.File.Truncate(size) }
func (f *killerFile) Sync() error               { f.k.step(); return f.File.Sync() }

// Punch is one of the operations where the file below can do it.
func (f *killerFile) Punch(off, n int64) error {
	below, ok := f.File.(datadir.Puncher)
	if !ok {
		return errors.ErrUnsupported
	}
	f.k.step()
	return below.Punch(off, n)
}

// killChild is the process that is killed. It prints a line for every step that was acknowledged, and at the end how
// many file operations there were.
func killChild(dir string) error {
	ctx := context.Background()
	at, err := strconv.ParseInt(os.Getenv(killAtEnv), 10, 64)
	if err != nil {
		return err
	}
	k := &killer{}
	k.at.Store(at)
	if name, ok := strings.CutPrefix(os.Getenv(killJobEnv), "save "); ok {
		return saveOnAFullDisk(dir, name)
	}
	if names, ok := strings.CutPrefix(os.Getenv(killJobEnv), "restore "); ok {
		return killRestore(dir, names, k)
	}
	bad := &badSlots{}
	f := &faults{} // whose syncs do not reach the disk: a process that is killed loses nothing of what it wrote
	cfg := Config{Dir: dir, WrapFile: func(name string, file File) File {
		return k.wrap(name, f.wrap(name, bad.wrap(name, file)))
	}}
	if os.Getenv(killJobEnv) == "pruning" {
		cfg.Keep, cfg.Now = pruneKeep, pruneClock.now
	}
	s, err := Open(ctx, cfg)
	if err != nil {
		return err
	}
	switch os.Getenv(killJobEnv) {
	case "scenario":
		err = runScenario(ctx, s, nil)
	case "trimmed scenario":
		trimAll(s)
		err = runScenario(ctx, s, func() error { return s.Tidy(ctx) })
	case "register and scenario":
		if _, _, err = s.AddUser(ctx, testKey(3), testOrg, testBy); err == nil {
			err = runScenario(ctx, s, nil)
		}
	case "moves":
		err = runMoves(ctx, s)
	case "ends":
		err = runEnds(ctx, s, func() { fmt.Println("done") })
	case "pruning":
		err = runPruning(ctx, s, func() { fmt.Println("done") })
	case "faults":
		err = runFaults(ctx, s, f, bad)
	}
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	fmt.Println("operations", k.seen.Load())
	return nil
}

// runScenario does the steps of killScenario and prints a line for each. After each it calls between.
func runScenario(ctx context.Context, s *Store, between func() error) (err error) {
	pattern := storagetest.NewPattern(1)
	onCommitter(s, s.space.small)
	onCommitter(s, s.regainRoom)
	for i, step := range killScenario {
		if mode, ok := killCheckpoints[i]; ok {
			onCommitter(s, func() { err = s.checkpoint(mode) })
			if err != nil {
				return err
			}
		}
		if step.picture == 0 {
			_, err = s.Remove(ctx, removal(step.user))
		} else {
			_, err = s.Put(ctx, storage.Upload{User: testKey(step.user), Organization: testOrg, By: testBy, Register: true,
				Picture: storage.Picture{Format: storage.PNG, Data: pattern.Picture(step.picture, step.size)}})
		}
		if err != nil {
			return err
		}
		fmt.Println("done")
		if between == nil {
			continue
		}
		if err := between(); err != nil {
			return err
		}
	}
	return nil
}

// runFaults uses a store whose disk fails twice: an upload is given up, and of two deletes the first is not finished when the
// second goes on record. Then the disk is full, and then there is a page that cannot be written.
func runFaults(ctx context.Context, s *Store, f *faults, bad *badSlots) error {
	pattern := storagetest.NewPattern(1)
	put := func(user int) error { return putPattern(ctx, s, pattern, user, 5000) }
	once := func(op string) {
		left := 1
		f.set(func(_ int, name, o string) bool {
			if name != slabName || o != op {
				return false
			}
			left--
			return left == 0
		})
	}
	if err := errors.Join(put(1), put(2)); err != nil {
		return err
	}
	once("sync")
	if err := put(3); !errors.Is(err, storage.ErrUnavailable) {
		return fmt.Errorf("put = %w, want %w", err, storage.ErrUnavailable)
	}
	once("write")
	if _, err := s.Remove(ctx, removal(1)); !errors.Is(err, storage.ErrUnavailable) {
		return fmt.Errorf("remove = %w, want %w", err, storage.ErrUnavailable)
	}
	for range 2 {
		if _, err := s.Remove(ctx, removal(2)); err != nil {
			return err
		}
	}
	if err := runFullDisk(ctx, s, f, put); err != nil {
		return err
	}
	bad.set(nextSlot(s, 5000))
	if err := put(5); !errors.Is(err, storage.ErrUnavailable) {
		return fmt.Errorf("put to a bad page = %w, want %w", err, storage.ErrUnavailable)
	}
	for range quarantineTries {
		sweepNow(s)
	}
	if n := s.Stats().Quarantined; n != 1 {
		return fmt.Errorf("%d slots in quarantine, want one", n)
	}
	if err := put(5); err != nil {
		return err
	}
	_, err := s.Remove(ctx, removal(5))
	return err
}

// runFullDisk is the part of runFaults on a full disk: the slot of an upload is neither written nor overwritten, but becomes a hole; then
// a delete is the first change that finds no room.
func runFullDisk(ctx context.Context, s *Store, f *faults, put func(user int) error) error {
	f.err = syscall.ENOSPC
	f.set(func(_ int, name, op string) bool { return name == slabName && op == "write" })
	if err := put(4); !errors.Is(err, storage.ErrUnavailable) {
		return fmt.Errorf("put = %w, want %w", err, storage.ErrUnavailable)
	}
	f.set(nil)
	f.err = nil
	onCommitter(s, s.regainRoom)
	full := true
	f.err = syscall.ENOSPC
	f.set(func(_ int, name, op string) bool {
		if name == logName && op == "write" && full {
			full = false
			return true
		}
		return false
	})
	if _, err := s.Remove(ctx, removal(1)); err != nil {
		return err
	}
	f.set(nil)
	f.err = nil
	onCommitter(s, s.regainRoom)
	return nil
}

// nextSlot returns the slot that the next upload of so many bytes takes.
func nextSlot(s *Store, size int) (slot int64) {
	onCommitter(s, func() {
		s.commitBatch(nil) // what is finished is free
		slot, _, _ = s.slots.Take(slab.ClassFor(size))
		s.slots.Give(slot, true)
	})
	return slot
}

// runKilled runs the child and returns how many steps it acknowledged, and all its operations if it survived.
func runKilled(t *testing.T, dir, job string, at int) (acknowledged, operations int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killDirEnv+"="+dir, killAtEnv+"="+strconv.Itoa(at), killJobEnv+"="+job)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	killed := errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	if err != nil && !killed {
		t.Fatalf("killed at %d: %v\n%s", at, err, stderr.String())
	}
	acknowledged = strings.Count(string(out), "done\n")
	if !killed {
		if _, err := fmt.Sscanf(string(out[strings.LastIndex(string(out), "operations"):]), "operations %d", &operations); err != nil {
			t.Fatal(err)
		}
	}
	return acknowledged, operations
}

// A process is killed before each of its file operations in turn: between any two steps of uploads, replacements and
// removals. The next one is killed while it finishes what was left, and the one after that serves. What was
// acknowledged holds; what was not is done or not done; no piece of an erased picture is left. See placesApart.
func TestKilledBetweenAnyTwoSteps(t *testing.T) {
	_, operations := runKilled(t, t.TempDir(), "scenario", 0)
	if operations < 80 {
		t.Fatalf("%d file operations: the files are not watched", operations)
	}
	t.Logf("%d file operations", operations)
	for part := range 2 {
		t.Run(fmt.Sprint("part ", part), func(t *testing.T) {
			t.Parallel()
			for at := 1 + part*placesApart(); at <= operations; at += 2 * placesApart() {
				killedAt(t, at)
			}
		})
	}
}

// The same with all space given back after each step: holes are punched, and regions are taken off the end.
func TestKilledWhileGivingBack(t *testing.T) {
	needsHoles(t)
	_, operations := runKilled(t, t.TempDir(), "trimmed scenario", 0)
	if operations < 150 {
		t.Fatalf("%d file operations: no space is given back", operations)
	}
	t.Logf("%d file operations", operations)
	for at := 1; at <= operations; at += 3 {
		dir := t.TempDir()
		acknowledged, survived := runKilled(t, dir, "trimmed scenario", at)
		if survived > 0 {
			t.Fatalf("not killed at %d", at)
		}
		checkErased(t, dir, at, acknowledged)
		checkScenario(t, dir, at, acknowledged)
	}
}

func killedAt(t *testing.T, at int) {
	dir := t.TempDir()
	acknowledged, survived := runKilled(t, dir, "scenario", at)
	if survived > 0 {
		t.Fatalf("not killed at %d", at)
	}
	checkErased(t, dir, at, acknowledged)
	runKilled(t, dir, "reopen", 1+at%12) // may survive: start-up has few operations when little is left to do
	checkScenario(t, dir, at, acknowledged)
}
