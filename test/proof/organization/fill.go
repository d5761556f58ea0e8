package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"example.org/avatard/internal/pieces"
	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
	"example.org/avatard/test/proof/testbed"
)

const (
	// fillers is how many users are filled in at once.
	fillers = 64
	// sampled is about how many pictures are looked for in files.
	sampled = 3000
	// bare is that one user in so many has no picture.
	bare = 4
)

// key is a user's: lists are in the order of their numbers.
func (p *proof) key(number int) storage.UserKey {
	return storage.UserKey{Issuer: p.testbed.Issuer(), ID: fmt.Sprintf("person-%07d", number)}
}

func hasPicture(number int) bool { return number%bare != 0 }

// picture makes the picture of a user: 300 bytes to 4 KiB that no other picture has.
func (p *proof) picture(number int) []byte {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], p.o.seed)
	binary.LittleEndian.PutUint64(seed[8:], uint64(number))
	data := make([]byte, 300+number*7919%3797)
	_, _ = rand.NewChaCha8(seed).Read(data)
	return data
}

// fill makes the data directory with the organisation, and sees that the search finds its pictures there.
func (p *proof) fill(ctx context.Context) (err error) {
	s, err := embedded.Open(ctx, embedded.Config{Dir: p.testbed.Data()})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	numbers := make(chan int)
	for range fillers {
		running.Go(func() {
			for n := range numbers {
				if err := p.fillOne(ctx, s, n); err != nil {
					cancel(err)
				}
			}
		})
	}
	for n := range p.o.users {
		numbers <- n
		if hasPicture(n) {
			p.figures.pictures++
		}
	}
	close(numbers)
	running.Wait()
	if err := errors.Join(context.Cause(ctx), s.Close()); err != nil {
		return err
	}
	return p.drawSample()
}

func (p *proof) fillOne(ctx context.Context, s storage.Store, number int) error {
	by := storage.Origin{Caller: "proof"}
	if !hasPicture(number) {
		_, _, err := s.AddUser(ctx, p.key(number), testbed.OtherOrganization, by)
		return err
	}
	_, err := s.Put(ctx, storage.Upload{User: p.key(number), Organization: testbed.OtherOrganization, Register: true, By: by,
		Picture: storage.Picture{Format: storage.PNG, Data: p.picture(number)}})
	return err
}

// drawSample chooses the pictures that are looked for, and finds each of them: what is found then can be missed later.
func (p *proof) drawSample() error {
	var pictures []pieces.Picture
	for n := 0; n < p.o.users; n += max(1, p.o.users/sampled) {
		if hasPicture(n) {
			p.sample = append(p.sample, n)
			pictures = append(pictures, pieces.Picture{Stored: p.picture(n)})
		}
	}
	p.index = pieces.NewIndex(pictures)
	found, err := p.search()
	if err == nil && len(found) != len(p.sample) {
		err = fmt.Errorf("the search finds %d of %d pictures that are there: it is blind", len(found), len(p.sample))
	}
	return err
}

// search returns the users of the sample of whose picture there is a piece in a file of the testbed, and the first piece of each.
func (p *proof) search() (found map[int]pieces.Found, err error) {
	all, err := p.index.Search(p.testbed.Dir())
	found = make(map[int]pieces.Found)
	for _, piece := range all {
		number := p.sample[piece.Number]
		if _, ok := found[number]; !ok {
			found[number] = piece
		}
	}
	return found, err
}
