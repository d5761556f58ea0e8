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

	"example.org/avatard/storage/storagetest"

	"example.org/avatard/storage/embedded/internal/hooks"
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
	t.Run("unknown", func(t *testing.T) { checkUnknownPlaces(t, program) })
	t.Run("none chosen", func(t *testing.T) {
		dir := t.TempDir()
		if killed, steps := runFailpoint(t, program, dir, "register and scenario", ""); killed || steps != len(killScenario) {
			t.Fatalf("killed: %v, after %d steps", killed, steps)
		}
		checkScenario(t, dir, "no place", len(killScenario))
	})
	for i, names := range [][]string{hooks.Failpoints[:len(hooks.Failpoints)/2], hooks.Failpoints[len(hooks.Failpoints)/2:]} {
		t.Run(fmt.Sprint("part ", i), func(t *testing.T) {
			t.Parallel()
			for _, name := range names {
				killAtChange(t, program, name)
			}
		})
	}
	t.Run("moves and ends", func(t *testing.T) {
		t.Parallel()
		for _, name := range hooks.CommandFailpoints {
			job, check := "moves", checkMoves
			if strings.HasPrefix(name, "e") {
				job, check = "ends", checkEnds
			}
			killAtPasses(t, program, job, name, 1, check)
		}
	})
	t.Run("giving space back", func(t *testing.T) {
		needsHoles(t)
		t.Parallel()
		for _, name := range hooks.TrimFailpoints {
			killAtPasses(t, program, "trimmed scenario", name, 3, func(t *testing.T, dir string, place any, acknowledged int) {
				checkErased(t, dir, place, acknowledged)
				checkScenario(t, dir, place, acknowledged)
			})
		}
	})
	t.Run("pruning", func(t *testing.T) {
		t.Parallel()
		for _, name := range hooks.PruneFailpoints {
			killAtPasses(t, program, "pruning", name, 2, checkPruning)
		}
	})
	t.Run("after faults", func(t *testing.T) {
		t.Parallel()
		for _, name := range hooks.FaultFailpoints {
			killAtPasses(t, program, "faults", name, 1, func(t *testing.T, dir string, place any, _ int) { checkFaults(t, dir, place) })
		}
	})
}

// killAtChange kills registration and uploads, or the start after them, at the first pass of a place.
func killAtChange(t *testing.T, program, name string) {
	t.Helper()
	dir, job, acknowledged := t.TempDir(), "register and scenario", 0
	if strings.HasPrefix(name, "recover-") || strings.HasPrefix(name, "sweep-") {
		// The second upload's bytes are there and its caller got no answer.
		killed, steps := runFailpoint(t, program, dir, job, "reserve-written:2")
		if !killed {
			t.Fatal("reserve-written is passed less than twice")
		}
		job, acknowledged = "reopen", steps
	}
	killed, steps := runFailpoint(t, program, dir, job, name+":1")
	if !killed {
		t.Errorf("nothing passes %s", name)
		return
	}
	acknowledged += steps
	checkErased(t, dir, name, acknowledged)
	checkScenario(t, dir, name, acknowledged)
}

// killAtPasses kills a job at the first passes of a place, each in a directory of its own, and checks what is left there.
func killAtPasses(t *testing.T, program, job, name string, passes int, check func(t *testing.T, dir string, place any, acknowledged int)) {
	t.Helper()
	for pass := 1; pass <= passes; pass++ {
		dir, place := t.TempDir(), fmt.Sprintf("%s:%d", name, pass)
		killed, acknowledged := runFailpoint(t, program, dir, job, place)
		if !killed {
			t.Errorf("nothing passes %s", place)
			continue
		}
		check(t, dir, place, acknowledged)
	}
}

// checkUnknownPlaces demands that a value of FAILPOINT which names no place ends the program before it does anything.
func checkUnknownPlaces(t *testing.T, program string) {
	t.Helper()
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
}

// checkFaults opens what runFaults left when it was killed: nothing is stuck, and what was given up is gone.
func checkFaults(t *testing.T, dir string, name any) {
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

// checkWords demands that this program, built without the tag, has nothing of what the other one has: no failpoint, no wrong order of
// steps, and the variables mean nothing to it. The words are read from the sources, so that this test does not put them into the program.
func checkWords(t *testing.T, tagged string) {
	t.Helper()
	programs := map[string]bool{os.Args[0]: false, tagged: true}
	for _, words := range []struct{ source, pattern string }{
		{"internal/hooks/hooks_on.go", `"(FAILPOINT=%s: no such place[^"]*)"`},
		{"internal/hooks/hooks_on.go", `"(WRONG_ORDER: no such [^"]*)"`},
		{"internal/hooks/wrongorders.go", `"(early-re[a-z]+)"`},
		{"wrongorder_on.go", `func \(o \*stepOrder\) (overwrite[A-Za-z]+)`},
	} {
		source, err := os.ReadFile(words.source)
		if err != nil {
			t.Fatal(err)
		}
		word := regexp.MustCompile(words.pattern).FindSubmatch(source)
		if word == nil {
			t.Fatalf("%s does not hold the words that are looked for: %s", words.source, words.pattern)
		}
		for program, want := range programs {
			code, err := os.ReadFile(program)
			if err != nil {
				t.Fatal(err)
			}
			if got := bytes.Contains(code, word[1]); got != want {
				t.Errorf("%s holds %q: %v, want %v", filepath.Base(program), word[1], got, want)
			}
		}
	}
	if killed, _ := runFailpoint(t, os.Args[0], t.TempDir(), "scenario", "remove-commit:1"); killed {
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
