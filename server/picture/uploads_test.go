package picture

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"

	"example.org/avatard/storage"
)

// Uploads of the tests: made by the encoders of the standard library, or by hand where those cannot write them.

func pngOf(t testing.TB, img image.Image) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func jpegOf(t testing.TB, img image.Image) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, img, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// headOfPNG is a grey PNG of any size whose pixels are missing.
func headOfPNG(t testing.TB, w, h int) []byte {
	t.Helper()
	out := pngOf(t, image.NewGray(image.Rect(0, 0, 1, 1)))[:len(pngSignature)]
	out = appendChunk(out, "IHDR", func(b []byte) []byte {
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, uint32(w)), uint32(h))
		return append(b, 8, 0, 0, 0, 0)
	})
	return appendChunk(out, "IEND", func(b []byte) []byte { return b })
}

// withChunk puts a chunk behind the IHDR of a PNG.
func withChunk(data []byte, kind, body string) []byte {
	const behind = len(pngSignature) + 25
	out := bytes.Clone(data[:behind])
	out = appendChunk(out, kind, func(b []byte) []byte { return append(b, body...) })
	return append(out, data[behind:]...)
}

// withSegment puts a segment behind the SOI of a JPEG.
func withSegment(data []byte, marker byte, body string) []byte {
	out := append([]byte{0xff, 0xd8, 0xff, marker}, 0, 0)
	binary.BigEndian.PutUint16(out[4:], uint16(2+len(body)))
	out = append(out, body...)
	return append(out, data[2:]...)
}

// exif is a TIFF structure with the entries before it that cameras write, and an orientation.
func exif(order binary.AppendByteOrder, orientation int) string {
	b := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 2)
	entry := func(tag, value uint16) {
		b = order.AppendUint16(order.AppendUint16(b, tag), 3)
		b = order.AppendUint16(order.AppendUint32(b, 1), value)
		b = order.AppendUint16(b, 0)
	}
	entry(0x0100, 99)
	entry(orientationTag, uint16(orientation))
	return string(order.AppendUint32(b, 0))
}

// adam7 writes an interlaced grey PNG with 8 bits: PNG specification, section 8.1.
func adam7(img *image.Gray) []byte {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	var rows bytes.Buffer
	z := zlib.NewWriter(&rows)
	for _, pass := range [][4]int{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}} {
		if pass[0] >= w {
			continue
		}
		for y := pass[1]; y < h; y += pass[3] {
			row := []byte{0}
			for x := pass[0]; x < w; x += pass[2] {
				row = append(row, img.GrayAt(x, y).Y)
			}
			_, _ = z.Write(row) // into memory
		}
	}
	_ = z.Close()
	out := appendChunk([]byte(pngSignature), "IHDR", func(b []byte) []byte {
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, uint32(w)), uint32(h))
		return append(b, 8, 0, 0, 0, 1)
	})
	out = appendChunk(out, "IDAT", func(b []byte) []byte { return append(b, rows.Bytes()...) })
	return appendChunk(out, "IEND", func(b []byte) []byte { return b })
}

// flatJPEG writes a JPEG of size 8n × 8n whose components have one value each. sof is 0xc0 for baseline, 0xc2 for
// progressive, whose extra scans refine nothing: each is one run of empty blocks.
func flatJPEG(sof byte, n int, values []byte, extra int) []byte {
	hv := bytes.Repeat([]byte{0x11}, len(values))
	// Categories 0 to 11 have four bits each.
	categories := append([]byte{0, 0, 0, 12}, make([]byte, 12)...)
	categories = append(categories, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
	w := beginJPEG(sof, image.Pt(8*n, 8*n), hv, categories)
	w.flatBlocks(sof, n*n, values)
	return w.end(extra, n*n)
}

// flatBlocks codes blocks: the first one has values as its levels, and the others do not differ from it.
func (w *jpegWriter) flatBlocks(sof byte, blocks int, values []byte) {
	var bits, held uint
	put := func(v, n uint) {
		bits, held = bits<<n|v, held+n
		for ; held >= 8; held -= 8 {
			b := byte(bits >> (held - 8))
			if w.out = append(w.out, b); b == 0xff {
				w.out = append(w.out, 0)
			}
		}
	}
	for block := range blocks {
		for _, v := range values {
			level := int(v) - 128
			if block > 0 {
				level = 0 // differences
			}
			category := uint(0)
			for category < 11 && (level >= 1<<category || level <= -(1<<category)) {
				category++
			}
			put(category, 4)
			if level < 0 {
				level += 1<<category - 1
			}
			put(uint(level), category)
			if sof != 0xc2 {
				put(0, 1)
			}
		}
	}
	put(0x7f, 7)
}

// photo has more colours than a palette holds, and differs from place to place.
func photo(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetRGBA(x, y, color.RGBA{R: byte(255 * x / w), G: byte(255 * y / h), B: byte(128 + x%16), A: 255})
		}
	}
	return img
}

// decoded reads a result back and checks the promises for every result.
func decoded(t testing.TB, e Encoded) image.Image {
	t.Helper()
	img, format, err := image.Decode(bytes.NewReader(e.Data))
	if err != nil {
		t.Fatalf("the result cannot be decoded: %v", err)
	}
	if want := map[string]storage.Format{"png": storage.PNG, "jpeg": storage.JPEG}[format]; want != e.Format {
		t.Errorf("Format = %d, but the data is %s", e.Format, format)
	}
	if got, want := img.Bounds().Size(), image.Pt(e.Width, e.Height); got != want {
		t.Errorf("the data is %v, but Width and Height say %v", got, want)
	}
	if max(e.Width, e.Height) > MaxStoredPixelsPerSide || len(e.Data) > storage.MaxPictureBytes {
		t.Errorf("%d × %d pixels, %d bytes are over the limits", e.Width, e.Height, len(e.Data))
	}
	return img
}

// near reports whether two colours differ by at most tolerance in each channel, such as JPEG makes them.
func near(a, b color.Color, tolerance int) bool {
	x, y := color.NRGBAModel.Convert(a).(color.NRGBA), color.NRGBAModel.Convert(b).(color.NRGBA)
	for _, d := range []int{int(x.R) - int(y.R), int(x.G) - int(y.G), int(x.B) - int(y.B), int(x.A) - int(y.A)} {
		if d > tolerance || d < -tolerance {
			return false
		}
	}
	return true
}
