package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"example.org/avatard/test/program"
)

// command is one line to another process, answered with one reply. Do says which of the other fields count.
type command struct {
	Do string

	// start (server)
	Target target
	Dir    string // for data and log
	Pool   int    // users who take turns
	Bytes  int    // size of a picture

	// fill, took (server): how many of the next users get a picture, or have lost it
	Count int

	// profile (server): file to write, "" to stop
	File string

	// open (load)
	Form    form
	Address string
	Token   string
	Want    string // what an answer must hold
	Callers int
	First   int // index of the first user
	Limit   int // users to call for at most, those of the warm-up included
	WarmUp  int // calls of each caller before the slice

	// run (load)
	Slice time.Duration
}

type reply struct {
	Error   string `json:",omitempty"`
	Address string `json:",omitempty"`
	Token   string `json:",omitempty"`
	First   int    // index of the next user
	Usage   usage
	Slice   sliceResult
}

// child is another process of this program.
type child struct {
	name    string
	process *program.Process
	enc     *json.Encoder
	dec     *json.Decoder
}

// startChild starts this program again in a role. It ends with ctx, or when its input does.
func startChild(ctx context.Context, role, name string, stderr io.Writer) (*child, error) {
	p, err := program.Again(ctx, stderr, nil, role)
	if err != nil {
		return nil, err
	}
	return &child{name: name, process: p, enc: json.NewEncoder(p.In), dec: json.NewDecoder(p.Out)}, nil
}

func (c *child) ask(cmd command) (reply, error) {
	var r reply
	if err := c.enc.Encode(cmd); err != nil {
		return r, fmt.Errorf("%s: %s: %w", c.name, cmd.Do, err)
	}
	if err := c.dec.Decode(&r); err != nil {
		return r, fmt.Errorf("%s: %s: %w", c.name, cmd.Do, err)
	}
	if r.Error != "" {
		return r, fmt.Errorf("%s: %s: %s", c.name, cmd.Do, r.Error)
	}
	return r, nil
}

// stop lets the process end in order.
func (c *child) stop() error {
	if err := c.process.Stop(); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return nil
}

// obey answers commands until the input ends.
func obey(in io.Reader, out io.Writer, do func(command) (reply, error)) error {
	dec, enc := json.NewDecoder(bufio.NewReader(in)), json.NewEncoder(out)
	for {
		var cmd command
		if err := dec.Decode(&cmd); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		r, err := do(cmd)
		if err != nil {
			r.Error = err.Error()
		}
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
}
