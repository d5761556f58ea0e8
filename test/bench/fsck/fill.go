package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
)

const (
	organization = "69629023906488334"
	callers      = 256
	minBytes     = 100
	maxBytes     = 4000
)

func key(i int) storage.UserKey { return storage.UserKey{Issuer: "bench", ID: strconv.Itoa(i)} }

// newRandom is a source of pictures and of whose turn it is: nothing secret.
func newRandom(seed uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // see above
}

// upload is a picture of the user i. Every size comes equally often.
func upload(i int, random *rand.Rand, buf []byte) storage.Upload {
	data := buf[:minBytes+random.IntN(maxBytes-minBytes+1)]
	for j := 0; j+8 <= len(data); j += 8 {
		v := random.Uint64()
		for k := range 8 {
			data[j+k] = byte(v >> (8 * k))
		}
	}
	return storage.Upload{User: key(i), Organization: organization, Register: true, Picture: storage.Picture{Format: storage.PNG, Data: data}}
}

// fill puts a picture for each user from from to before to. Every fourth is replaced, so that there are receipts, and every
// sixteenth removed, so that there are free slots.
func fill(ctx context.Context, dir string, from, to int) (r result, err error) {
	s, err := embedded.Open(ctx, embedded.Config{Dir: dir})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	began := time.Now()
	next := atomic.Int64{}
	next.Store(int64(from))
	var wg sync.WaitGroup
	failed := make(chan error, callers)
	for c := range callers {
		wg.Go(func() {
			random, buf := newRandom(uint64(from)+uint64(c)), make([]byte, maxBytes)
			for i := int(next.Add(1)) - 1; i < to; i = int(next.Add(1)) - 1 {
				if err := fillUser(ctx, s, i, random, buf); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	for e := range failed {
		err = errors.Join(err, e)
	}
	r.Took, r.SlabBytes = time.Since(began), s.Stats().SlabBytes
	return r, err
}

func fillUser(ctx context.Context, s *embedded.Store, i int, random *rand.Rand, buf []byte) error {
	_, err := s.Put(ctx, upload(i, random, buf))
	if err == nil && i%4 == 0 {
		_, err = s.Put(ctx, upload(i, random, buf))
	}
	if err == nil && i%16 == 0 {
		_, err = s.Remove(ctx, storage.Removal{User: key(i), Organization: organization})
	}
	return err
}
