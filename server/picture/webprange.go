package picture

import "image"

// fullRange rewrites the result of the VP8 decoder in place so that the rest of Go understands it. VP8 codes luma as 16 to 235 and
// chroma as 16 to 240 (RFC 6386 section 9.2 with ITU-R BT.601), while image.YCbCr means JFIF, which uses all of 0 to 255;
// taken as it is, white comes out as 235 and black as 16. Both use the matrix of BT.601, so that it is enough to stretch the planes.
func fullRange(img image.Image) {
	switch m := img.(type) {
	case *image.YCbCr:
		stretchPlanes(m)
	case *image.NYCbCrA: // alpha is full range already
		stretchPlanes(&m.YCbCr)
	}
}

func stretchPlanes(m *image.YCbCr) {
	var luma, chroma [256]uint8
	for i := range 256 {
		luma[i] = stretched(i-16, 219, 0)
		chroma[i] = stretched(i-128, 224, 128)
	}
	for i, v := range m.Y {
		m.Y[i] = luma[v]
	}
	for i, v := range m.Cb {
		m.Cb[i] = chroma[v]
	}
	for i, v := range m.Cr {
		m.Cr[i] = chroma[v]
	}
}

// stretched returns v × 255 / span + zero, rounded, as a byte.
func stretched(v, span, zero int) uint8 {
	return uint8(min(max((v*255+zero*span+span/2)/span, 0), 255))
}
