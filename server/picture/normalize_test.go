package picture

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"slices"
	"strings"
	"testing"

	"example.org/avatard/storage"
)

// normalized is a picture with what becomes of it.
type normalized struct {
	about  string
	data   []byte
	format storage.Format
	size   image.Point
	at     image.Point
	colour color.Color
}

func TestNormalizeKinds(t *testing.T) {
	for _, row := range slices.Concat(normalizedPNGs(t), normalizedJPEGs(t), normalizedSizes(t)) {
		got, err := New(Config{}).Normalize(t.Context(), row.data)
		if err != nil {
			t.Errorf("%s: %v", row.about, err)
			continue
		}
		if size := image.Pt(got.Width, got.Height); got.Format != row.format || size != row.size {
			t.Errorf("%s: format %d, %v, want %d, %v", row.about, got.Format, size, row.format, row.size)
			continue
		}
		tolerance := 0
		if row.format == storage.JPEG {
			tolerance = 8
		}
		if c := decoded(t, got).At(row.at.X, row.at.Y); !near(c, row.colour, tolerance) {
			t.Errorf("%s: %v at %v, want %v", row.about, c, row.at, row.colour)
		}
	}
}

// redAboveBlue is a picture of two colours.
func redAboveBlue() image.Image {
	two := image.NewPaletted(image.Rect(0, 0, 20, 10), color.Palette{color.NRGBA{R: 255, A: 255}, color.NRGBA{B: 255, A: 255}})
	for i := range two.Pix {
		two.Pix[i] = byte(i / 100)
	}
	return two
}

// ramp is a grey picture of many shades.
func ramp() *image.Gray {
	grey := image.NewGray(image.Rect(0, 0, 21, 13))
	for i := range grey.Pix {
		grey.Pix[i] = byte(3 * i)
	}
	return grey
}

// oneDeepGrey is a picture of 16 bits with one pixel, the middle one, that is not black.
func oneDeepGrey() *image.Gray16 {
	deepGrey := image.NewGray16(image.Rect(0, 0, 3, 3))
	deepGrey.SetGray16(1, 1, color.Gray16{Y: 0xabcd})
	return deepGrey
}

func normalizedPNGs(t *testing.T) []normalized {
	t.Helper()
	seeThrough := image.NewNRGBA(image.Rect(0, 0, 20, 10))
	for i := range seeThrough.Pix {
		seeThrough.Pix[i] = byte(i)
	}
	deep := image.NewNRGBA64(image.Rect(0, 0, 3, 3))
	deep.SetNRGBA64(1, 1, color.NRGBA64{R: 0xffff, G: 0x8000, A: 0x8000})
	deepOpaque := image.NewRGBA64(image.Rect(0, 0, 3, 3))
	for i := range deepOpaque.Pix {
		deepOpaque.Pix[i] = 255
	}
	return []normalized{
		{"PNG with a palette stays exact", pngOf(t, redAboveBlue()), storage.PNG, image.Pt(20, 10), image.Pt(3, 9), color.NRGBA{B: 255, A: 255}},
		{"PNG with alpha stays exact", pngOf(t, seeThrough), storage.PNG, image.Pt(20, 10), image.Pt(1, 0), color.NRGBA{4, 5, 6, 7}},
		{"PNG of 16 bits with alpha", pngOf(t, deep), storage.PNG, image.Pt(3, 3), image.Pt(1, 1), color.NRGBA{255, 128, 0, 128}},
		{"PNG of 16 bits", pngOf(t, deepOpaque), storage.PNG, image.Pt(3, 3), image.Pt(1, 1), color.White},
		{"grey PNG of 16 bits", pngOf(t, oneDeepGrey()), storage.PNG, image.Pt(3, 3), image.Pt(1, 1), color.Gray{Y: 0xab}},
		{"grey PNG, interlaced", adam7(ramp()), storage.PNG, image.Pt(21, 13), image.Pt(20, 12), color.Gray{Y: byte(3 * (20 + 21*12) % 256)}},
		{"PNG that is smaller than its JPEG stays exact", pngOf(t, photo(300, 200)), storage.PNG, image.Pt(300, 200), image.Pt(150, 100), color.NRGBA{127, 127, 134, 255}},
		{"PNG that is larger than its JPEG becomes one", pngOf(t, noise(300, 200, false)), storage.JPEG, image.Pt(300, 200), image.Pt(0, 0), noise(1, 1, false).At(0, 0)},
	}
}

