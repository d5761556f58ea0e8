package testbed

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"

	"example.org/avatard/internal/pieces"
	"example.org/avatard/server/picture"
)

// Bounds of the stored pictures of a set, in bytes. The smallest may come out a little smaller still.
const (
	minPictureBytes = 200
	maxPictureBytes = 300_000
)

// Picture is one picture of a set.
type Picture = pieces.Picture

// Piece is a piece of one of them, found in a file.
type Piece = pieces.Found

// PictureSet is a number of pictures, no two of which share a piece that counts. Before one of them is uploaded again, callers
// have to make sure that nothing is left of it, else a search cannot tell old from new. Its methods may be called concurrently.
type PictureSet struct {
	// All are numbered from 0. They must not be changed.
	All []Picture

	numbers map[[sha256.Size]byte]int
	index   *pieces.Index
}

// NewPictureSet makes up pictures: PNG and JPEG, most of a few kilobytes, some of 200 B and some of 300 kB. Equal arguments
// give equal pictures.
func NewPictureSet(ctx context.Context, seed uint64, count int) (*PictureSet, error) {
	s := &PictureSet{All: make([]Picture, count), numbers: make(map[[sha256.Size]byte]int, count)}
	normalizer := picture.New(picture.Config{})
	errs := make([]error, count)
	var workers sync.WaitGroup
	for first := range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := first; i < count; i += runtime.GOMAXPROCS(0) {
				s.All[i], errs[i] = draw(ctx, normalizer, seed, uint64(i))
			}
		})
	}
	workers.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("picture %d: %w", i, err)
		}
		s.numbers[sha256.Sum256(s.All[i].Stored)] = i
	}
	s.index = pieces.NewIndex(s.All)
	for i, p := range s.All {
		if stored, uploaded := s.index.Blocks(i); stored == 0 || uploaded == 0 || len(s.numbers) != count {
			return nil, fmt.Errorf("picture %d of %d bytes cannot be told from the others", i, len(p.Stored))
		}
	}
	return s, nil
}

// Number returns which picture these stored bytes are, whole and unchanged; false when none.
func (s *PictureSet) Number(stored []byte) (number int, ok bool) {
	number, ok = s.numbers[sha256.Sum256(stored)]
	return number, ok
}

// Search looks for pieces of the pictures, in both forms, in every regular file below the directories: see [pieces.Search].
func (s *PictureSet) Search(dirs ...string) ([]Piece, error) { return s.index.Search(dirs...) }

// draw makes one picture up and its stored form.
func draw(ctx context.Context, normalizer *picture.Normalizer, seed, number uint64) (p Picture, err error) {
	random := rand.New(rand.NewPCG(seed, number))
	switch size := pictureSize(random); {
	case size < 2000 || random.IntN(3) == 0:
		p.Upload = picture.Sample(seed<<32+number, min(size*5/3, picture.MaxSampleBytes)) // it is not compressed yet
	case random.IntN(2) == 0:
		p.Upload, err = noisyJPEG(random, size)
	default:
		p.Upload, err = noisyPNG(random, size)
	}
	if err != nil {
		return p, err
	}
	stored, err := normalizer.Normalize(ctx, p.Upload)
	p.Stored = stored.Data
	return p, err
}

// pictureSize is spread so that each doubling of the size is about as likely as the one before, large ones less.
func pictureSize(random *rand.Rand) int {
	u := random.Float64()
	return int(minPictureBytes * math.Pow(maxPictureBytes/minPictureBytes, math.Pow(u, 1.7)))
}

// noisyJPEG returns a JPEG of about size bytes when it is encoded again, which is in another quality, or else it would often be
// stored as it is.
func noisyJPEG(random *rand.Rand, size int) ([]byte, error) {
	side := int(math.Sqrt(float64(size) / 1.5))
	img := image.NewGray(image.Rect(0, 0, side, side))
	for i := range img.Pix {
		img.Pix[i] = byte(random.Uint32())
	}
	var out bytes.Buffer
	err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 80})
	return out.Bytes(), err
}

// noisyPNG returns a PNG with transparent pixels, which stays one, of about size bytes.
func noisyPNG(random *rand.Rand, size int) ([]byte, error) {
	side := int(math.Sqrt(float64(size) / 2.5))
	img := image.NewNRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			bits := random.Uint32()
			img.SetNRGBA(x, y, color.NRGBA{byte(bits), byte(bits >> 8), byte(x), byte(bits>>16) | 1})
		}
	}
	var out bytes.Buffer
	err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&out, img) // or else it would be stored as it is
	return out.Bytes(), err
}
