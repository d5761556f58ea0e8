package testbed

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"example.org/avatard/server/picture"
)

// Resized are the pictures of a set in one size, as the server makes them.
type Resized map[[sha256.Size]byte]int

// Resize makes the pictures of a set smaller, none of which has a side over side then. It fails when two of them become the same.
func (s *PictureSet) Resize(ctx context.Context, side int) (Resized, error) {
	sums, errs := make([][sha256.Size]byte, len(s.All)), make([]error, len(s.All))
	var workers sync.WaitGroup
	for first := range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := first; i < len(s.All); i += runtime.GOMAXPROCS(0) {
				sums[i], errs[i] = resize(ctx, s.All[i].Stored, side)
			}
		})
	}
	workers.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	numbers := make(Resized, len(sums))
	for i, sum := range sums {
		numbers[sum] = i
	}
	if len(numbers) != len(sums) {
		return nil, fmt.Errorf("of %d pictures only %d differ at a size of %d", len(sums), len(numbers), side)
	}
	return numbers, nil
}

func resize(ctx context.Context, data []byte, side int) (sum [sha256.Size]byte, err error) {
	stored, err := picture.OpenStored(data)
	if err != nil || stored.Side() <= side {
		return sha256.Sum256(data), err
	}
	small, err := stored.Resize(ctx, side)
	return sha256.Sum256(small.Data), err
}

// Number returns which picture these bytes are; false when none.
func (r Resized) Number(data []byte) (number int, ok bool) {
	number, ok = r[sha256.Sum256(data)]
	return number, ok
}
