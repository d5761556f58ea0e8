package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"

	"example.org/avatard/test/client"
	"example.org/avatard/test/proof/testbed"
)

// load makes calls for as long as is asked, and returns how many were answered with success. Any other answer is an error.
func load(ctx context.Context, o options, bed *testbed.Testbed, srv *testbed.Server, pictures *testbed.PictureSet) (calls int64, err error) {
	lasting, stop := context.WithTimeout(ctx, o.lasts)
	defer stop()
	var (
		answered atomic.Int64
		working  sync.WaitGroup
		mu       sync.Mutex
		errs     []error
	)
	for i, who := range bed.People() {
		working.Go(func() {
			c := testbed.NewClient(srv.URL)
			defer c.Close()
			random := rand.New(rand.NewPCG(o.seed, uint64(i))) //nolint:gosec // it decides what is called
			for first := true; lasting.Err() == nil; first = false {
				if err := call(ctx, c, bed, who, pictures.All[i].Upload, random, first); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
					stop()
					return
				}
				answered.Add(1)
			}
		})
	}
	working.Wait()
	return answered.Load(), errors.Join(append(errs, ctx.Err())...)
}

// call makes one: the first registers the user.
func call(ctx context.Context, c *client.Client, bed *testbed.Testbed, who testbed.Person, picture []byte, random *rand.Rand, first bool) error {
	manager, own := client.Bearer(bed.Manager()), client.Bearer(who.Token)
	form := client.Forms()[random.IntN(len(client.Forms()))]
	var a client.Answer
	switch n := random.IntN(10); {
	case first, n < 3:
		a = c.Upload(ctx, manager, who.ID, picture)
	case n < 5:
		a = c.Remove(ctx, form, manager, who.ID)
	case n < 7:
		a = c.RemoveOwn(ctx, form, own)
	default:
		read := c.ReadOwn(ctx, own, "")
		if read.Err != nil || read.Status != http.StatusOK && read.Status != http.StatusNotFound {
			return fmt.Errorf("a read: status %d, %w", read.Status, read.Err)
		}
		return nil
	}
	if !a.Acknowledged() {
		return fmt.Errorf("a change: %v", a)
	}
	return nil
}