func normalizedJPEGs(t *testing.T) []normalized {
	t.Helper()
	return []normalized{
		{"JPEG in colour", jpegOf(t, photo(300, 200)), storage.JPEG, image.Pt(300, 200), image.Pt(150, 100), color.NRGBA{127, 127, 134, 255}},
		{"JPEG with few colours stays JPEG", jpegOf(t, redAboveBlue()), storage.JPEG, image.Pt(20, 10), image.Pt(3, 9), color.NRGBA{B: 255, A: 255}},
		{"grey JPEG", jpegOf(t, ramp().SubImage(image.Rect(0, 0, 1, 1))), storage.JPEG, image.Pt(1, 1), image.Pt(0, 0), color.Black},
		{"grey JPEG, baseline", flatJPEG(0xc0, 2, []byte{200}, 0), storage.JPEG, image.Pt(16, 16), image.Pt(9, 9), color.Gray{Y: 200}},
		{"grey JPEG, progressive", flatJPEG(0xc2, 2, []byte{200}, 3), storage.JPEG, image.Pt(16, 16), image.Pt(9, 9), color.Gray{Y: 200}},
		{"JPEG in colour, progressive", flatJPEG(0xc2, 2, []byte{76, 85, 255}, 0), storage.JPEG, image.Pt(16, 16), image.Pt(9, 9), color.NRGBA{254, 0, 0, 255}},
		{"JPEG in CMYK", flatJPEG(0xc0, 2, []byte{255, 0, 0, 255}, 0), storage.JPEG, image.Pt(16, 16), image.Pt(9, 9), color.NRGBA{R: 255, A: 255}},
	}
}

// normalizedSizes are the smallest picture, and some that are made smaller.
func normalizedSizes(t *testing.T) []normalized {
	t.Helper()
	return []normalized{
		{"one pixel", pngOf(t, oneDeepGrey().SubImage(image.Rect(1, 1, 2, 2))), storage.PNG, image.Pt(1, 1), image.Pt(0, 0), color.Gray{Y: 0xab}},
		{"as wide as may be", pngOf(t, photo(2048, 256)), storage.PNG, image.Pt(1024, 128), image.Pt(512, 64), color.NRGBA{127, 128, 129, 255}},
		{"large and transparent", pngOf(t, image.NewNRGBA(image.Rect(0, 0, 2048, 256))), storage.PNG, image.Pt(1024, 128), image.Pt(5, 5), color.Transparent},
		{"large and grey", pngOf(t, image.NewGray(image.Rect(0, 0, 1500, 1))), storage.PNG, image.Pt(1024, 1), image.Pt(5, 0), color.Black},
		{"high and narrow", jpegOf(t, image.NewGray(image.Rect(0, 0, 3, 2048))), storage.JPEG, image.Pt(2, 1024), image.Pt(0, 512), color.Black},
	}
}

