//go:build failpoints

package hooks

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// On is true in a program that was built with the tag.
const On = true

// WrongOrder is one of the wrong orders, or empty for the right one.
//
//nolint:forbidigo // not a setting: it is read before anything is opened, and only in builds for proofs
var WrongOrder = readOrder(os.Getenv("WRONG_ORDER"))

func readOrder(name string) string {
	if name == "" || slices.Contains(WrongOrders, name) {
		return name
	}
	panic("WRONG_ORDER: no such order: " + name)
}

// chosen is the place of the variable FAILPOINT, passes how many more times the process passes it until it ends.
var (
	chosen = readFailpoint(os.Getenv("FAILPOINT"))
	passes atomic.Int64
)

// readFailpoint ends the process, before it does anything, when the variable names none of the places.
func readFailpoint(setting string) string {
	if setting == "" {
		return ""
	}
	name, text, _ := strings.Cut(setting, ":")
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 {
		refuseFailpoint("FAILPOINT=%s: want name:n, n from 1 on", setting)
	}
	if !slices.Contains(All(), name) {
		refuseFailpoint("FAILPOINT=%s: no such place; known are %s", setting,
			strings.Join(All(), ", "))
	}
	passes.Store(n)
	return name
}

func refuseFailpoint(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(2)
}

// Failpoint is a place between two steps. No deferred function runs and nothing is flushed when the process ends there.
func Failpoint(name string) {
	if !slices.Contains(All(), name) {
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
