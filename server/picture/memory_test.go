package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"runtime"
	"testing"
)

// sizedPicture is a picture with little content but its size.
type sizedPicture struct {
	about string
	data  []byte
}

// kinds are pictures of a size in each of the kinds whose memory differs.
func kinds(t testing.TB, size image.Point) []sizedPicture {
	png := func(colour byte, depth int, interlaced bool) []byte {
		return pngWith(pngHead{size, depth, colour, interlaced}, 4, flatRows)
	}
	return []sizedPicture{
		{"JPEG 4:2:0", wideJPEG(0xc0, size, []byte{0x22, 0x11, 0x11}, 0)},
		{"JPEG 4:4:4", wideJPEG(0xc0, size, []byte{0x11, 0x11, 0x11}, 0)},
		{"JPEG grey", wideJPEG(0xc0, size, []byte{0x22}, 0)},
		{"JPEG CMYK", wideJPEG(0xc0, size, []byte{0x11, 0x11, 0x11, 0x11}, 0)},
		{"progressive JPEG 4:2:0", wideJPEG(0xc2, size, []byte{0x22, 0x11, 0x11}, 8)},
		{"progressive JPEG 4:4:4", wideJPEG(0xc2, size, []byte{0x11, 0x11, 0x11}, 8)},
		{"progressive JPEG grey", wideJPEG(0xc2, size, []byte{0x11}, 8)},
		{"progressive JPEG CMYK", wideJPEG(0xc2, size, []byte{0x22, 0x11, 0x11, 0x22}, 8)},
		{"PNG with a palette", png(pngPalette, 8, false)},
		{"PNG", png(pngColour, 8, false)},
		{"PNG with alpha", png(pngColourAlpha, 8, false)},
		{"PNG with alpha, 16 bits", png(pngColourAlpha, 16, false)},
		{"PNG with alpha, 16 bits, interlaced", png(pngColourAlpha, 16, true)},
		{"GIF", flatGIF(t, size)},
		{"WebP", plainWebP(size, 255)},
		{"WebP with alpha", plainWebP(size, 128)},
	}
}

