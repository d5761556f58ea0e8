package picture

import (
	"context"
	"errors"
	"image"
)

// A picture that was deleted should not stay in the memory of the process. So the memory into which this package decodes and encodes an
// upload is overwritten after use. The decoders and encoders of other packages keep a few rows of pixels, and windows of some 32 KiB,
// which are out of reach until their memory is used again.

// wipe overwrites the pixels of an image.
func wipe(img image.Image) {
	switch m := img.(type) {
	case *image.Gray:
		clear(m.Pix)
	case *image.Gray16:
		clear(m.Pix)
	case *image.RGBA:
		clear(m.Pix)
	case *image.RGBA64:
		clear(m.Pix)
	case *image.NRGBA:
		clear(m.Pix)
	case *image.NRGBA64:
		clear(m.Pix)
	case *image.CMYK:
		clear(m.Pix)
	case *image.Paletted:
		if m != nil { // too many colours
			clear(m.Pix)
			clear(m.Palette)
		}
	case *image.YCbCr:
		wipePlanes(m)
	case *image.NYCbCrA:
		wipePlanes(&m.YCbCr)
		clear(m.A)
	}
}

func wipePlanes(m *image.YCbCr) {
	clear(m.Y)
	clear(m.Cb)
	clear(m.Cr)
}

// output takes the bytes of an encoder, at most limit and for as long as its context lasts. When it grows, the memory before is
// overwritten.
type output struct {
	ctx   context.Context
	limit int
	bytes []byte
}

// errOutput tells an encoder that its picture takes too many bytes.
var errOutput = errors.New("too many bytes")

// firstOutput is the initial size in bytes, enough for most pictures.
const firstOutput = 64 << 10

func (o *output) Write(p []byte) (int, error) {
	need := len(o.bytes) + len(p)
	if err := o.ctx.Err(); err != nil {
		return 0, err
	}
	if need > o.limit {
		return 0, errOutput
	}
	if need > cap(o.bytes) {
		grown := make([]byte, len(o.bytes), max(2*cap(o.bytes), need, min(firstOutput, o.limit)))
		copy(grown, o.bytes)
		clear(o.bytes)
		o.bytes = grown
	}
	o.bytes = append(o.bytes, p...)
	return len(p), nil
}

// WriteByte is Write for one byte. With it and Flush, package image/jpeg takes no buffer of its own, which nobody would overwrite.
func (o *output) WriteByte(b byte) error {
	if n := len(o.bytes); n < cap(o.bytes) && n < o.limit && n%4096 != 0 { // else Write looks at the context, too
		o.bytes = append(o.bytes, b)
		return nil
	}
	_, err := o.Write([]byte{b})
	return err
}

// Flush does nothing: everything that was written is there.
func (o *output) Flush() error { return nil }

func (o *output) wipe() { clear(o.bytes) }
