package picture

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"image"
	"image/color"
	"image/gif"
	"math/rand/v2"
	"testing"
)

// Large pictures in few bytes: those that cost most for the bytes that are sent.

// wideJPEG is a grey picture of any size whose components are sampled as hv says, one byte each. sof is 0xc0 for baseline and 0xc2 for
// progressive, of which so many more scans refine nothing. Every code of it is made of zeros.
func wideJPEG(sof byte, size image.Point, hv []byte, extra int) []byte {
	wide, high, blocks := 1, 1, 0
	for _, b := range hv {
		h, v := int(b>>4), int(b&15)
		wide, high, blocks = max(wide, h), max(high, v), blocks+h*v
	}
	blocks *= ((size.X + 8*wide - 1) / (8 * wide)) * ((size.Y + 8*high - 1) / (8 * high))
	w := beginJPEG(sof, size, hv, append([]byte{1}, make([]byte, 16)...)) // no difference: one bit
	bits := 2 * blocks
	if sof == 0xc2 {
		bits = blocks
	}
	w.out = append(w.out, make([]byte, bits/8+1)...)
	return w.end(extra, blocks)
}

// pngWith is a PNG of any kind whose rows have one filter type and content from fill.
func pngWith(h pngHead, filter byte, fill func(row []byte)) []byte {
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	rowsOf := func(w, high int) {
		row := make([]byte, 1+(w*h.pixelBits()+7)/8)
		for range high {
			row[0] = filter
			fill(row[1:])
			_, _ = z.Write(row) // into memory
		}
	}
	if !h.interlaced {
		rowsOf(h.size.X, h.size.Y)
	} else {
		for _, p := range adam7Passes {
			if w := (h.size.X - p[0] + p[2] - 1) / p[2]; w > 0 {
				rowsOf(w, (h.size.Y-p[1]+p[3]-1)/p[3])
			}
		}
	}
	_ = z.Close()
	out := appendChunk([]byte(pngSignature), "IHDR", func(b []byte) []byte {
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, uint32(h.size.X)), uint32(h.size.Y))
		interlaced := byte(0)
		if h.interlaced {
			interlaced = 1
		}
		return append(b, byte(h.depth), h.colour, 0, 0, interlaced)
	})
	if h.colour == pngPalette {
		out = appendChunk(out, "PLTE", func(b []byte) []byte {
			for i := range 1 << h.depth {
				b = append(b, byte(7*i), byte(5*i), byte(3*i))
			}
			return b
		})
	}
	out = appendChunk(out, "IDAT", func(b []byte) []byte { return append(b, packed.Bytes()...) })
	return appendChunk(out, "IEND", func(b []byte) []byte { return b })
}

// flatRows leave nothing to compress, but an opaque picture and work for the filters.
func flatRows(row []byte) {}

func flatGIF(t testing.TB, size image.Point) []byte {
	t.Helper()
	img := image.NewPaletted(image.Rectangle{Max: size}, color.Palette{color.White, color.NRGBA{}})
	var buf bytes.Buffer
	if err := gif.Encode(&buf, img, nil); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// bitWriter writes the bits of a lossless WebP: RFC 9649 section 3.
type bitWriter struct {
	bytes []byte
	held  uint64
	count uint
}

func (w *bitWriter) put(v uint64, n uint) {
	for w.held, w.count = w.held|v<<w.count, w.count+n; w.count >= 8; w.held, w.count = w.held>>8, w.count-8 {
		w.bytes = append(w.bytes, byte(w.held))
	}
}

// only makes five codes of one symbol each, which take no bits.
func (w *bitWriter) only(green, red, blue, alpha uint64) {
	for _, symbol := range []uint64{green, red, blue, alpha, 0} {
		w.put(1, 1) // simple
		w.put(0, 1) // one symbol
		w.put(1, 1) // of eight bits
		w.put(symbol, 8)
	}
}

// plainWebP is a lossless WebP in one half transparent colour, whose pixels are predicted by everything around them and whose colours are transformed.
func plainWebP(size image.Point, alpha byte) []byte {
	w := newWebP(size)
	for _, kind := range []uint64{0, 1} { // predictor, colour
		w.put(1, 1)
		w.put(kind, 2)
		w.put(0, 3) // blocks of 4 × 4
		w.put(0, 1) // no cache of colours
		w.only(11, 3, 5, 0)
	}
	w.put(1, 1)
	w.put(2, 2) // subtract green
	w.put(0, 1) // no more
	w.put(0, 1) // no cache
	w.put(0, 1) // one group of codes
	w.only(9, 8, 7, uint64(alpha))
	return w.file()
}

func newWebP(size image.Point) *bitWriter {
	w := &bitWriter{}
	w.put(0x2f, 8)
	w.put(uint64(size.X-1), 14)
	w.put(uint64(size.Y-1), 14)
	w.put(1, 1) // alpha
	w.put(0, 3) // version
	return w
}

// file returns the bits as a file.
func (w *bitWriter) file() []byte {
	w.put(0, 7)
	chunk := append([]byte("VP8L"), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(chunk[4:], uint32(len(w.bytes)))
	chunk = append(chunk, w.bytes...)
	if len(chunk)%2 == 1 {
		chunk = append(chunk, 0)
	}
	file := append([]byte("RIFF\x00\x00\x00\x00WEBP"), chunk...)
	binary.LittleEndian.PutUint32(file[4:], uint32(len(file)-8))
	return file
}

// grainy has so many random bits in each sample, which PNG cannot compress away, over a gradient; transparent if alpha is set.
func grainy(w, h int, bits uint, alpha bool) *image.NRGBA {
	random := rand.New(rand.NewPCG(3, 4))
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	mask := uint32(1<<bits - 1)
	for i := 0; i < len(img.Pix); i += 4 {
		n, x, y := random.Uint32(), i/4%w, i/4/w
		img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = byte(uint32(x>>3)+n&mask), byte(uint32(y>>3)+n>>8&mask), byte(uint32((x+y)>>4)+n>>16&mask), 255
		if alpha {
			img.Pix[i+3] = byte(200 + x&31)
		}
	}
	return img
}

// noisyWebP is a lossless WebP with a random bit for each pixel, added to its neighbours, half transparent: 510 kB at 2,040 × 2,040.
func noisyWebP(size image.Point) []byte {
	w := newWebP(size)
	w.put(1, 1)
	w.put(0, 2) // predictor
	w.put(0, 3)
	w.put(0, 1)
	w.only(11, 0, 0, 0)
	w.put(0, 1) // no more transforms
	w.put(0, 1) // no cache
	w.put(0, 1) // one group of codes
	w.put(1, 1)
	w.put(1, 1) // two symbols of green, a bit each
	w.put(1, 1)
	w.put(1, 8)
	w.put(255, 8)
	for _, symbol := range []uint64{0, 0, 0, 0} { // red, blue, alpha, distance
		w.put(1, 1)
		w.put(0, 1)
		w.put(1, 1)
		w.put(symbol, 8)
	}
	random := rand.New(rand.NewPCG(1, 1))
	for range size.X * size.Y / 32 {
		w.put(uint64(random.Uint32()), 32)
	}
	return w.file()
}

// randomBits is a PNG with a random bit in each sample, alpha included. Nothing takes longer to compress.
func randomBits(side int) []byte {
	random := rand.New(rand.NewPCG(6, 4))
	return pngWith(pngHead{image.Pt(side, side), 8, pngColourAlpha, false}, 0, func(row []byte) {
		for i := range row {
			row[i] = 128 + byte(random.Uint32()&1)
		}
	})
}
