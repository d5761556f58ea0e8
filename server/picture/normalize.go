// Package picture turns what somebody uploaded into a picture that is safe to keep and to serve.
//
// PNG, JPEG, GIF and WebP come in, recognised by their content alone. Everything but the pixels stays outside: a picture is
// decoded, made no larger than it is shown anywhere, converted to sRGB, turned upright and encoded anew, so that no text, position,
// thumbnail or trailing archive of the upload can be stored or served.
//
// The package does not know HTTP, users or stores, writes no file and fetches nothing.
//
//	header.go ─► (one of few places) ─► decode ─► rows.go ─► reduce.go ─► colours.go (sRGB) ─► turn.go (upright) ─► encode.go (PNG or JPEG)
//	orientation.go and profiles.go read the metadata that matters; sample.go and portrait.go make pictures up
package picture

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"runtime"

	"avatard/storage"
)

// Limits of what is taken and of what comes out.
const (
	// MaxUploadBytes bounds a picture as uploaded.
	MaxUploadBytes = 512 << 10
	// MaxPixelsPerSide bounds width and height as uploaded.
	MaxPixelsPerSide = 2048
	// MaxStoredPixelsPerSide bounds width and height of the result.
	MaxStoredPixelsPerSide = 1024
	// MaxScans bounds the passes over one progressive JPEG. Encoders use about ten. Without a bound twenty bytes
	// of upload cost a pass over four million pixels, and one upload could keep a core busy for minutes.
	MaxScans = 100
)

// Errors of Normalize. Compare with errors.Is. The text of an error that wraps one of them is meant for whoever
// sent the picture: it says what is wrong with it and repeats neither its content nor the text of a library.
var (
	// ErrUnsupported: not a PNG, JPEG, GIF or WebP, or of a rare kind of them.
	ErrUnsupported = errors.New("picture format is not accepted, accepted are PNG, JPEG, GIF and WebP")
	// ErrTooLarge: more bytes than MaxUploadBytes.
	ErrTooLarge = errors.New("picture has too many bytes")
	// ErrPixels: wider or higher than MaxPixelsPerSide.
	ErrPixels = errors.New("picture has too many pixels")
	// ErrMalformed: begins like an accepted format, but cannot be read to its end.
	ErrMalformed = errors.New("picture is damaged or incomplete")
)

// Encoded is a picture in the form in which it is stored: at most storage.MaxPictureBytes and at most
// MaxStoredPixelsPerSide wide and high, upright, and nothing but pixels.
type Encoded struct {
	Format        storage.Format
	Data          []byte
	Width, Height int
	// Animated tells that the upload had more frames. The first one was kept; of an animated PNG the picture that
	// programs show which know nothing of animations.
	Animated bool
}

// Config configures a Normalizer.
type Config struct {
	// Concurrency is the number of pictures decoded at once; others wait. One may need 120 MB for a moment, so
	// it bounds memory as well. 0 means GOMAXPROCS.
	Concurrency int
}

// Normalizer brings uploaded pictures into their stored form. All callers of a process should share one, since it
// bounds their work together. Its methods may be called concurrently.
type Normalizer struct {
	places chan struct{}
}

// New returns a Normalizer.
func New(cfg Config) *Normalizer {
	n := cfg.Concurrency
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	return &Normalizer{places: make(chan struct{}, n)}
}

// Normalize returns the stored form of an uploaded picture. Its errors are those of this package, the
// context's, or a fault of this program. Byte and pixel limits are checked before anything is decoded and without
// waiting for a place. A context that ends stops the wait, and soon also the decoding.
//
// The result is a PNG when the picture is transparent, or when the source was lossless and has at most 256 colours or is no larger
// as a PNG; else a JPEG.
// Of an animation one frame is kept, see Encoded. data is only read, and not kept.
func (n *Normalizer) Normalize(ctx context.Context, data []byte) (Encoded, error) {
	src, err := check(data)
	if err != nil {
		return Encoded{}, err
	}
	if err := ctx.Err(); err != nil {
		return Encoded{}, err
	}
	select {
	case n.places <- struct{}{}:
		defer func() { <-n.places }()
	case <-ctx.Done():
		return Encoded{}, ctx.Err()
	}
	colours := src.colours()
	pixels, err := src.decode(ctx, colours)
	if err != nil {
		return Encoded{}, err
	}
	img, err := reduce(ctx, pixels, MaxStoredPixelsPerSide)
	traits := src.traits(pixels)
	pixels.wipe()
	if err != nil {
		return Encoded{}, err
	}
	defer wipe(img)
	colours.convert(img.Pix)
	img = upright(img, src.orientation())
	defer wipe(img)
	e := encoder{ctx: ctx, limit: storage.MaxPictureBytes}
	out, err := e.encode(img, traits)
	out.Animated = src.animated()
	return out, err
}

// traits tells what the upload says about how its picture should be kept.
func (s source) traits(pixels rows) traits {
	t := traits{lossless: s.kind == kindPNG || s.kind == kindGIF || s.kind == kindWebP, fineColour: true}
	if from, ok := pixels.(*imageRows); ok {
		switch img := from.img.(type) {
		case *image.YCbCr: // of JPEG and lossy WebP
			t.lossless = false
			t.fineColour = img.SubsampleRatio == image.YCbCrSubsampleRatio444
		case *image.NYCbCrA:
			t.lossless, t.fineColour = false, false
		}
	}
	return t
}

func (s source) decode(ctx context.Context, colours *colours) (rows, error) {
	limited := func(r io.Reader) io.Reader { return &contextReader{ctx: ctx, r: r} }
	var img image.Image
	var err error
	switch s.kind {
	case kindPNG:
		img, err = decodePNG(s.data, limited)
	case kindJPEG:
		img, err = s.decodeJPEG(ctx, limited)
	case kindGIF:
		img, err = decodeGIF(s.data, limited)
	case kindWebP:
		img, err = decodeWebP(s.data, limited)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, decodeError(err)
	}
	if colours.isDeep() {
		return newDeepRows(img, colours)
	}
	return newImageRows(img)
}

// decodeError replaces the text of a decoder, which may hold pieces of the upload, by one of ours.
func decodeError(err error) error {
	if errors.Is(err, ErrUnsupported) || errors.Is(err, ErrMalformed) {
		return err
	}
	var rareJPEG jpeg.UnsupportedError
	var rarePNG png.UnsupportedError
	switch {
	case errors.As(err, &rareJPEG):
		return fmt.Errorf("%w: of JPEG only baseline and progressive with 8 bits", ErrUnsupported)
	case errors.As(err, &rarePNG):
		return fmt.Errorf("%w: of PNG only what its standard defines", ErrUnsupported)
	}
	return ErrMalformed
}

// contextReader fails as soon as its context has ended; decoders read a few kilobytes at a time.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
