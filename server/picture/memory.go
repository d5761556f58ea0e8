package picture

import "fmt"

// resultBytes are what a picture takes from when it is reduced until it is encoded: the pixels in two positions, planes of colour, the
// encoder and what it writes.
const resultBytes = 24 << 20

// need is what a picture takes at most, in bytes, beside the upload. It follows from the header and from what the decoders make.
type need struct {
	decoding int // until it is decoded
	decoded  int // for what came of it
}

// smallBytes are tables and windows of decoders, and what else has a fixed size.
const smallBytes = 256 << 10

// total is the most at any time.
func (n need) total() int { return max(n.decoding, n.decoded+resultBytes) + smallBytes }

func (s source) need() need {
	pixels := s.size.X * s.size.Y
	switch s.kind {
	case kindPNG:
		whole := 0
		if s.png.interlaced {
			whole = 4 * pixels
		}
		return need{decoding: whole + 24*s.size.X, decoded: whole} // two rows of up to eight bytes a pixel, and one as it comes out
	case kindJPEG:
		return s.jpeg.need()
	case kindGIF: // a frame, on a canvas if it is smaller
		return need{decoding: 5 * pixels, decoded: 4 * pixels}
	}
	// WebP: NRGBA, beside which indices into a palette may stand, or what its bit stream says; and a canvas, on which the frame of an
	// animation is put.
	n := need{decoding: max(6*pixels, s.webp), decoded: 4 * pixels}
	if _, animated, _ := webpCanvas(s.data); animated {
		n.decoding += 4 * pixels
	}
	return n
}

// need is one byte a sample. For a progressive picture image/jpeg takes four more for its coefficients, and four bytes a
// pixel to bring four components, or red, green and blue, together. What is decoded here takes two for coefficients and the four in any case.
func (f *jpegFrame) need() need {
	samples := 0
	for _, c := range f.components {
		samples += 64 * c.across * c.down
	}
	n := need{decoding: samples, decoded: samples}
	coefficients := 4 * samples
	if !f.common() {
		coefficients = 2 * samples
	}
	if f.progressive {
		n.decoding += coefficients
	}
	if count := len(f.components); count == 4 || !f.common() || count == 3 && (f.adobe == 0 || f.components[0].id == 'R') {
		n.decoded = 4 * f.size.X * f.size.Y
		n.decoding += n.decoded
	}
	return n
}

// memoryError says what of the picture takes so much.
func (s source) memoryError() error {
	why := ""
	if s.kind == kindJPEG {
		switch {
		case s.jpeg.progressive:
			why = ", which a progressive JPEG with colour at this resolution does; a baseline JPEG of it takes less"
		case !s.jpeg.common():
			why = ", which a JPEG with unusual chroma subsampling does; one with 4:2:0 takes less"
		default:
			why = ", which a JPEG of this size in CMYK or RGB does; one in YCbCr takes less"
		}
	}
	if s.kind == kindWebP && s.webp > 6*s.size.X*s.size.Y {
		why = ", and the prefix codes of its lossless WebP take much; one that is encoded with a lower effort, or as PNG, takes less"
	}
	return fmt.Errorf("%w: it is %d × %d%s", ErrMemory, s.size.X, s.size.Y, why)
}
