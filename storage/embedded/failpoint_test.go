//go:build !failpoints

package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"avatard/storage/storagetest"

	"avatard/storage/embedded/internal/hooks"
)

// withFailpoints builds this package's tests with the tag.
func withFailpoints(t *testing.T) (program string) {
	t.Helper()
	gocmd, err := exec.LookPath("go")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("the go command is needed to build with failpoints")
	}
	program = filepath.Join(t.TempDir(), "embedded.test")
	if out, err := exec.CommandContext(t.Context(), gocmd, "test", "-c", "-tags", "failpoints", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build with failpoints: %v\n%s", err, out)
	}
	return program
}

// runFailpoint does a job in a process of its own, with the variable set to place, and tells whether it killed itself
// and how many steps it acknowledged.
func runFailpoint(t *testing.T, program, dir, job, place string) (killed bool, acknowledged int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), killDirEnv+"="+dir, killAtEnv+"=0", killJobEnv+"="+job, "FAILPOINT="+place)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		killed = exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	}
	if err != nil && !killed {
		t.Fatalf("%s at %s: %v\n%s", job, place, err, stderr.String())
	}
	return killed, strings.Count(string(out), "done\n")
}

// Every failpoint is reached and ends the process there, and what it leaves is as after any other kill. A name that
// nothing passes would be a gap in the proofs that count on it.
func TestFailpoints(t *testing.T) {
	program := withFailpoints(t)
	t.Run("not in a usual build", func(t *testing.T) { checkWords(t, program) })
	t.Run("unknown", func(t *testing.T) {
		for setting, want := range map[string]string{
			"remove-comit:1":  "no such place; known are open-migrated, ",
			"remove-commit":   "want name:n",
			"remove-commit:0": "want name:n",
		} {
			cmd := exec.CommandContext(t.Context(), program)
			cmd.Env = append(os.Environ(), "FAILPOINT="+setting)
			out, err := cmd.CombinedOutput()
			exit, ok := errors.AsType[*exec.ExitError](err)
			if !ok || exit.ExitCode() != 2 || !strings.Contains(string(out), want) {
				t.Errorf("FAILPOINT=%s: %v, %.200s; want exit code 2 and %q", setting, err, out, want)
			}
		}
	})
	t.Run("none chosen", func(t *testing.T) {
		dir := t.TempDir()
		if killed, steps := runFailpoint(t, program, dir, "register and story", ""); killed || steps != len(killStory) {
			t.Fatalf("killed: %v, after %d steps", killed, steps)
		}
		checkStory(t, dir, "no place", len(killStory))
	})
	for i, names := range [][]string{Failpoints[:len(Failpoints)/2], Failpoints[len(Failpoints)/2:]} {
		t.Run(fmt.Sprint("part ", i), func(t *testing.T) {
			t.Parallel()
			for _, name := range names {
				dir, job, acknowledged := t.TempDir(), "register and story", 0
				if strings.HasPrefix(name, "recover-") || strings.HasPrefix(name, "sweep-") {
					// The second upload's bytes are there and nobody was told.
					killed, steps := runFailpoint(t, program, dir, job, "reserve-written:2")
					if !killed {
						t.Fatal("reserve-written is passed less than twice")
					}
					job, acknowledged = "reopen", steps
				}
				killed, steps := runFailpoint(t, program, dir, job, name+":1")
				if !killed {
					t.Errorf("nothing passes %s", name)
					continue
				}
				acknowledged += steps
				checkErased(t, dir, name, acknowledged)
				checkStory(t, dir, name, acknowledged)
			}
		})
	}
	t.Run("moving and removing users", func(t *testing.T) {
		t.Parallel()
		for _, name := range hooks.CommandFailpoints {
			dir, job, check := t.TempDir(), "moves", checkMoves
			if strings.HasPrefix(name, "remove-user") {
				job, check = "removals", checkRemovals
			}
			killed, steps := runFailpoint(t, program, dir, job, name+":1")
			if !killed {
				t.Errorf("nothing passes %s", name)
			}
			check(t, dir, name, steps)
		}
	})
	t.Run("giving space back", func(t *testing.T) {
		needsHoles(t)
		t.Parallel()
		for _, name := range hooks.TrimFailpoints {
			for pass := 1; pass <= 3; pass++ {
				dir, place := t.TempDir(), fmt.Sprintf("%s:%d", name, pass)
				killed, acknowledged := runFailpoint(t, program, dir, "trimmed story", place)
				if !killed {
					t.Errorf("nothing passes %s", place)
					continue
				}
				checkErased(t, dir, place, acknowledged)
				checkStory(t, dir, place, acknowledged)
			}
		}
	})
	t.Run("pruning", func(t *testing.T) {
		t.Parallel()
		for _, name := range hooks.PruneFailpoints {
			for pass := 1; pass <= 2; pass++ {
				dir, place := t.TempDir(), fmt.Sprintf("%s:%d", name, pass)
				killed, acknowledged := runFailpoint(t, program, dir, "pruning", place)
				if !killed {
					t.Errorf("nothing passes %s", place)
					continue
				}
				checkPruning(t, dir, place, acknowledged)
			}
		}
	})
	t.Run("after faults", func(t *testing.T) {
		t.Parallel()
		for _, name := range hooks.FaultFailpoints {
			dir := t.TempDir()
			if killed, _ := runFailpoint(t, program, dir, "faults", name+":1"); !killed {
				t.Errorf("nothing passes %s", name)
			}
			checkFaults(t, dir, name)
		}
	})
}

// checkFaults opens what tellFaults left when it was killed: nothing is stuck, and what was given up is gone.
func checkFaults(t *testing.T, dir, name string) {
	t.Helper()
	ctx := context.Background()
	s := openTest(t, dir)
	if err := s.Ready(ctx); err != nil {
		t.Errorf("%s: Ready = %v", name, err)
	}
	if got := s.Stats(); got.Pending != 0 {
		t.Errorf("%s: %d erasures pending", name, got.Pending)
	}
	for user := range 2 {
		mustRemove(t, s, user+1)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	pieces, err := storagetest.NewPattern(1).Search(dir)
	if err != nil || len(pieces) > 0 {
		t.Errorf("%s: %v is left, %v", name, pieces, err)
	}
}

// checkWords demands that this program, built without the tag, has nothing of what the other one has: neither do the
// variable's words stand in it, nor does the variable mean anything.
func checkWords(t *testing.T, tagged string) {
	t.Helper()
	source, err := os.ReadFile("internal/hooks/hooks_on.go")
	if err != nil {
		t.Fatal(err)
	}
	words := regexp.MustCompile(`"(FAILPOINT=%s: no such place[^"]*)"`).FindSubmatch(source)
	if words == nil {
		t.Fatal("hooks_on.go does not hold the words that are looked for")
	}
	for program, want := range map[string]bool{os.Args[0]: false, tagged: true} {
		code, err := os.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(code, words[1]); got != want {
			t.Errorf("%s holds failpoints: %v, want %v", filepath.Base(program), got, want)
		}
	}
	if killed, _ := runFailpoint(t, os.Args[0], t.TempDir(), "story", "remove-commit:1"); killed {
		t.Error("a program without failpoints killed itself")
	}
}

// The lists name each place once.
func TestFailpointNames(t *testing.T) {
	names := hooks.All()
	slices.Sort(names)
	if n := len(slices.Compact(slices.Clone(names))); n != len(names) {
		t.Errorf("%d names for %d places", n, len(names))
	}
}
