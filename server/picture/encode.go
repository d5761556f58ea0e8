package picture

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"math"

	"example.org/avatard/storage"
)

// jpegQuality is where a second encoding of a photograph stays invisible.
const jpegQuality = 90

// A PNG of so many pixels, or of which so many bytes are expected, is compressed hard. At worst that takes 3 µs a byte.
const (
	hardPixels = 128 * 128
	hardBytes  = 96 << 10
)

// traits of an upload decide how its picture is stored.
type traits struct {
	// lossless: the upload had no artefacts of a lossy format. The result has none either where that takes no more bytes.
	lossless bool
	// fineColour: the upload had colour at its full resolution.
	fineColour bool
}

// encoder makes the stored form of one picture. It counts, because encoding is most of the work and must not be done in vain.
type encoder struct {
	ctx   context.Context
	limit int // bytes of the result

	encodings int // begun
	bytes     int // written by them
	sampled   int // written for estimates
}

// tooLargeError tells that a picture takes more bytes than allowed: about so many.
type tooLargeError struct{ bytes int }

func (e tooLargeError) Error() string { return fmt.Sprintf("picture takes about %d bytes", e.bytes) }

// encode writes img in at most e.limit bytes. A picture that does not fit is not refused, since nothing is wrong with it, but made
// smaller.
func (e *encoder) encode(img *image.NRGBA, t traits) (Encoded, error) {
	for {
		size := img.Rect.Size()
		format, data, err := e.choose(img, t)
		if err == nil {
			return Encoded{Format: format, Data: data, Width: size.X, Height: size.Y}, nil
		}
		large, ok := errors.AsType[tooLargeError](err)
		if !ok {
			return Encoded{}, err
		}
		side := max(size.X, size.Y)
		if side == 1 {
			return Encoded{}, fmt.Errorf("encode picture: one pixel takes more than %d bytes", e.limit)
		}
		// Bytes go about with the area; a little less, so that the next try mostly fits.
		factor := min(0.95*math.Sqrt(float64(e.limit)/float64(large.bytes)), 0.9)
		from, err := newImageRows(img)
		if err != nil {
			return Encoded{}, err
		}
		if img, err = reduce(e.ctx, from, max(1, int(float64(side)*factor))); err != nil {
			return Encoded{}, err
		}
		defer wipe(img) // there are few
	}
}

// choose encodes img as PNG or JPEG.
//
// Transparent pictures become PNG, for a background chosen here would be seen on every page of another colour. A lossless upload becomes
// PNG, too, if it has few colours or is not larger as a PNG. The JPEG is encoded first, which takes about the same time for any picture,
// and a PNG that grows larger than it is not encoded to its end.
func (e *encoder) choose(img *image.NRGBA, t traits) (storage.Format, []byte, error) {
	few, plain := simplest(img)
	defer wipe(few)
	if plane, ok := plain.(*image.Gray); ok {
		defer wipe(plane)
	}
	if _, alpha := plain.(*image.NRGBA); alpha {
		if few != nil {
			return e.png(few, e.limit)
		}
		return e.png(img, e.limit)
	}
	if !t.lossless {
		return e.jpeg(plain, t.fineColour)
	}
	_, grey := plain.(*image.Gray)
	if few != nil || grey {
		first := plain
		if few != nil && !(grey && len(few.Palette) > fourBits) {
			first = few
		}
		if format, data, err := e.png(first, e.limit); !isTooLarge(err) {
			return format, data, err
		}
		return e.jpeg(plain, true)
	}
	format, data, err := e.jpeg(plain, true)
	if err != nil && !isTooLarge(err) {
		return 0, nil, err
	}
	limit := e.limit
	if err == nil {
		limit = len(data)
	}
	if pngFormat, smaller, pngErr := e.png(plain, limit); !isTooLarge(pngErr) {
		clear(data)
		return pngFormat, smaller, pngErr
	}
	return format, data, err
}

func isTooLarge(err error) bool {
	_, ok := errors.AsType[tooLargeError](err)
	return ok
}

// png encodes img in at most limit bytes. It does not begin where a part of the picture shows that it would take more.
//
// Compressing hard makes a drawing half as large, but for noise it takes ten times as long and saves a fifth. So only pictures that become
// small are compressed hard.
func (e *encoder) png(img image.Image, limit int) (storage.Format, []byte, error) {
	encoder := png.Encoder{CompressionLevel: png.DefaultCompression}
	if size := img.Bounds().Size(); size.X*size.Y > hardPixels {
		expected := e.estimate(img)
		if expected > limit+limit/8 {
			return 0, nil, tooLargeError{expected}
		}
		if expected > hardBytes {
			encoder.CompressionLevel = png.BestSpeed
		}
	}
	data, err := e.write(limit, func(w io.Writer) error { return encoder.Encode(w, img) })
	if errors.Is(err, errOutput) {
		err = tooLargeError{max(limit+1, e.estimate(img))}
	}
	return storage.PNG, data, err
}

// jpeg encodes img in at most e.limit bytes: with colour at the full resolution where that is wanted and fits.
func (e *encoder) jpeg(img image.Image, fineColour bool) (storage.Format, []byte, error) {
	if rgba, ok := img.(*image.RGBA); ok && fineColour {
		data, err := e.fineJPEG(rgba)
		if !errors.Is(err, errOutput) {
			return storage.JPEG, data, err
		}
	}
	data, err := e.write(e.limit, func(w io.Writer) error { return jpeg.Encode(w, img, &jpeg.Options{Quality: jpegQuality}) })
	if errors.Is(err, errOutput) {
		err = tooLargeError{2 * e.limit}
	}
	return storage.JPEG, data, err
}

// write runs an encoder, whose output is overwritten if it fails.
func (e *encoder) write(limit int, encode func(io.Writer) error) ([]byte, error) {
	out := &output{ctx: e.ctx, limit: limit}
	e.encodings++
	err := encode(out)
	e.bytes += len(out.bytes)
	if err != nil {
		clear(out.bytes)
		return nil, fmt.Errorf("encode picture: %w", err)
	}
	return out.bytes, nil
}

// fourBits are the colours of a palette whose pixels take four bits; with more they take eight, as grey ones do.
const fourBits = 16

// simplest returns img with a palette, nil when it has too many colours, and as the simplest kind of image without one:
// *image.Gray, *image.RGBA, which is opaque, or *image.NRGBA, which is not. The last two share memory with img.
func simplest(img *image.NRGBA) (few *image.Paletted, plain image.Image) {
	opaque, grey := true, true
	for pix := img.Pix; len(pix) >= 4 && opaque; pix = pix[4:] {
		opaque = pix[3] == 0xff
		grey = grey && pix[0] == pix[1] && pix[1] == pix[2]
	}
	few = paletted(img)
	switch {
	case !opaque:
		return few, img
	case grey:
		plane := image.NewGray(img.Rect)
		for i := range plane.Pix {
			plane.Pix[i] = img.Pix[4*i]
		}
		return few, plane
	}
	return few, &image.RGBA{Pix: img.Pix, Stride: img.Stride, Rect: img.Rect}
}
