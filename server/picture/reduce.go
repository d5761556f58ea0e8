package picture

import (
	"context"
	"image"
)

// rowsAtOnce is how many rows are worked on between two looks at the context.
const rowsAtOnce = 16

// reducedSize returns size with its longest side at most side.
func reducedSize(size image.Point, side int) image.Point {
	long := max(size.X, size.Y)
	if long <= side {
		return size
	}
	return image.Pt(max(1, (size.X*side+long/2)/long), max(1, (size.Y*side+long/2)/long))
}

// reduce reads a picture into an image whose longest side is at most side. It visits each row once.
//
// Each pixel of the result is the mean of the area that it covers, exact to the last bit: a filter that looks at a few neighbours
// leaves pixels out as soon as it shrinks by more than two, and one that looks at more of them costs several times as much.
// Colours count by their alpha, so that the colour of an invisible pixel does not bleed into its neighbours. Invisible pixels have
// no colour afterwards: image editors keep there the colours of parts that were erased.
func reduce(ctx context.Context, from rows, side int) (*image.NRGBA, error) {
	size := from.size()
	dst := image.NewNRGBA(image.Rectangle{Max: reducedSize(size, side)})
	a := newAreas(size, dst)
	defer a.wipe()
	for y := range size.Y {
		if y%rowsAtOnce == 0 && ctx.Err() != nil {
			wipe(dst)
			return nil, ctx.Err()
		}
		row := a.row
		if a.whole {
			row = dst.Pix[y*dst.Stride:][:dst.Stride]
		}
		if err := from.next(row); err != nil {
			wipe(dst)
			return nil, err
		}
		if a.whole {
			clearInvisible(row)
		} else {
			a.add(row)
		}
	}
	return dst, nil
}

func clearInvisible(row []byte) {
	for i := 0; i < len(row); i += 4 {
		if row[i+3] == 0 {
			clear(row[i : i+3])
		}
	}
}

// areas sums pixels up by the pixel of the result that they belong to. Lengths are counted in parts so that those of both sides
// are whole: of the width, a source pixel has as many as there are pixels in a row of the result, and one of the result
// as many as in a row of the source. So a source pixel belongs to two of the result at most. The sums of a row, 2³⁰ at most, fit into
// 32 bits as long as the source has no side over 2¹⁴, those of an area into 64.
type areas struct {
	dst   *image.NRGBA
	size  image.Point // of the source
	whole bool        // nothing is to be summed up

	row    []byte   // of the source
	across []uint32 // of its pixels
	sums   []uint64 // of the row of the result that is being made
	left   int      // what is still to come of that one
	y      int      // which it is
}

func newAreas(size image.Point, dst *image.NRGBA) *areas {
	a := &areas{dst: dst, size: size, whole: dst.Rect.Max == size}
	if !a.whole {
		a.row = make([]byte, 4*size.X)
		a.across, a.sums = make([]uint32, 4*dst.Rect.Max.X), make([]uint64, 4*dst.Rect.Max.X)
		a.left = size.Y
	}
	return a
}

func (a *areas) wipe() {
	clear(a.row)
	clear(a.across)
	clear(a.sums)
}

// add counts a row of the source in.
func (a *areas) add(row []byte) {
	a.sumAcross(row)
	high := a.dst.Rect.Max.Y // of a source row, in parts
	if high < a.left {
		a.sumDown(high)
		a.left -= high
		return
	}
	a.sumDown(a.left)
	rest := high - a.left
	a.put()
	clear(a.sums)
	a.sumDown(rest)
	a.left = a.size.Y - rest
}

// sumAcross sums the row up. Colours are multiplied with their alpha.
func (a *areas) sumAcross(row []byte) {
	wide := uint32(a.dst.Rect.Max.X) // of a source pixel, in parts
	area := uint32(a.size.X)
	left := area
	var r, g, b, alpha uint32
	out := a.across
	for len(row) >= 4 {
		pa := uint32(row[3])
		pr, pg, pb := uint32(row[0])*pa, uint32(row[1])*pa, uint32(row[2])*pa
		row = row[4:]
		part := min(wide, left)
		r, g, b, alpha = r+pr*part, g+pg*part, b+pb*part, alpha+pa*part
		if left -= part; left > 0 {
			continue
		}
		out[0], out[1], out[2], out[3] = r, g, b, alpha
		out = out[4:]
		part = wide - part
		r, g, b, alpha = pr*part, pg*part, pb*part, pa*part
		left = area - part
	}
}

func (a *areas) sumDown(part int) {
	weight := uint64(part)
	sums := a.sums
	for i, v := range a.across[:len(sums)] {
		sums[i] += uint64(v) * weight
	}
}

// put writes the row of the result that is complete.
func (a *areas) put() {
	total := uint64(a.size.X) * uint64(a.size.Y)
	row := a.dst.Pix[a.y*a.dst.Stride:]
	for i := 0; i < len(a.sums); i += 4 {
		weight := a.sums[i+3]
		alpha := (weight + total/2) / total
		if alpha == 0 {
			continue
		}
		for c := i; c < i+3; c++ {
			row[c] = byte((a.sums[c] + weight/2) / weight)
		}
		row[i+3] = byte(alpha)
	}
	a.y++
}
