package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"example.org/avatard/storage"
	"example.org/avatard/test/proof/testbed"
)

// user is one of those who move.
type user struct {
	key     storage.UserKey
	number  int
	mu      sync.Mutex // held by the one caller who changes or reads
	has     bool       // had a picture
	asked   bool       // a delete was sent
	deleted bool       // and one was acknowledged
}

// picture makes the picture of a user: 300 bytes to 4 KiB that no other picture has.
func (p *proof) picture(number int) []byte {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], p.o.seed)
	binary.LittleEndian.PutUint64(seed[8:], uint64(number))
	data := make([]byte, 300+number*7919%3797)
	_, _ = rand.NewChaCha8(seed).Read(data)
	return data
}

// fillers is how many users are filled in at once.
const fillers = 64

// fill makes the source: one user in ten has no picture, one in twenty had theirs deleted.
func (p *proof) fill(ctx context.Context) (err error) {
	s, err := p.from.Open(ctx, storage.OpenOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	room := make(chan struct{}, fillers)
	for n := range p.o.users {
		u := &user{key: storage.UserKey{Issuer: p.testbed.Issuer(), ID: fmt.Sprintf("person-%07d", n)}, number: n, has: n%10 != 0}
		p.users = append(p.users, u)
		room <- struct{}{}
		running.Go(func() {
			defer func() { <-room }()
			if ctx.Err() != nil {
				return
			}
			if err := p.fillOne(ctx, s, u); err != nil {
				cancel(err)
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

func (p *proof) fillOne(ctx context.Context, s storage.Store, u *user) error {
	by := storage.Origin{Caller: "proof"}
	if !u.has {
		_, _, err := s.AddUser(ctx, u.key, testbed.Organization, by)
		return err
	}
	_, err := s.Put(ctx, storage.Upload{User: u.key, Organization: testbed.Organization, Register: true, By: by,
		Picture: storage.Picture{Format: storage.PNG, Data: p.picture(u.number)}})
	if err != nil || u.number%20 != 1 {
		p.figures.pictures.Add(1)
		return err
	}
	u.has = false
	_, err = s.Remove(ctx, storage.Removal{User: u.key, Organization: testbed.Organization, By: by})
	return err
}
