package picture

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"slices"
	"testing"

	"example.org/avatard/storage"
)

// noise is a picture that cannot be compressed.
func noise(w, h int, alpha bool) *image.NRGBA {
	random := rand.New(rand.NewPCG(1, 2))
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = byte(random.Uint32())
		if i%4 == 3 && !alpha {
			img.Pix[i] = 255
		}
	}
	return img
}

// An acceptable picture is never refused because its stored form came out too large, and an encoding that will not fit stops early.
func TestEncodeFits(t *testing.T) {
	grey := noise(64, 64, false)
	for i := 0; i < len(grey.Pix); i += 4 {
		grey.Pix[i+1], grey.Pix[i+2] = grey.Pix[i], grey.Pix[i]
	}
	for _, row := range []struct {
		about     string
		img       *image.NRGBA
		traits    traits
		limit     int
		format    storage.Format
		minSide   int
		encodings int // at most
	}{
		{"what fits stays", noise(64, 64, true), traits{lossless: true}, 64*64*4 + 1000, storage.PNG, 64, 1},
		{"opaque PNG becomes JPEG of the same size", noise(64, 64, false), traits{lossless: true}, 8000, storage.JPEG, 64, 3},
		{"grey PNG becomes JPEG of the same size", grey, traits{lossless: true}, 4100, storage.JPEG, 64, 2},
		{"transparent PNG becomes smaller", noise(64, 64, true), traits{lossless: true}, 8000, storage.PNG, 32, 2},
		{"JPEG becomes smaller", noise(64, 64, false), traits{}, 3000, storage.JPEG, 32, 3},
		{"JPEG loses fineness of colour first", noise(64, 64, false), traits{fineColour: true}, 8000, storage.JPEG, 64, 2},
		{"far over the limit", noise(512, 64, true), traits{lossless: true}, 200, storage.PNG, 4, 2},
		{"the limit of stores, the most that a JPEG can hold", noise(1024, 1024, false), traits{}, storage.MaxPictureBytes, storage.JPEG, 1024, 1},
		{"the limit of stores, with colour at its full resolution", noise(1024, 1024, false), traits{fineColour: true}, storage.MaxPictureBytes, storage.JPEG, 1024, 2},
		{"the limit of stores, transparent", noise(1024, 1024, true), traits{}, storage.MaxPictureBytes, storage.PNG, 400, 1},
	} {
		e := encoder{ctx: t.Context(), limit: row.limit}
		got, err := e.encode(row.img, row.traits)
		if err != nil {
			t.Errorf("%s: %v", row.about, err)
			continue
		}
		decoded(t, got)
		if len(got.Data) > row.limit || got.Format != row.format || max(got.Width, got.Height) < row.minSide {
			t.Errorf("%s: format %d, %d × %d, %d bytes; want format %d, %d pixels or more, %d bytes or less",
				row.about, got.Format, got.Width, got.Height, len(got.Data), row.format, row.minSide, row.limit)
		}
		if most := row.encodings * row.limit; e.encodings > row.encodings || e.bytes > most || e.sampled > len(row.img.Pix)/3 {
			t.Errorf("%s: %d encodings of %d bytes and samples of %d; want %d, %d and %d at most",
				row.about, e.encodings, e.bytes, e.sampled, row.encodings, most, len(row.img.Pix)/3)
		}
	}
	e := encoder{ctx: t.Context(), limit: 100}
	if got, err := e.encode(grey, traits{}); err == nil {
		t.Errorf("a JPEG of %d bytes cannot be: its tables alone are more than 100", len(got.Data))
	}
}

func TestPalettedIsExact(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 16, 17))
	for i := range 255 { // the last one is invisible
		img.SetNRGBA(i%16, i/16, color.NRGBA{R: byte(37 * i), G: byte(i), A: 255})
	}
	for x := range 16 {
		img.SetNRGBA(x, 16, img.NRGBAAt(x, 3))
	}
	got := paletted(img)
	if got == nil {
		t.Fatal("256 colours do not fit into a palette of 256")
	}
	for y := range 17 {
		for x := range 16 {
			if !near(got.At(x, y), img.At(x, y), 0) {
				t.Errorf("pixel %d,%d = %v, want %v", x, y, got.At(x, y), img.At(x, y))
			}
		}
	}
	if !slices.IsSortedFunc(got.Palette[1:], func(a, b color.Color) int {
		x, y := a.(color.NRGBA), b.(color.NRGBA)
		return bytes.Compare([]byte{x.R, x.G, x.B}, []byte{y.R, y.G, y.B})
	}) || got.Palette[0] != (color.NRGBA{}) {
		t.Errorf("the palette is not sorted: %v", got.Palette)
	}
	img.SetNRGBA(5, 16, color.NRGBA{B: 1, A: 255})
	if paletted(img) != nil {
		t.Error("257 colours went into a palette of 256")
	}
}

