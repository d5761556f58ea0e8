package picture

import (
	"encoding/binary"
	"fmt"
	"image"
	"io"
	"slices"
)

// Colour types: PNG specification, section 11.2.1.
const (
	pngGreyType, pngColour, pngPalette, pngGreyAlpha, pngColourAlpha = 0, 2, 3, 4, 6
)

// pngHead is the header of a PNG.
type pngHead struct {
	size       image.Point
	depth      int // bits of a sample
	colour     byte
	interlaced bool
}

// readPNGHead reads the content of an IHDR chunk.
func readPNGHead(ihdr []byte) (h pngHead, err error) {
	w, high := binary.BigEndian.Uint32(ihdr), binary.BigEndian.Uint32(ihdr[4:])
	h = pngHead{depth: int(ihdr[8]), colour: ihdr[9], interlaced: ihdr[12] == 1}
	if w == 0 || high == 0 || w > 1<<31-1 || high > 1<<31-1 || ihdr[12] > 1 {
		return h, ErrMalformed
	}
	h.size = image.Pt(int(w), int(high))
	depths := map[byte][]int{pngGreyType: {1, 2, 4, 8, 16}, pngColour: {8, 16}, pngPalette: {1, 2, 4, 8}, pngGreyAlpha: {8, 16}, pngColourAlpha: {8, 16}}
	if !slices.Contains(depths[h.colour], h.depth) || ihdr[10] != 0 || ihdr[11] != 0 {
		return h, fmt.Errorf("%w: of PNG only what its standard defines", ErrUnsupported)
	}
	return h, nil
}

// pixelBits is the size of a pixel in bits.
func (h pngHead) pixelBits() int {
	return h.depth * map[byte]int{pngGreyType: 1, pngColour: 3, pngPalette: 1, pngGreyAlpha: 2, pngColourAlpha: 4}[h.colour]
}

// rowBytes is the size of all rows of all passes with their filter types: sections 7.2 and 8.
func (h pngHead) rowBytes() int64 {
	size := func(w, high int) int64 {
		if w <= 0 || high <= 0 {
			return 0
		}
		return int64(high) * int64(1+(w*h.pixelBits()+7)/8)
	}
	if !h.interlaced {
		return size(h.size.X, h.size.Y)
	}
	total := int64(0)
	for _, p := range adam7Passes {
		total += size((h.size.X-p[0]+p[2]-1)/p[2], (h.size.Y-p[1]+p[3]-1)/p[3])
	}
	return total
}

// pngRows reads a PNG row by row. The standard library makes a whole image of it, which takes eight bytes a pixel with 16 bits a
// sample and twice as much when it is interlaced; this one keeps two rows.
type pngRows struct {
	pngHead
	from        io.Reader // decompressed
	table       [256][4]byte
	transparent []byte // the grey or colour that is, two bytes a sample; nil = none
	current     []byte // filter type and row
	previous    []byte
	deep        *colours // converts pixels of 16 bits a sample to sRGB; nil = they are sRGB
	wide        []byte   // a row of eight bytes a pixel, for deep
}

// newPNGRows reads the rows of a picture that is not interlaced.
func newPNGRows(f pngFile, from io.Reader) (*pngRows, error) {
	p := &pngRows{pngHead: f.pngHead, from: from}
	switch {
	case f.colour == pngPalette:
		if len(f.palette) == 0 || len(f.palette)%3 != 0 || len(f.palette) > 3*len(p.table) {
			return nil, ErrMalformed
		}
		for i := range p.table { // numbers without a colour are black, as programs have it
			p.table[i][3] = 0xff
			copy(p.table[i][:3], f.palette[min(3*i, len(f.palette)):])
			if i < min(len(f.transparency), len(f.palette)/3) {
				p.table[i][3] = f.transparency[i]
			}
		}
	case f.colour == pngGreyType && len(f.transparency) == 2, f.colour == pngColour && len(f.transparency) == 6:
		p.transparent = f.transparency
	}
	p.setWidth(f.size.X)
	return p, nil
}

// setWidth begins a pass.
func (p *pngRows) setWidth(w int) {
	bytes := 1 + (w*p.pixelBits()+7)/8
	if cap(p.current) < bytes {
		p.wipe()
		p.current, p.previous = make([]byte, bytes), make([]byte, bytes)
	}
	p.current, p.previous = p.current[:bytes], p.previous[:bytes]
	clear(p.previous)
}

func (p *pngRows) size() image.Point { return p.pngHead.size }

func (p *pngRows) wipe() {
	clear(p.current[:cap(p.current)])
	clear(p.previous[:cap(p.previous)])
	clear(p.wide)
}

func (p *pngRows) next(row []byte) error {
	if _, err := io.ReadFull(p.from, p.current); err != nil {
		return err
	}
	if !unfilter(p.current[0], p.current[1:], p.previous[1:], max(1, p.pixelBits()/8)) {
		return ErrMalformed
	}
	if p.deep != nil {
		p.expandDeep(row, p.current[1:])
	} else {
		p.expand(row, p.current[1:])
	}
	p.current, p.previous = p.previous, p.current
	return nil
}

