package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
	"example.org/avatard/storage/powercut"
	"example.org/avatard/storage/storagetest"
)

// recorder calls an engine and notes in the disk's trace what was begun and what was answered.
type recorder struct {
	store   *embedded.Store
	disk    *powercut.Disk
	pattern *storagetest.Pattern
}

// openRecorded starts the engine in a directory, on a disk.
func openRecorded(ctx context.Context, dir string, disk *powercut.Disk, pattern *storagetest.Pattern) (*recorder, error) {
	s, err := embedded.Open(ctx, embedded.Config{Dir: dir, WrapFile: wrap(disk)})
	if err != nil {
		return nil, err
	}
	return &recorder{store: s, disk: disk, pattern: pattern}, nil
}

// do makes a change. ErrUnavailable is not an error here: the change stays one without an answer.
func (r *recorder) do(ctx context.Context, c change) error {
	by := storage.Origin{Caller: "proof", RequestID: strconv.Itoa(c.id)}
	r.disk.Mark(begun{c})
	var res storage.Result
	var err error
	if c.number == 0 {
		res, err = r.store.Remove(ctx, storage.Removal{User: userKey(c.user), Organization: organization, By: by})
	} else {
		res, err = r.store.Put(ctx, storage.Upload{User: userKey(c.user), Organization: organization, By: by, Register: true,
			Picture: storage.Picture{Format: storage.PNG, Data: r.pattern.Picture(c.number, c.size)}})
	}
	switch {
	case err == nil:
		r.disk.Mark(answered{c, res})
	case errors.Is(err, storage.ErrUserNotFound):
		r.disk.Mark(unknown{c})
	case !errors.Is(err, storage.ErrUnavailable):
		return fmt.Errorf("%v: %w", c, err)
	}
	return nil
}

// see notes what those have of whom it was open, now that the engine has started again; unless that is open still, because
// the start could not finish everything. A single erasure that failed leaves the engine ready, and nobody was told of it.
func (r *recorder) see(ctx context.Context, b expectedState) error {
	if well := r.store.Ready(ctx) == nil && r.store.ErasuresDone(ctx) == nil; !well {
		return nil
	}
	for user, p := range b {
		if len(p.open) == 0 {
			continue
		}
		got, err := r.store.Get(ctx, userKey(user), organization)
		switch {
		case errors.Is(err, storage.ErrUserNotFound):
			r.disk.Mark(seen{user: user})
			continue
		case err != nil && !errors.Is(err, storage.ErrNoPicture):
			return err
		}
		what := seen{user: user}
		for _, pic := range p.may() {
			if bytes.Equal(got.Data, r.pattern.Picture(pic.number, pic.size)) {
				what.picture = pic
			}
		}
		// For a user who is registered already this changes nothing and returns the sequence.
		res, _, err := r.store.AddUser(ctx, userKey(user), organization, storage.Origin{})
		if err != nil {
			return err
		}
		what.sequence = res.Details.Sequence
		r.disk.Mark(what)
	}
	return nil
}