// Colours and their transparency carry no text of the uploader's into the file, in whatever order they come.
func TestPalettesCarryNoText(t *testing.T) {
	const text = "<script>alert(document.cookie)</script>/*48  B*/"
	palette := func(colour func(i int) color.NRGBA, n int) []byte {
		img := image.NewPaletted(image.Rect(0, 0, n, 1), nil)
		for i := range n {
			img.Palette = append(img.Palette, colour(i))
			img.Pix[i] = byte(i)
		}
		return pngOf(t, img)
	}
	opaque := func(i int) color.NRGBA { return color.NRGBA{R: text[3*i], G: text[3*i+1], B: text[3*i+2], A: 255} }
	for _, row := range []struct {
		about string
		data  []byte
	}{
		{"in the colours", palette(opaque, 16)},
		{"in the colours, one pixel invisible", palette(func(i int) color.NRGBA {
			if i == 0 {
				return color.NRGBA{R: 1}
			}
			return opaque(i - 1)
		}, 17)},
		{"in the transparency", palette(func(i int) color.NRGBA { return color.NRGBA{R: byte(i), A: text[i]} }, 48)},
		{"in the colours, ordered by transparency", palette(func(i int) color.NRGBA {
			c := opaque(i)
			c.A = byte(255 - i)
			return c
		}, 16)},
		{"in the colours, ordered by transparency the other way", palette(func(i int) color.NRGBA {
			c := opaque(i)
			c.A = byte(200 + i)
			return c
		}, 16)},
	} {
		got, err := New(Config{}).Normalize(t.Context(), row.data)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at+9 <= len(text); at++ { // three colours; two may well be neighbours when sorted
			if bytes.Contains(got.Data, []byte(text[at:at+9])) {
				t.Errorf("%s: %q is in the stored picture", row.about, text[at:at+9])
			}
		}
		if transparency := chunk(got.Data, "tRNS"); len(transparency) > 1 {
			t.Errorf("%s: %d bytes of transparency, want one at most", row.about, len(transparency))
		}
		want, err := png.Decode(bytes.NewReader(row.data))
		if err != nil {
			t.Fatal(err)
		}
		have := decoded(t, got)
		for x := range want.Bounds().Dx() {
			if _, _, _, a := want.At(x, 0).RGBA(); a > 0 && !near(have.At(x, 0), want.At(x, 0), 0) {
				t.Errorf("%s: pixel %d = %v, want %v", row.about, x, have.At(x, 0), want.At(x, 0))
			}
		}
	}
}

// Colours that no pixel has are not in the file, nor is their transparency.
func TestUnusedColoursAreDropped(t *testing.T) {
	img := image.NewPaletted(image.Rect(0, 0, 4, 1), color.Palette{color.NRGBA{R: 'h', G: 'i', B: 'd', A: 'e'}, color.NRGBA{B: 9, A: 255},
		color.NRGBA{R: 'n', A: 7}, color.NRGBA{G: 5, A: 255}})
	copy(img.Pix, []byte{3, 1, 1, 3})
	got, err := New(Config{}).Normalize(t.Context(), pngOf(t, img))
	if err != nil {
		t.Fatal(err)
	}
	if colours := chunk(got.Data, "PLTE"); !bytes.Equal(colours, []byte{0, 0, 9, 0, 5, 0}) || chunk(got.Data, "tRNS") != nil {
		t.Errorf("colours %v, transparency %v; want those of the pixels, and none", colours, chunk(got.Data, "tRNS"))
	}
}

// chunk returns the first chunk of a kind in a PNG, nil when there is none.
func chunk(data []byte, kind string) []byte {
	for data = data[8:]; len(data) >= 12; {
		n := int(binary.BigEndian.Uint32(data))
		if string(data[4:8]) == kind {
			return data[8 : 8+n]
		}
		data = data[12+n:]
	}
	return nil
}

// A picture that is refused by its header takes hardly any memory.
func TestRefusalsTakeNoMemory(t *testing.T) {
	for about, data := range map[string][]byte{
		"side":   pngOf(t, image.NewGray(image.Rect(0, 0, 20000, 3))),
		"scans":  flatJPEG(0xc2, 128, []byte{1}, MaxScans),
		"size":   make([]byte, DefaultUploadBytes+1),
		"memory": wideJPEG(0xc2, image.Pt(4080, 3060), []byte{0x11, 0x11, 0x11}, 0),
	} {
		if got := allocated(func() { _, _ = New(Config{}).Normalize(t.Context(), data) }); got > 1<<20 {
			t.Errorf("%s: %d bytes allocated", about, got)
		}
	}
}