func TestNormalizeRefuses(t *testing.T) {
	small := pngOf(t, image.NewGray(image.Rect(0, 0, 4, 4)))
	padded := func(total int) []byte { return withChunk(small, "teXt", strings.Repeat("x", total-len(small)-12)) }
	empty := bytes.Clone(small)
	copy(empty[16:], make([]byte, 8))
	for _, row := range []struct {
		about string
		data  []byte
		want  error
		says  string
	}{
		{"exactly the byte limit passes", padded(DefaultUploadBytes), nil, ""},
		{"one byte more", padded(DefaultUploadBytes + 1), ErrTooLarge, "524289 bytes, limit 524288"},
		{"exactly the limit of a side passes", pngOf(t, image.NewGray(image.Rect(0, 0, 16384, 1))), nil, ""},
		{"PNG one too wide", pngOf(t, image.NewGray(image.Rect(0, 0, 16385, 1))), ErrPixels, "16385 × 1, limit 16384 × 16384"},
		{"PNG one too high", pngOf(t, image.NewGray(image.Rect(0, 0, 1, 16385))), ErrPixels, "1 × 16385"},
		{"JPEG one too wide", jpegOf(t, image.NewGray(image.Rect(0, 0, 16385, 1))), ErrPixels, "16385 × 1"},
		{"JPEG one too high", jpegOf(t, image.NewGray(image.Rect(0, 0, 1, 16385))), ErrPixels, "1 × 16385"},
		{"PNG with too many pixels", headOfPNG(t, 4000, 3126), ErrPixels, "4000 × 3126, which is 12504000 pixels, limit 12500000"},
		{"PNG with as many as may be", headOfPNG(t, 4000, 3125), ErrMalformed, "incomplete"},
		{"as many scans as may be", flatJPEG(0xc2, 2, []byte{9}, MaxScans-1), nil, ""},
		{"one scan more", flatJPEG(0xc2, 2, []byte{9}, MaxScans), ErrUnsupported, "100 scans"},
		{"nothing at all", nil, ErrUnsupported, "accepted are PNG, JPEG, GIF and WebP"},
		{"BMP", []byte("BM\x3a\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00"), ErrUnsupported, "accepted are PNG, JPEG, GIF and WebP"},
		{"GIF without a frame", []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"), ErrMalformed, ""},
		{"GIF over the limit", []byte("GIF89a\x01\x40\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x00;"), ErrPixels, "16385 × 1"},
		{"SVG", []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), ErrUnsupported, "accepted are PNG, JPEG, GIF and WebP"},
		{"signature cut", small[:7], ErrUnsupported, ""},
		{"signature alone", small[:8], ErrMalformed, ""},
		{"no pixels", empty, ErrMalformed, ""},
		{"start of image alone", []byte("\xff\xd8\xff\xd9"), ErrMalformed, ""},
		{"JPEG of 12 bits", bytes.Replace(flatJPEG(0xc0, 1, []byte{9}, 0), []byte("\xff\xc0\x00\x0b\x08"), []byte("\xff\xc1\x00\x0b\x0c"), 1), ErrUnsupported, "8 bits"},
		{"JPEG with arithmetic coding", flatJPEG(0xc9, 1, []byte{9}, 0), ErrUnsupported, "baseline and progressive"},
	} {
		_, err := New(Config{}).Normalize(t.Context(), row.data)
		if !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.about, err, row.want)
		} else if err != nil && (!strings.Contains(err.Error(), row.says) || strings.Contains(err.Error(), "invalid format")) {
			t.Errorf("%s: %q, want our own words with %q", row.about, err, row.says)
		}
	}
}

// A picture that is cut anywhere is refused with an error for its sender, and not with an internal one, unless all of its
// pixels are there.
func TestNormalizeTruncated(t *testing.T) {
	n := New(Config{})
	for _, row := range []struct {
		about string
		data  []byte
		// end is how many bytes at the end hold no pixels: IEND and checksums; EOI; scans that refine nothing and EOI.
		end int
	}{
		{"PNG", pngOf(t, photo(8, 8)), 25}, {"JPEG", jpegOf(t, photo(8, 8)), 2}, {"progressive JPEG", flatJPEG(0xc2, 2, []byte{9}, 2), 26},
	} {
		whole, err := n.Normalize(t.Context(), row.data)
		if err != nil {
			t.Fatal(err)
		}
		for cut := range row.data {
			got, err := n.Normalize(t.Context(), row.data[:cut])
			switch {
			case err == nil && cut >= len(row.data)-row.end:
				if !bytes.Equal(got.Data, whole.Data) {
					t.Errorf("%s cut to %d of %d bytes is another picture", row.about, cut, len(row.data))
				}
			case !errors.Is(err, ErrMalformed) && !(errors.Is(err, ErrUnsupported) && cut < len(pngSignature)):
				t.Errorf("%s cut to %d of %d bytes: %v, want %v", row.about, cut, len(row.data), err, ErrMalformed)
			}
		}
	}
}

