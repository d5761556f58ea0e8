package picture

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"os"
	"path/filepath"
	"testing"

	"example.org/avatard/storage"
)

// gifOf returns a GIF of 24 × 16 pixels with so many frames: the first is red on its left half and covers all, those
// after it are one blue pixel each.
func gifOf(t testing.TB, frames int) []byte {
	t.Helper()
	palette := color.Palette{color.NRGBA{}, color.NRGBA{R: 255, A: 255}, color.NRGBA{B: 255, A: 255}}
	all := &gif.GIF{Config: image.Config{ColorModel: palette, Width: 24, Height: 16}}
	first := image.NewPaletted(image.Rect(0, 0, 24, 16), palette)
	for y := range 16 {
		for x := range 12 {
			first.SetColorIndex(x, y, 1)
		}
	}
	for i := range frames {
		frame := first
		if i > 0 {
			frame = image.NewPaletted(image.Rect(3, 3, 4, 4), palette)
			frame.SetColorIndex(3, 3, 2)
		}
		all.Image, all.Delay = append(all.Image, frame), append(all.Delay, 10)
	}
	var buf bytes.Buffer
	if err := gif.EncodeAll(&buf, all); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// smallFrameGIF returns a GIF whose only frame covers a part of it.
func smallFrameGIF(t testing.TB) []byte {
	t.Helper()
	palette := color.Palette{color.NRGBA{B: 255, A: 255}, color.NRGBA{R: 255, A: 255}}
	frame := image.NewPaletted(image.Rect(4, 2, 8, 6), palette)
	var buf bytes.Buffer
	err := gif.EncodeAll(&buf, &gif.GIF{Image: []*image.Paletted{frame}, Delay: []int{0},
		Config: image.Config{ColorModel: palette, Width: 24, Height: 16}})
	if err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// webpFile returns one of the files in testdata. They show four quarters, red, green, blue and nearly white, the last
// of which is transparent in those with alpha; animations go on with a second picture in one colour.
func webpFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "webp", name+".webp"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestNormalizeGIFAndWebP(t *testing.T) {
	red, blue, pale := color.NRGBA{R: 220, A: 255}, color.NRGBA{B: 220, A: 255}, color.NRGBA{240, 240, 240, 255}
	nothing := color.NRGBA{}
	for _, row := range []struct {
		about     string
		data      []byte
		format    storage.Format
		size      image.Point
		topLeft   color.Color
		lowRight  color.Color
		tolerance int
		animated  bool
	}{
		{"GIF", gifOf(t, 1), storage.PNG, image.Pt(24, 16), color.NRGBA{R: 255, A: 255}, nothing, 0, false},
		{"GIF of three frames", gifOf(t, 3), storage.PNG, image.Pt(24, 16), color.NRGBA{R: 255, A: 255}, nothing, 0, true},
		{"GIF whose frame is smaller", smallFrameGIF(t), storage.PNG, image.Pt(24, 16), nothing, nothing, 0, false},
		{"lossless WebP stays exact", webpFile(t, "lossless"), storage.PNG, image.Pt(24, 16), red, pale, 0, false},
		{"lossless WebP with alpha", webpFile(t, "lossless-alpha"), storage.PNG, image.Pt(24, 16), red, nothing, 0, false},
		{"lossy WebP becomes JPEG", webpFile(t, "lossy"), storage.JPEG, image.Pt(24, 16), red, pale, 12, false},
		{"lossy WebP with alpha", webpFile(t, "lossy-alpha"), storage.PNG, image.Pt(24, 16), red, nothing, 3, false},
		{"animated WebP", webpFile(t, "animated"), storage.PNG, image.Pt(24, 16), red, pale, 0, true},
		{"animated lossy WebP with alpha", webpFile(t, "animated-lossy"), storage.PNG, image.Pt(24, 16), red, nothing, 3, true},
		{"WebP to be turned right", webpFile(t, "turned"), storage.PNG, image.Pt(16, 24), blue, color.NRGBA{G: 180, A: 255}, 0, false},
	} {
		got, err := New(Config{}).Normalize(t.Context(), row.data)
		if err != nil {
			t.Errorf("%s: %v", row.about, err)
			continue
		}
		if got.Format != row.format || image.Pt(got.Width, got.Height) != row.size || got.Animated != row.animated {
			t.Errorf("%s: format %d, %d × %d, animated %t; want %d, %v, %t", row.about, got.Format, got.Width, got.Height,
				got.Animated, row.format, row.size, row.animated)
			continue
		}
		img := decoded(t, got)
		for at, want := range map[image.Point]color.Color{{X: 1, Y: 1}: row.topLeft, row.size.Sub(image.Pt(2, 2)): row.lowRight} {
			if c := img.At(at.X, at.Y); !near(c, want, row.tolerance) {
				t.Errorf("%s: %v at %v, want %v", row.about, c, at, want)
			}
		}
	}
}

// A file that is cut anywhere is refused or still a picture, and never causes an internal error.
func TestCutGIFAndWebP(t *testing.T) {
	for about, data := range map[string][]byte{
		"GIF": gifOf(t, 2), "WebP": webpFile(t, "lossless"), "lossy WebP": webpFile(t, "lossy-alpha"),
		"animated WebP": webpFile(t, "animated-lossy"),
	} {
		refused := 0
		for cut := range data {
			_, err := New(Config{}).Normalize(t.Context(), data[:cut])
			if err != nil {
				refused++
			}
			if err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnsupported) {
				t.Errorf("%s cut at %d: %v", about, cut, err)
			}
		}
		if refused < len(data)/3 {
			t.Errorf("%s: only %d of %d cuts refused", about, refused, len(data))
		}
	}
}

// A frame that does not lie on its canvas, or is not as large as it says, is refused before it is decoded.
func TestWebPFramesThatLie(t *testing.T) {
	good := webpFile(t, "animated")
	frame := bytes.Index(good, []byte("ANMF")) + chunkHeaderBytes
	for about, offset := range map[string]int{"moved right": 0, "moved down": 3, "wider": 6, "higher": 9} {
		bad := bytes.Clone(good)
		bad[frame+offset]++
		if _, err := New(Config{}).Normalize(t.Context(), bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("frame %s: %v, want %v", about, err, ErrMalformed)
		}
	}
	huge := bytes.Clone(good)
	canvas := bytes.Index(huge, []byte("VP8X")) + chunkHeaderBytes
	putUint24(huge[canvas+4:], MaxPixelsPerSide)
	if _, err := New(Config{}).Normalize(t.Context(), huge); !errors.Is(err, ErrPixels) {
		t.Errorf("canvas over the limit: %v, want %v", err, ErrPixels)
	}
}

// opened returns a picture whose header was read.
func opened(t *testing.T, data []byte) upload {
	t.Helper()
	f := recognise(data)
	if f == nil {
		t.Fatalf("%.20q is of no format that is taken", data)
	}
	up, err := f.open(data)
	if err != nil {
		t.Fatal(err)
	}
	return up
}