// allocated returns how many bytes do allocates.
func allocated(do func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// held is the memory of the pixels of an image.
func held(img image.Image) int {
	switch m := img.(type) {
	case *image.Gray:
		return cap(m.Pix)
	case *image.YCbCr:
		return cap(m.Y) + cap(m.Cb) + cap(m.Cr)
	case *image.NYCbCrA:
		return cap(m.Y) + cap(m.Cb) + cap(m.Cr) + cap(m.A)
	case *image.NRGBA:
		return cap(m.Pix)
	case *image.RGBA:
		return cap(m.Pix)
	case *image.CMYK:
		return cap(m.Pix)
	case *image.Paletted:
		return cap(m.Pix)
	}
	return 0
}

// No picture takes more memory than need says from its header: neither while it is decoded, garbage included, nor later, when the decoded
// image, the small one and its encoding are in use.
func TestMemoryIsAsSaid(t *testing.T) {
	for _, u := range append(kinds(t, image.Pt(800, 600)), sizedPicture{"PNG that is not reduced", pngOf(t, noise(1024, 1024, true))}) {
		opened, err := New(Config{MaxUploadBytes: MostUploadBytes}).Open(u.data)
		if err != nil {
			t.Errorf("%s: %v", u.about, err)
			continue
		}
		want := opened.need()
		var pixels rows
		if got := allocated(func() { pixels, err = opened.decode(t.Context(), nil) }); err != nil || got > want.decoding+smallBytes {
			t.Errorf("%s: %d bytes to decode it, %v; want %d or less", u.about, got, err, want.decoding+smallBytes)
			continue
		}
		if from, ok := pixels.(*imageRows); ok && held(from.img) > want.decoded+smallBytes {
			t.Errorf("%s: %d bytes when decoded; want %d or less", u.about, held(from.img), want.decoded+smallBytes)
		}
		if got := allocated(func() {
			var img *image.NRGBA
			if img, err = reduce(t.Context(), pixels, MaxStoredPixelsPerSide); err == nil {
				_, err = opened.finish(t.Context(), img, opened.traits(pixels))
			}
		}); err != nil || got > resultBytes {
			t.Errorf("%s: %d bytes to encode it, %v; want %d or less", u.about, got, err, resultBytes)
		}
	}
}

// Of pictures with as many pixels as allowed, only rare kinds of JPEG take more than 96 MB, and are refused with a message that says so.
func TestMemoryAtTheLimit(t *testing.T) {
	refused := map[string]bool{"JPEG CMYK": true, "progressive JPEG 4:4:4": true, "progressive JPEG CMYK": true}
	for _, size := range []image.Point{{4080, 3060}, {16384, 762}, {762, 16384}} {
		for _, u := range kinds(t, image.Pt(8, 8)) {
			u.data = resized(u.data, size)
			opened, err := New(Config{}).Open(u.data)
			if refused[u.about] {
				if !errors.Is(err, ErrMemory) || !bytes.Contains([]byte(err.Error()), []byte("JPEG")) {
					t.Errorf("%s of %v: %v, want %v", u.about, size, err, ErrMemory)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s of %v: %v", u.about, size, err)
			} else if opened.Memory() > 96_000_000 {
				t.Errorf("%s of %v: %d bytes", u.about, size, opened.Memory())
			}
		}
	}
}

// With more pixels allowed, a picture may take more memory.
func TestMemoryGrowsWithPixels(t *testing.T) {
	for pixels, want := range map[int]int{0: 96_000_000, 1_000_000: 96_000_000, 12_500_000: 96_000_000, 25_000_000: 192_000_000, MostPixels: 768_000_000, 1 << 40: 768_000_000} {
		if got := New(Config{MaxPixels: pixels}).MaxMemory(); got != want {
			t.Errorf("%d pixels: %d bytes, want %d", pixels, got, want)
		}
	}
	data := wideJPEG(0xc2, image.Pt(4080, 3060), []byte{0x11, 0x11, 0x11}, 0)
	if _, err := New(Config{MaxPixels: 25_000_000}).Open(data); err != nil {
		t.Errorf("a progressive JPEG with twice the memory: %v", err)
	}
}

// resized returns a picture whose header has another size.
func resized(data []byte, size image.Point) []byte {
	w, h := uint16(size.X), uint16(size.Y)
	switch data = bytes.Clone(data); recognise(data) {
	case &pngFormat:
		binary.BigEndian.PutUint32(data[16:], uint32(w))
		binary.BigEndian.PutUint32(data[20:], uint32(h))
		return mended(data)
	case &jpegFormat:
		frame := bytes.Index(data, []byte{8, 0, 8, 0, 8})
		binary.BigEndian.PutUint16(data[frame+1:], h)
		binary.BigEndian.PutUint16(data[frame+3:], w)
	case &gifFormat:
		binary.LittleEndian.PutUint16(data[6:], w)
		binary.LittleEndian.PutUint16(data[8:], h)
	case &webpFormat:
		at := bytes.Index(data, []byte("VP8L")) + chunkHeaderBytes + 1
		binary.LittleEndian.PutUint32(data[at:], binary.LittleEndian.Uint32(data[at:])>>28<<28|uint32(w-1)|uint32(h-1)<<14)
	}
	return data
}

// A picture with more pixels may have fewer passes over them, since both together cost time.
func TestScansBySize(t *testing.T) {
	for _, row := range []struct {
		size image.Point
		most int
	}{{image.Pt(640, 480), 100}, {image.Pt(1581, 1581), 100}, {image.Pt(2048, 2048), 59}, {image.Pt(4080, 3060), 20}, {image.Pt(16384, 762), 20}} {
		for scans, want := range map[int]error{row.most: nil, row.most + 1: ErrUnsupported} {
			data := resized(wideJPEG(0xc2, image.Pt(8, 8), []byte{0x22, 0x11, 0x11}, scans-1), row.size)
			if _, err := New(Config{}).Open(data); !errors.Is(err, want) {
				t.Errorf("%v, %d scans: %v, want %v", row.size, scans, err, want)
			}
		}
	}
}

// Bytes in metadata or behind the end, such as the video of a phone's moving picture, do not count as scans.
func TestScansAreCountedWhereTheyAre(t *testing.T) {
	n := New(Config{})
	for _, sof := range []byte{0xc0, 0xc2} {
		data := append(wideJPEG(sof, image.Pt(4080, 3060), []byte{0x22, 0x11, 0x11}, 0), bytes.Repeat([]byte("video\xff\xda"), 60)...)
		if _, err := n.Open(data); err != nil {
			t.Errorf("frame %#x: %v", sof, err)
		}
	}
}
