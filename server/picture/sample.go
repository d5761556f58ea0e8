package picture

import (
	"encoding/binary"
	"hash/adler32"
	"hash/crc32"
	"math"
	"math/rand/v2"
)

// Bounds of what Sample makes.
const (
	MinSampleBytes = 256
	MaxSampleBytes = 500_000
)

// Sample makes up a PNG of about approxBytes bytes: a grainy gradient between two colours. Equal arguments give equal
// bytes. Every 32 bytes of its coded pixels occur in no sample of another seed, so a search for remains of one
// picture finds nothing of another. It is in stored form: it may be stored without going through a Normalizer.
//
// The size is within 15 % from 600 B to 300 kB; requests outside MinSampleBytes to MaxSampleBytes are brought
// inside. It is meant for development and tests, where a hundred thousand are made at once, and therefore writes
// the file itself, with pixels that are not compressed.
func Sample(seed uint64, approxBytes int) []byte {
	const paletteSize = 16 // four bits a pixel
	const overhead = len(pngSignature) + 25 + 12 + 3*paletteSize + 12 + 11 + 12
	pixels := 2 * (min(max(approxBytes, MinSampleBytes), MaxSampleBytes) - overhead)
	width := int(math.Sqrt(float64(pixels))) &^ 1
	row := 1 + width/2 // filter type and pixels
	height := max(1, pixels/2/row)

	random := rand.New(rand.NewPCG(seed, 0x61766174617264)) //nolint:gosec // unpredictability is of no use here
	out := make([]byte, 0, overhead+row*height+5*(row*height/maxStored+1))
	out = append(out, pngSignature...)
	out = appendChunk(out, "IHDR", func(b []byte) []byte {
		b = binary.BigEndian.AppendUint32(b, uint32(width))
		b = binary.BigEndian.AppendUint32(b, uint32(height))
		return append(b, 4, 3, 0, 0, 0) // four bits, palette; compression, filter and interlace methods 0
	})
	out = appendChunk(out, "PLTE", func(b []byte) []byte {
		from, to := pastel(random.Float64()), pastel(random.Float64())
		for i := range paletteSize {
			t := float64(i) / (paletteSize - 1)
			for c := range from {
				b = append(b, byte(float64(from[c])*(1-t)+float64(to[c])*t))
			}
		}
		return b
	})
	return appendChunk(appendChunk(out, "IDAT", func(b []byte) []byte {
		return appendStored(b, grain(random, width, height))
	}), "IEND", func(b []byte) []byte { return b })
}

// grain returns the rows of a PNG with four bits a pixel. The shade follows the row; two random bits are added to
// each pixel, which makes 128 bits in 32 bytes.
func grain(random *rand.Rand, width, height int) []byte {
	rows := make([]byte, 0, height*(1+width/2))
	for y := range height {
		shade := byte(y * 13 / height)
		shade |= shade << 4
		rows = append(rows, 0) // filter type None
		var bits uint64
		for i := range width / 2 {
			if i%16 == 0 {
				bits = random.Uint64()
			}
			// Shades end at 12 and noise at 3, so that nothing is carried from one pixel into the other.
			rows = append(rows, shade+byte(bits&0x33))
			// The next four random bits: 0x33 and 0xcc take turns.
			if i%2 == 0 {
				bits = bits>>2 | bits<<62
			} else {
				bits = bits>>6 | bits<<58
			}
		}
	}
	return rows
}

// appendChunk appends a PNG chunk whose content is written by body: PNG specification, section 5.3.
func appendChunk(b []byte, kind string, body func([]byte) []byte) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	b = body(append(b, kind...))
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-8))
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[start+4:]))
}

// maxStored is the content of one stored block: RFC 1951 section 3.2.4.
const maxStored = 65535

// appendStored appends data as a zlib stream (RFC 1950) without compressing it.
func appendStored(b, data []byte) []byte {
	sum := adler32.Checksum(data)
	b = append(b, 0x78, 0x01)
	for {
		n := min(len(data), maxStored)
		var final byte
		if n == len(data) {
			final = 1
		}
		b = append(b, final)
		b = binary.LittleEndian.AppendUint16(b, uint16(n))
		b = binary.LittleEndian.AppendUint16(b, ^uint16(n))
		b = append(b, data[:n]...)
		data = data[n:]
		if final == 1 {
			return binary.BigEndian.AppendUint32(b, sum)
		}
	}
}

// pastel returns a friendly colour of the given hue, 0 to 1.
func pastel(hue float64) [3]byte {
	var c [3]byte
	for i := range c {
		wave := math.Cos(2 * math.Pi * (hue - float64(i)/3))
		c[i] = byte(150 + 80*wave)
	}
	return c
}
