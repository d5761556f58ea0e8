package picture

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"slices"
	"strings"
	"testing"

	"example.org/avatard/storage"
)

// The corpus: small pictures of every kind that people upload, made by the writers in corpus*_test.go, each with the
// result that is expected. All show four quarters, so that a picture that is turned, cut, mixed up or of the wrong colour
// differs from one that is right.

// specimen is one picture of the corpus.
type specimen struct {
	name string
	data []byte
	// size and quarters are the picture as it is to be seen: top left, top right, bottom left, bottom right.
	size     image.Point
	quarters [4]color.NRGBA
	format   storage.Format // of the result; 0 for either
	animated bool
	// refused is a part of the message with which it is refused, "" for a picture that is taken.
	refused string
	// chromium is the browser's behaviour: "" = it shows the stored picture, or something of one that is refused; "other" =
	// it shows something else than the stored picture; "blank" = an empty area; "hidden" = it does not take it for a picture.
	chromium string
}

// collection gathers specimens that have much in common.
type collection struct {
	base specimen // its name is the beginning of theirs
	all  []specimen
}

// add adds a specimen, the base with changes.
func (c *collection) add(name string, data []byte, changes ...func(*specimen)) {
	s := c.base
	s.name, s.data = s.name+name, data
	for _, change := range changes {
		change(&s)
	}
	c.all = append(c.all, s)
}

// addOrientations adds the picture that encode returns for each EXIF orientation.
func (c *collection) addOrientations(name string, encode func(orientation int) []byte) {
	for orientation := 1; orientation <= 8; orientation++ {
		c.add(fmt.Sprintf("%sof orientation %d", name, orientation), encode(orientation), func(s *specimen) {
			s.quarters = turned(s.quarters, orientation)
			if orientation >= 5 {
				s.size = image.Pt(s.size.Y, s.size.X)
			}
		})
	}
}

func refused(says string) func(*specimen) { return func(s *specimen) { s.refused = says } }

func chromium(does string) func(*specimen) { return func(s *specimen) { s.chromium = does } }

func animated(s *specimen) { s.animated = true }

var (
	red     = color.NRGBA{200, 30, 40, 255}
	green   = color.NRGBA{20, 160, 60, 255}
	blue    = color.NRGBA{30, 60, 190, 255}
	pale    = color.NRGBA{240, 230, 220, 255}
	nothing = color.NRGBA{}

	vivid = [4]color.NRGBA{red, green, blue, pale}
	greys = [4]color.NRGBA{{0, 0, 0, 255}, {85, 85, 85, 255}, {170, 170, 170, 255}, {255, 255, 255, 255}}
)

// flatTolerance is how far a flat field may be from its colour, in levels of 255.
const flatTolerance = 3

// quarter returns the number of the quarter in which a pixel lies.
func quarter(x, y int, size image.Point) int {
	q := 0
	if 2*x >= size.X {
		q++
	}
	if 2*y >= size.Y {
		q += 2
	}
	return q
}

// middles returns a point in the middle of each quarter.
func middles(size image.Point) [4]image.Point {
	left, right, top, bottom := size.X/4, size.X-1-size.X/4, size.Y/4, size.Y-1-size.Y/4
	return [4]image.Point{{left, top}, {right, top}, {left, bottom}, {right, bottom}}
}

// turned returns the quarters of a picture that is stored as they are and has an EXIF orientation.
func turned(q [4]color.NRGBA, orientation int) [4]color.NRGBA {
	order := [8][4]int{{0, 1, 2, 3}, {1, 0, 3, 2}, {3, 2, 1, 0}, {2, 3, 0, 1}, {0, 2, 1, 3}, {2, 0, 3, 1}, {3, 1, 2, 0}, {1, 3, 0, 2}}
	var out [4]color.NRGBA
	for i, from := range order[orientation-1] {
		out[i] = q[from]
	}
	return out
}

// corpus returns all specimens.
func corpus(t testing.TB) []specimen {
	return slices.Concat(pngSpecimens(), pngOddSpecimens(), jpegSpecimens(), jpegOddSpecimens(), gifSpecimens(),
		webpSpecimens(t), colourSpecimens(), foreignSpecimens())
}

func TestCorpus(t *testing.T) {
	all := corpus(t)
	if len(all) < 120 {
		t.Errorf("%d pictures, want at least 120", len(all))
	}
	names := map[string]bool{}
	n := New(Config{})
	for _, s := range all {
		if names[s.name] {
			t.Errorf("two pictures are named %s", s.name)
		}
		names[s.name] = true
		before := bytes.Clone(s.data)
		got, err := n.Normalize(t.Context(), s.data)
		if !bytes.Equal(before, s.data) {
			t.Errorf("%s: the upload was written to", s.name)
		}
		if s.refused != "" {
			if err == nil || !strings.Contains(err.Error(), s.refused) {
				t.Errorf("%s: %v, want an error with %q", s.name, err, s.refused)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if size := image.Pt(got.Width, got.Height); size != s.size || got.Animated != s.animated {
			t.Errorf("%s: %v, animated %t, want %v, %t", s.name, size, got.Animated, s.size, s.animated)
			continue
		}
		if s.format != 0 && got.Format != s.format {
			t.Errorf("%s: format %d, want %d", s.name, got.Format, s.format)
		}
		img := decoded(t, got)
		for i, at := range middles(s.size) {
			if c := img.At(at.X, at.Y); !near(c, s.quarters[i], flatTolerance) {
				t.Errorf("%s: %v at %v, want %v", s.name, color.NRGBAModel.Convert(c), at, s.quarters[i])
			}
		}
	}
}
