package server

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"hash/adler32"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"io"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

// The functions below append a square picture of noise to a slice that has room for it. Encoders of the standard library keep what they wrote
// last, so that a search of the process would find it; therefore they are used only where that is little.

// noise returns a square picture of random colours.
func noise(side int, seed uint64) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	random := rand.New(rand.NewPCG(seed, 2))
	for y := range side {
		for x := range side {
			img.SetRGBA(x, y, color.RGBA{R: byte(random.Uint32()), G: byte(random.Uint32()), B: byte(random.Uint32()), A: 255})
		}
	}
	return img
}

func noisyJPEG(t *testing.T, b []byte) []byte {
	return encoded(t, b, func(w io.Writer) error { return jpeg.Encode(w, noise(400, 1), &jpeg.Options{Quality: 95}) })
}

// noisyRGB has three planes that are named red, green and blue.
func noisyRGB(t *testing.T, b []byte) []byte { return noisyPlanes(t, b, "RGB") }

func noisyPlanes(t *testing.T, b []byte, names string) []byte {
	b = encoded(t, b, func(w io.Writer) error { return jpeg.Encode(w, noise(400, 9), &jpeg.Options{Quality: 95}) })
	frame, scan := bytes.Index(b, []byte{0xff, 0xc0}), bytes.Index(b, []byte{0xff, 0xda})
	for i := range 3 {
		b[frame+10+3*i], b[scan+5+2*i] = names[i], names[i]
	}
	return b
}

// planesOfRGB returns the planes of noisyRGB one after the other. The standard library keeps copies of planes of red, green and blue, and so
// it decodes them under other names.
func planesOfRGB(t *testing.T) []byte {
	t.Helper()
	data := noisyPlanes(t, make([]byte, 0, 1<<20), "\x01\x02\x03")
	defer clear(data)
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	planes := img.(*image.YCbCr)
	defer clear(planes.Y)
	defer clear(planes.Cb)
	defer clear(planes.Cr)
	return slices.Concat(planes.Y, planes.Cb, planes.Cr)
}

// noisyGIF has all shades of grey.
func noisyGIF(t *testing.T, b []byte) []byte {
	img := image.NewPaletted(image.Rect(0, 0, 580, 580), nil)
	for i := range 256 {
		img.Palette = append(img.Palette, color.Gray{Y: byte(i)})
	}
	random := rand.New(rand.NewPCG(3, 4))
	for i := range img.Pix {
		img.Pix[i] = byte(random.Uint32())
	}
	defer clear(img.Pix)
	return encoded(t, b, func(w io.Writer) error { return gif.Encode(w, img, nil) })
}

func encoded(t *testing.T, b []byte, encode func(io.Writer) error) []byte {
	t.Helper()
	out := bytes.NewBuffer(b)
	w := bufio.NewWriterSize(out, 512) // else the encoder takes one of 4 KiB
	if err := encode(w); err != nil {
		t.Fatal(err)
	}
	_ = w.Flush()
	w.Reset(io.Discard)
	return out.Bytes()
}

func opaquePNG(_ *testing.T, b []byte) []byte      { return appendPNG(b, 5, 0xff) }
func transparentPNG(_ *testing.T, b []byte) []byte { return appendPNG(b, 6, 0) }

// appendPNG appends pixels that are not compressed, of four bytes each as decoders have them, whose alpha has at least the bits of least.
func appendPNG(b []byte, seed uint64, least byte) []byte {
	const side = 340
	random := rand.New(rand.NewPCG(seed, seed))
	chunk := func(kind string, body func()) {
		start := len(b)
		b = append(append(b, 0, 0, 0, 0), kind...)
		body()
		binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-8))
		b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[start+4:]))
	}
	b = append(b, "\x89PNG\r\n\x1a\n"...)
	chunk("IHDR", func() {
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, side), side)
		b = append(b, 8, 6, 0, 0, 0) // bits of a sample; red, green, blue and alpha
	})
	chunk("IDAT", func() {
		const row = 1 + 4*side
		sum := adler32.New()
		b = append(b, 0x78, 0x01)
		for y := range side { // a stored block each, RFC 1951 section 3.2.4
			b = append(b, byte(y/(side-1)))
			b = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(b, row), ^uint16(row))
			b = append(b, 0) // filter type
			for range side {
				b = binary.LittleEndian.AppendUint32(b, random.Uint32()|uint32(least)<<24)
			}
			_, _ = sum.Write(b[len(b)-row:])
		}
		b = sum.Sum(b)
	})
	chunk("IEND", func() {})
	return b
}

// animatedWebP is a lossless one whose first frame is noise.
func animatedWebP(_ *testing.T, b []byte) []byte {
	const side = 340
	start := len(b)
	b = append(b, "RIFF\x00\x00\x00\x00WEBP"...)
	b = append(b, "VP8X\x0a\x00\x00\x00\x02\x00\x00\x00"...) // with an animation
	b = append(b, byte((side-1)&0xff), (side-1)>>8, 0, byte((side-1)&0xff), (side-1)>>8, 0)
	frame := len(b)
	b = append(b, "ANMF\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	b = append(b, byte((side-1)&0xff), (side-1)>>8, 0, byte((side-1)&0xff), (side-1)>>8, 0, 100, 0, 0, 0)
	stream := len(b)
	b = appendLossless(append(b, "VP8L\x00\x00\x00\x00"...), side)
	for len(b)%2 != start%2 {
		b = append(b, 0)
	}
	for _, at := range []int{start, frame, stream} {
		binary.LittleEndian.PutUint32(b[at+4:], uint32(len(b)-at-8))
	}
	return b
}

// appendLossless appends an opaque picture: RFC 9649 section 3.
func appendLossless(b []byte, side int) []byte {
	var held uint64
	var have int
	put := func(v uint64, n int) {
		for held, have = held|v<<have, have+n; have >= 8; held, have = held>>8, have-8 {
			b = append(b, byte(held))
		}
	}
	single := func(symbol uint64) { // a code of one symbol
		put(1, 1)
		put(0, 1)
		put(1, 1)
		put(symbol, 8)
	}
	put(0x2f, 8)
	put(uint64(side-1), 14)
	put(uint64(side-1), 14)
	put(0, 1+3+1+1+1) // alpha, version, transforms, cache of colours, groups of codes
	for range 3 {     // green, red and blue: 256 codes of 8 bits
		put(0, 1)
		put(12-4, 4)
		put(0, 3*11)
		put(1, 3) // of the lengths there is only 8
		put(1, 1)
		put(3, 3)
		put(256-2, 8)
	}
	single(255) // alpha
	single(0)   // distance
	random := rand.New(rand.NewPCG(7, 8))
	for range side * side {
		put(uint64(bits.Reverse32(random.Uint32())&0xffffff), 24)
	}
	put(0, 7)
	return b
}
