package picture

import (
	"bytes"
	"image"
	"image/color"
	"slices"
)

// maxPalette is the number of colours a PNG palette holds.
const maxPalette = 256

// paletted returns img with a palette of exactly its colours, or nil when there are too many of them, some are
// half transparent, or img is of a kind that gains nothing.
//
// The palette is sorted. In the order of their appearance, the colours of the first sixteen pixels would be 48 bytes of the uploader's
// choice that stand in the file as they are. The alpha values are in the file as a list of their own: with half transparent colours,
// sorting by colour would leave that list in an order of the uploader's choice, and the other way round. Here the list is one zero, for
// the invisible colour, or empty.
func paletted(img image.Image) *image.Paletted {
	var pix []byte
	switch src := img.(type) {
	case *image.RGBA:
		pix = src.Pix
	case *image.NRGBA:
		pix = src.Pix
	default:
		return nil
	}
	dst := image.NewPaletted(img.Bounds(), nil)
	colours := make([][4]byte, 0, maxPalette) // in the order of their appearance, alpha first
	index := make(map[[4]byte]byte, maxPalette)
	var last [4]byte
	var lastIndex byte
	for i := range dst.Pix {
		c := [4]byte{pix[4*i+3], pix[4*i], pix[4*i+1], pix[4*i+2]}
		if c != last || i == 0 {
			at, known := index[c]
			if !known {
				if len(colours) == maxPalette || c[0] != 0 && c[0] != 255 {
					wipe(dst)
					return nil
				}
				at = byte(len(colours))
				index[c] = at
				colours = append(colours, c)
			}
			last, lastIndex = c, at
		}
		dst.Pix[i] = lastIndex
	}
	sorted := slices.SortedFunc(slices.Values(colours), func(a, b [4]byte) int { return bytes.Compare(a[:], b[:]) })
	var place [maxPalette]byte // of each colour
	dst.Palette = make(color.Palette, len(sorted))
	for i, c := range sorted {
		place[index[c]] = byte(i)
		dst.Palette[i] = color.NRGBA{R: c[1], G: c[2], B: c[3], A: c[0]}
	}
	for i, at := range dst.Pix {
		dst.Pix[i] = place[at]
	}
	return dst
}