func TestNormalizeDropsEverythingButPixels(t *testing.T) {
	const planted = "planted 8d1f2a: do not store"
	hidden := image.NewNRGBA(image.Rect(0, 0, 16, 16)) // all of it invisible
	copy(hidden.Pix, strings.Repeat("pla\x00", 256))
	p, j := pngOf(t, image.NewGray(image.Rect(0, 0, 4, 4))), jpegOf(t, photo(8, 8))
	for about, data := range map[string][]byte{
		"tEXt":             withChunk(p, "tEXt", "Comment\x00"+planted),
		"zTXt":             withChunk(p, "zTXt", "Comment\x00\x00"+planted),
		"iTXt":             withChunk(p, "iTXt", "Comment\x00\x00\x00\x00\x00"+planted),
		"eXIf":             withChunk(p, "eXIf", exif(binary.BigEndian, 1)+planted),
		"iCCP":             withChunk(p, "iCCP", planted+"\x00\x00"),
		"unknown chunk":    withChunk(p, "prVt", planted),
		"behind the PNG":   append(bytes.Clone(p), planted...),
		"EXIF":             withSegment(j, 0xe1, "Exif\x00\x00"+exif(binary.LittleEndian, 1)+planted),
		"XMP":              withSegment(j, 0xe1, "http://ns.adobe.com/xap/1.0/\x00"+planted),
		"ICC profile":      withSegment(j, 0xe2, "ICC_PROFILE\x00\x01\x01"+planted),
		"Photoshop":        withSegment(j, 0xed, "Photoshop 3.0\x00"+planted),
		"COM":              withSegment(j, 0xfe, planted),
		"behind the JPEG":  append(bytes.Clone(j), planted...),
		"invisible pixels": pngOf(t, hidden),
	} {
		got, err := New(Config{}).Normalize(t.Context(), data)
		if err != nil {
			t.Errorf("%s: %v", about, err)
			continue
		}
		if about == "invisible pixels" {
			if c := decoded(t, got).At(3, 3); c != (color.NRGBA{}) {
				t.Errorf("invisible pixels kept their colour: %v", c)
			}
		} else if !bytes.Contains(data, []byte(planted)) {
			t.Errorf("%s: the upload does not hold the text, so this row shows nothing", about)
		}
		if bytes.Contains(got.Data, []byte(planted)) || bytes.Contains(got.Data, []byte("Exif")) {
			t.Errorf("%s survived", about)
		}
		decoded(t, got)
	}
}

// Of an animated PNG (PNG specification, third edition, section 11.3.6) the default image is stored.
func TestNormalizeAnimated(t *testing.T) {
	data := pngOf(t, image.NewGray(image.Rect(0, 0, 4, 4)))
	still, err := New(Config{}).Normalize(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	data = withChunk(data, "acTL", "\x00\x0f\xff\xff\x00\x00\x00\x00")
	end := len(data) - 12
	for range 1000 {
		data = appendChunk(data[:end], "fdAT", func(b []byte) []byte { return append(b, "\x00\x00\x00\x02frame"...) })
		end = len(data)
	}
	data = appendChunk(data, "IEND", func(b []byte) []byte { return b })
	got, err := New(Config{}).Normalize(t.Context(), data)
	if err != nil || !bytes.Equal(got.Data, still.Data) || !got.Animated || still.Animated {
		t.Errorf("animated: %v, %d bytes, want the same %d bytes as without frames", err, len(got.Data), len(still.Data))
	}
}

func TestDecodeStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, data := range [][]byte{pngOf(t, photo(8, 8)), jpegOf(t, photo(8, 8)), gifOf(t, 1), webpFile(t, "lossy"), webpFile(t, "animated")} {
		src, err := New(Config{}).Open(data)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := src.read(ctx, MaxStoredPixelsPerSide); !errors.Is(err, context.Canceled) {
			t.Errorf("%.8q: %v, want %v", data, err, context.Canceled)
		}
	}
}
