package picture

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
)

// Colour types: PNG specification, table 11.1.
const (
	typeGrey, typeRGB, typeIndexed, typeGreyAlpha, typeRGBA = 0, 2, 3, 4, 6
)

// pngPicture is a PNG of four quarters, of any colour type, depth and interlace method.
type pngPicture struct {
	size       image.Point
	kind       byte
	depth      int
	interlaced bool
	samples    [4][]uint16 // of one pixel in each quarter
	palette    []byte
	trns       []byte
	before     string // chunks before the first IDAT, as made by madeChunk
	between    string // chunks between the first IDAT and the second
	after      string // chunks before IEND
	pieces     int    // number of IDAT chunks, 1 by default
	empty      bool   // empty IDAT chunks before, between and after those with content
}

// madeChunk makes a PNG chunk.
func madeChunk(kind, body string) string {
	return string(appendChunk(nil, kind, func(b []byte) []byte { return append(b, body...) }))
}

// pngEnd is the end of every PNG.
var pngEnd = madeChunk("IEND", "")

func (p pngPicture) encode() []byte {
	method := byte(0)
	if p.interlaced {
		method = 1
	}
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(p.size.X)), uint32(p.size.Y))
	head = append(head, byte(p.depth), p.kind, 0, 0, method)
	out := pngSignature + madeChunk("IHDR", string(head))
	if p.palette != nil {
		out += madeChunk("PLTE", string(p.palette))
	}
	if p.trns != nil {
		out += madeChunk("tRNS", string(p.trns))
	}
	out += p.before
	coded := p.coded()
	pieces := max(1, p.pieces)
	for i := range pieces {
		if p.empty {
			out += madeChunk("IDAT", "")
		}
		out += madeChunk("IDAT", string(coded[len(coded)*i/pieces:len(coded)*(i+1)/pieces]))
		if i == 0 {
			out += p.between
		}
	}
	if p.empty {
		out += madeChunk("IDAT", "")
	}
	return []byte(out + p.after + pngEnd)
}

// coded returns the compressed rows: PNG specification, sections 7.2, 8 and 9.
func (p pngPicture) coded() []byte {
	var out bytes.Buffer
	z := zlib.NewWriter(&out)
	passes := [][4]int{{0, 0, 1, 1}}
	if p.interlaced {
		passes = [][4]int{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}}
	}
	for _, pass := range passes {
		if pass[0] >= p.size.X {
			continue
		}
		for y := pass[1]; y < p.size.Y; y += pass[3] {
			row := []byte{0}
			free := 0 // bits in the last byte
			for x := pass[0]; x < p.size.X; x += pass[2] {
				for _, v := range p.samples[quarter(x, y, p.size)] {
					if p.depth == 16 {
						row = binary.BigEndian.AppendUint16(row, v)
						continue
					}
					if free == 0 {
						row, free = append(row, 0), 8
					}
					free -= p.depth
					row[len(row)-1] |= byte(v) << free
				}
			}
			_, _ = z.Write(row) // into memory
		}
	}
	_ = z.Close()
	return out.Bytes()
}

// pngOfColours returns a PNG of the usual quarters, or of others.
func pngOfColours(kind byte, depth int, q [4]color.NRGBA) pngPicture {
	p := pngPicture{size: image.Pt(24, 16), kind: kind, depth: depth}
	scale := func(v uint8) uint16 {
		if depth == 16 {
			return uint16(v) * 0x101
		}
		return uint16(v) >> (8 - depth)
	}
	for i, c := range q {
		switch kind {
		case typeGrey:
			p.samples[i] = []uint16{scale(c.G)}
		case typeGreyAlpha:
			p.samples[i] = []uint16{scale(c.G), scale(c.A)}
		case typeRGB:
			p.samples[i] = []uint16{scale(c.R), scale(c.G), scale(c.B)}
		case typeRGBA:
			p.samples[i] = []uint16{scale(c.R), scale(c.G), scale(c.B), scale(c.A)}
		case typeIndexed:
			p.samples[i] = []uint16{uint16(i % (1 << depth))}
			p.palette = append(p.palette, c.R, c.G, c.B)
		}
	}
	if kind == typeIndexed && depth == 1 {
		p.palette = p.palette[:6]
	}
	return p
}

// pngKinds are the colour types with their depths.
var pngKinds = []struct {
	kind   byte
	name   string
	depths []int
}{
	{typeGrey, "grey", []int{1, 2, 4, 8, 16}}, {typeRGB, "RGB", []int{8, 16}}, {typeIndexed, "indexed", []int{1, 2, 4, 8}},
	{typeGreyAlpha, "grey with alpha", []int{8, 16}}, {typeRGBA, "RGBA", []int{8, 16}},
}

// pngs gathers PNGs.
type pngs struct{ collection }

// add adds a picture with and without interlacing.
func (c *pngs) add(name string, p pngPicture, q [4]color.NRGBA) {
	seen := func(s *specimen) { s.size, s.quarters = p.size, q }
	c.collection.add(name, p.encode(), seen)
	p.interlaced = true
	c.collection.add(name+", interlaced", p.encode(), seen)
}

// pngSpecimens are all colour types with all depths, with and without interlacing and transparency, in odd sizes.
func pngSpecimens() []specimen {
	c := &pngs{collection{base: specimen{name: "PNG "}}}
	for _, kind := range pngKinds {
		for _, depth := range kind.depths {
			q := pngQuarters(kind.kind, depth)
			p := pngOfColours(kind.kind, depth, q)
			name := fmt.Sprintf("%s of %d bits", kind.name, depth)
			c.add(name, p, q)
			if p.trns = secondSeenThrough(p); p.trns == nil {
				continue
			}
			seeThrough := q
			for i := range seeThrough {
				if q[i] == q[1] {
					seeThrough[i] = nothing
				}
			}
			c.add(name+" with tRNS", p, seeThrough)
		}
	}
	for _, size := range []image.Point{{1, 1}, {2, 3}, {3, 7}, {5, 1}, {1, 9}} {
		p := pngOfColours(typeRGB, 8, [4]color.NRGBA{blue, blue, blue, blue})
		p.size = size
		c.add(fmt.Sprintf("RGB, %d × %d", size.X, size.Y), p, [4]color.NRGBA{blue, blue, blue, blue})
	}
	return c.all
}

// pngQuarters returns quarters that a colour type can show in a depth.
func pngQuarters(kind byte, depth int) [4]color.NRGBA {
	q := vivid
	switch {
	case kind == typeGrey && depth == 1:
		q = [4]color.NRGBA{greys[0], greys[3], greys[3], greys[0]}
	case kind == typeGrey || kind == typeGreyAlpha:
		q = greys
	case depth == 1:
		q = [4]color.NRGBA{red, green, red, green}
	}
	if kind == typeGreyAlpha || kind == typeRGBA {
		q[1].A, q[3] = 128, nothing
	}
	return q
}

// secondSeenThrough returns the content of tRNS that makes the colour of the second quarter transparent; nil for types with alpha.
func secondSeenThrough(p pngPicture) (trns []byte) {
	switch p.kind {
	case typeGrey, typeRGB:
		for _, v := range p.samples[1] {
			trns = binary.BigEndian.AppendUint16(trns, v)
		}
	case typeIndexed:
		trns = []byte{255, 0}
	}
	return trns
}
