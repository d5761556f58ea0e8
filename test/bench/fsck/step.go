package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"example.org/avatard/storage"
)

// stepRole is the first argument of the processes that do the steps.
const stepRole = "step-role"

// result is what a step tells.
type result struct {
	Took        time.Duration
	CPU         time.Duration // of the check without a server
	SlabBytes   int64
	BeforeBytes int64            // resident before the check
	PeakBytes   int64            // and at most
	Beside      [3]time.Duration // a caller's change while a check runs: median, 99 of 100, longest
	Quiet       [3]time.Duration // and while none does
	Summary     storage.CheckSummary
}

// step runs a step in a process of its own.
func step(ctx context.Context, name, dir string, from, to int) (r result, err error) {
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, self, stepRole, name, dir, strconv.Itoa(from), strconv.Itoa(to)) //nolint:gosec // this very program
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return r, fmt.Errorf("%s: %w", name, err)
	}
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		return r, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}

// runStep is such a process.
func runStep(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) != 4 {
		return errors.New("a step has four arguments")
	}
	from, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	to, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	var r result
	switch args[0] {
	case "fill":
		r, err = fill(ctx, args[1], from, to)
	case "check":
		r, err = checkAlone(ctx, args[1], to)
	case "serve":
		r, err = checkInside(ctx, args[1], to)
	default:
		err = fmt.Errorf("unknown step %q", args[0])
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(r)
}
