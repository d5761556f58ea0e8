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
	"example.org/avatard/storage/embedded"
	"example.org/avatard/test/bench/large"
	"example.org/avatard/test/bench/usage"
)

const (
	// openRole is the first argument of the process that opens the directory.
	openRole    = "open-role"
	moreUploads = 200
)

// result is what that process tells.
type result struct {
	Took, CPU               time.Duration // of opening
	Resident                int64         // bytes, when it is open
	Upload, Delete, Longest time.Duration // of the first calls
	Tidied, TidyCPU         time.Duration // until all regions are looked at
	After                   int64         // bytes resident then
}

func open(ctx context.Context, dir string, users int) (r result, err error) {
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, self, openRole, dir, strconv.Itoa(users)) //nolint:gosec // this very program
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return r, fmt.Errorf("open: %w", err)
	}
	return r, json.Unmarshal(stdout.Bytes(), &r)
}

// openStore is what the process does.
func openStore(ctx context.Context, dir, users string, stdout io.Writer) (err error) {
	n, err := strconv.Atoi(users)
	if err != nil {
		return err
	}
	var r result
	began := time.Now()
	s, err := embedded.Open(ctx, embedded.Config{Dir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	r.Took, r.CPU = time.Since(began), usage.CPU() // of all the process has done
	if r.Resident, err = usage.Resident(); err != nil {
		return err
	}
	timed := func(call func() error) (took time.Duration) {
		began := time.Now()
		err = errors.Join(err, call())
		return time.Since(began)
	}
	put := func(user int) func() error {
		return func() error {
			_, err := s.Put(ctx, storage.Upload{User: large.User(user), Organization: large.Organization, Register: true,
				Picture: storage.Picture{Format: storage.PNG, Data: make([]byte, 3000)}})
			return err
		}
	}
	r.Upload = timed(put(n / 2))
	r.Delete = timed(func() error {
		_, err := s.Remove(ctx, storage.Removal{User: large.User(n / 2), Organization: large.Organization})
		return err
	})
	for i := range moreUploads {
		r.Longest = max(r.Longest, timed(put(n+1+i)))
	}
	before := usage.CPU()
	r.Tidied = timed(func() error { return s.Tidy(ctx) })
	r.TidyCPU = usage.CPU() - before
	if err != nil {
		return err
	}
	if r.After, err = usage.Resident(); err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(r)
}