// unfilter brings a row back to what it was: PNG specification, section 9.2. pixel is the distance in bytes to the one on the left.
func unfilter(kind byte, row, above []byte, pixel int) bool {
	above = above[:len(row)]
	switch kind {
	case 0:
	case 1:
		for i := pixel; i < len(row); i++ {
			row[i] += row[i-pixel]
		}
	case 2:
		for i, up := range above {
			row[i] += up
		}
	case 3:
		for i := range min(pixel, len(row)) {
			row[i] += above[i] / 2
		}
		for i := pixel; i < len(row); i++ {
			row[i] += byte((int(row[i-pixel]) + int(above[i])) / 2)
		}
	case 4:
		for i := range min(pixel, len(row)) {
			row[i] += above[i]
		}
		for i := pixel; i < len(row); i++ {
			row[i] += paeth(int(row[i-pixel]), int(above[i]), int(above[i-pixel]))
		}
	default:
		return false
	}
	return true
}

// paeth chooses the neighbour that is nearest to left + up - corner.
func paeth(left, up, corner int) byte {
	toLeft, toUp := up-corner, left-corner
	toCorner := toLeft + toUp
	toLeft, toUp, toCorner = max(toLeft, -toLeft), max(toUp, -toUp), max(toCorner, -toCorner)
	switch {
	case toLeft <= toUp && toLeft <= toCorner:
		return byte(left)
	case toUp <= toCorner:
		return byte(up)
	}
	return byte(corner)
}

// expand writes a row as four bytes a pixel. Of 16 bits the upper ones count.
func (p *pngRows) expand(row, data []byte) {
	step := max(1, p.depth/8) // bytes of a sample
	switch p.colour {
	case pngPalette:
		for i := 0; i+4 <= len(row); i += 4 {
			copy(row[i:i+4], p.table[p.sample(data, i/4)][:])
		}
	case pngGreyType:
		p.expandGrey(row, data)
	case pngColour:
		for i := 0; i+4 <= len(row); i, data = i+4, data[3*step:] {
			row[i], row[i+1], row[i+2], row[i+3] = data[0], data[step], data[2*step], 0xff
			if p.transparent != nil && p.isTransparent(data[:3*step], step) {
				row[i+3] = 0
			}
		}
	case pngGreyAlpha:
		for i := 0; i+4 <= len(row); i, data = i+4, data[2*step:] {
			row[i], row[i+1], row[i+2], row[i+3] = data[0], data[0], data[0], data[step]
		}
	case pngColourAlpha:
		if step == 1 {
			copy(row, data)
		} else {
			highBytes(row, data)
		}
	}
}

func (p *pngRows) expandGrey(row, data []byte) {
	if p.depth >= 8 {
		putGray(row, data, p.depth/8)
	}
	for i := 0; i+4 <= len(row) && (p.depth < 8 || p.transparent != nil); i += 4 {
		if p.depth < 8 {
			v := byte(p.sample(data, i/4) * (0xff / (1<<p.depth - 1)))
			row[i], row[i+1], row[i+2], row[i+3] = v, v, v, 0xff
		}
		if p.transparent == nil {
			continue
		}
		value := p.sample(data, i/4)
		if p.depth == 16 {
			value = int(binary.BigEndian.Uint16(data[i/2:]))
		}
		if value == int(binary.BigEndian.Uint16(p.transparent)) {
			row[i+3] = 0
		}
	}
}

// sample returns sample x of a row with one of 8 bits or less a pixel.
func (p *pngRows) sample(data []byte, x int) int {
	if p.depth >= 8 {
		return int(data[x])
	}
	at := x * p.depth
	return int(data[at/8]>>(8-p.depth-at%8)) & (1<<p.depth - 1)
}

// isTransparent reports whether a colour is the transparent one. With 8 bits a sample only the lower byte of each counts.
func (p *pngRows) isTransparent(colour []byte, step int) bool {
	for c := range 3 {
		if step == 2 && colour[2*c] != p.transparent[2*c] || colour[step*c+step-1] != p.transparent[2*c+1] {
			return false
		}
	}
	return true
}

// expandDeep brings a row of 16 bits a sample into sRGB.
func (p *pngRows) expandDeep(row, data []byte) {
	p.expand(row, data)
	if p.colour == pngColourAlpha {
		p.deep.convertDeep(row, data)
		return
	}
	samples, last := p.pixelBits()/16, 0 // of a pixel, and of its colour
	if p.colour == pngColour {
		last = 2
	}
	if need := 2 * len(row); len(p.wide) < need {
		p.wide = make([]byte, need)
	}
	for i := 0; i+4 <= len(row); i, data = i+4, data[2*samples:] {
		pixel := p.wide[2*i : 2*i+8]
		for c := range 3 {
			copy(pixel[2*c:2*c+2], data[2*min(c, last):])
		}
		pixel[6] = row[i+3]
	}
	p.deep.convertDeep(row, p.wide)
}
