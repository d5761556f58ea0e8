package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
)

// pool is a ring of users who take turns in losing their pictures. Only those who come next have one.
type pool struct {
	store storage.Store
	size  int
	bytes int

	head   int // index of the next user to call for
	filled int // users from head on who have a picture
	drawn  atomic.Uint64
}

func newPool(store storage.Store, size, bytes int) *pool {
	return &pool{store: store, size: size, bytes: bytes}
}

// fill gives the next n users a picture each, all of them different, and waits until that is done.
func (p *pool) fill(ctx context.Context, n int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	next.Store(int64(p.filled))
	var workers sync.WaitGroup
	for range min(128, max(0, n-p.filled)) {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := p.upload(ctx, (p.head+i)%p.size); err != nil {
					cancel(err)
				}
			}
		})
	}
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	p.filled = max(p.filled, n)
	runtime.GC() // what the uploads left is not the deletes' to clear
	return nil
}

func (p *pool) upload(ctx context.Context, index int) error {
	_, err := p.store.Put(ctx, storage.Upload{
		User:         storage.UserKey{Issuer: issuerKey, ID: userID(index)},
		Organization: devidp.OrgAcme,
		Picture:      storage.Picture{Format: storage.PNG, Data: picture.Sample(p.drawn.Add(1), p.bytes)},
		By:           storage.Origin{Caller: "bench"},
		Register:     true,
	})
	return err
}

// took notes that the next n users have been called for.
func (p *pool) took(n int) {
	p.head = (p.head + n) % p.size
	p.filled = max(0, p.filled-n)
}
