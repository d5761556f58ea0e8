//go:build failpoints

package embedded

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// chosen is the place of the variable FAILPOINT, passes how often it has to be passed yet.
var (
	chosen = readFailpoint(os.Getenv("FAILPOINT"))
	passes atomic.Int64
)

// readFailpoint ends the process, before it does anything, when there is no such place.
func readFailpoint(setting string) string {
	if setting == "" {
		return ""
	}
	name, text, _ := strings.Cut(setting, ":")
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 {
		refuseFailpoint("FAILPOINT=%s: want name:n, n from 1 on", setting)
	}
	if !knownFailpoint(name) {
		refuseFailpoint("FAILPOINT=%s: no such place; known are %s", setting,
			strings.Join(slices.Concat(Failpoints, FaultFailpoints, CommandFailpoints, TrimFailpoints, PruneFailpoints), ", "))
	}
	passes.Store(n)
	return name
}

func refuseFailpoint(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(2)
}

func knownFailpoint(name string) bool {
	return slices.Contains(Failpoints, name) || slices.Contains(FaultFailpoints, name) || slices.Contains(CommandFailpoints, name) ||
		slices.Contains(TrimFailpoints, name) || slices.Contains(PruneFailpoints, name)
}

// failpoint is a place between two steps. No deferred function runs and nothing is flushed when the process ends there.
func failpoint(name string) {
	if !knownFailpoint(name) {
		panic("failpoint " + name + " is in no list")
	}
	if name != chosen || passes.Add(-1) != 0 {
		return
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {} // until the signal is delivered
}

// failpointAt is the place of every kind of change that is in the batch.
func failpointAt(place string, batch []*ticket) {
	if len(batch) == 0 {
		failpoint("record-" + place)
	}
	var passed []string
	for _, t := range batch {
		if place == "synced" && (t.err != nil || t.write == nil && len(t.erase) == 0) {
			continue // shares the round with others that had something to sync
		}
		if kind := kindOf(t); kind != "" && !slices.Contains(passed, kind) {
			passed = append(passed, kind)
			failpoint(kind + "-" + place)
		}
	}
}

// failpointOf is a place of one change.
func failpointOf(place string, t *ticket) {
	if kind := kindOf(t); kind != "" {
		failpoint(kind + "-" + place)
	}
}

// failpointAnswer is a place around the answer to a caller.
func failpointAnswer(place string, t *ticket) {
	kind := kindOf(t)
	if _, ok := t.work.(*put); ok {
		kind = "upload"
	}
	if kind != "" {
		failpoint(kind + "-" + place)
	}
}

// kindOf returns the first word of the failpoints that a change passes. The questions and repairs of a check have none: "".
func kindOf(t *ticket) string {
	switch w := t.work.(type) {
	case *put:
		return [...]string{stageReserve: "reserve", stageActivate: "activate", stageAbandon: "abandon"}[w.stage]
	case *remove:
		return "remove"
	case *removeUser:
		if w.erased {
			return "remove-user"
		}
		return "remove"
	case *addUser, *addOrganization:
		return "register"
	case *moveUser:
		return "move"
	case *pruneStep:
		return "prune"
	case *sweep:
		return "sweep"
	case *cutRegion:
		return "trim"
	case *quarantine:
		return "quarantine"
	}
	return ""
}
