package prove

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"example.org/avatard/internal/client"
	"example.org/avatard/internal/pieces"
	"example.org/avatard/server/picture"
)

const (
	// callers is how many calls are under way at once.
	callers = 4
	// callLimit is how long one may take.
	callLimit = 20 * time.Second

	smallestPicture, largestPicture = 600, 150_000 // bytes, about
)

// album is the pictures of the proof, one of each user. Those that are deleted come first, those that are kept last.
type album struct {
	client     *client.Client
	pictures   []pieces.Picture
	index      *pieces.Index
	gone       [total]bool   // a delete was answered with 200, or a read with 404
	deleteTime time.Duration // of one delete, about
}

func (a *album) connect(url, token, version string) {
	a.disconnect()
	a.client = client.New(client.Config{URL: url, Tokens: client.FixedToken(token), UserAgent: "avatard/" + version, Timeout: callLimit})
}

func (a *album) disconnect() {
	if a.client != nil {
		a.client.Close()
	}
}

// target is whose picture the one of a number is.
func target(number int) client.Target {
	return client.Target{User: fmt.Sprintf("person-%03d", number), Organization: organization}
}

// fill uploads pictures that nobody has seen before, and reads them back: the server keeps and serves what it makes of them.
func (p *proof) fill(ctx context.Context) error {
	var seed [8]byte
	_, _ = rand.Read(seed[:]) // it never fails
	first := binary.LittleEndian.Uint64(seed[:])
	p.pictures = make([]pieces.Picture, total)
	err := inParallel(0, total, func(i int) error {
		size := smallestPicture * math.Pow(largestPicture/smallestPicture, float64(i%kept)/(kept-1))
		upload := picture.Sample(first+uint64(i), int(size))
		if _, err := p.client.Put(ctx, target(i), upload, client.Condition{}); err != nil {
			return fmt.Errorf("upload picture %d: %w", i, err)
		}
		got, err := p.client.Get(ctx, target(i))
		if err != nil {
			return fmt.Errorf("read picture %d: %w", i, err)
		}
		p.pictures[i] = pieces.Picture{Upload: upload, Stored: got.Data}
		return nil
	})
	if err != nil {
		return err
	}
	p.index = pieces.NewIndex(p.pictures)
	p.report.Pictures = total
	for i, of := range p.pictures {
		p.report.PictureBytes += int64(len(of.Stored))
		if stored, _ := p.index.Blocks(i); stored == 0 {
			return fmt.Errorf("picture %d cannot be told from the others", i)
		}
	}
	p.cfg.Tell(fmt.Sprintf("Server: this program, on loopback, in process %d. It has %d pictures, uploaded over its API, and writes to %s.", p.server.pid(), total, p.dir))
	return nil
}

// inParallel calls do with each number from first up to before last, until one fails.
func inParallel(first, last int, do func(number int) error) error {
	var (
		next   atomic.Int64
		failed atomic.Bool
		errs   [callers]error
		work   sync.WaitGroup
	)
	next.Store(int64(first))
	for c := range callers {
		work.Go(func() {
			for !failed.Load() {
				i := int(next.Add(1) - 1)
				if i >= last {
					return
				}
				if errs[c] = do(i); errs[c] != nil {
					failed.Store(true)
				}
			}
		})
	}
	work.Wait()
	return errors.Join(errs[:]...)
}

// deleteAll deletes the pictures of the numbers from first up to before last.
func (a *album) deleteAll(ctx context.Context, first, last int) error {
	return inParallel(first, last, func(i int) error {
		_, err := a.client.Remove(ctx, target(i))
		if err == nil {
			a.gone[i] = true
		}
		return err
	})
}

// read reports whether a picture is there. It is an error when what is there is not what was uploaded.
func (a *album) read(ctx context.Context, number int) (there bool, err error) {
	got, err := a.client.Get(ctx, target(number))
	switch {
	case errors.Is(err, client.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case !bytes.Equal(got.Data, a.pictures[number].Stored):
		return false, errors.New("it is not what it was")
	}
	return true, nil
}

// wantGone reads pictures whose deletes were answered.
func (p *proof) wantGone(ctx context.Context, first, last int) error {
	for i := first; i < last; i++ {
		switch there, err := p.read(ctx, i); {
		case err != nil:
			return p.problem("picture %d, whose delete was answered with 200, does not read as gone: %v", i, err)
		case there:
			return p.problem("picture %d, whose delete was answered with 200, can still be read", i)
		}
	}
	return nil
}

// writePictures writes what was looked for into a new directory, one file each.
func (a *album) writePictures(dir string) error {
	err := os.Mkdir(dir, 0o700)
	for i, of := range a.pictures {
		name := fmt.Sprintf("kept-%03d.png", i)
		if i < total-kept {
			name = fmt.Sprintf("deleted-%03d.png", i)
		}
		if err == nil && of.Stored != nil {
			err = os.WriteFile(filepath.Join(dir, name), of.Stored, 0o600)
		}
	}
	return err
}
