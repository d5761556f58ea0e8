// Package picture turns an upload into a picture that is safe to keep and to serve.
//
// PNG, JPEG, GIF and WebP come in, recognised by their content alone. Everything but the pixels stays outside: a picture is
// decoded, made no larger than it is shown anywhere, converted to sRGB, turned upright and encoded anew, so that no text, position,
// thumbnail or trailing archive of the upload can be stored or served.
//
// The package has nothing to do with HTTP, users or stores. It writes no file and fetches nothing.
//
//	header.go (limits) ─► decode ─► rows.go ─► reduce.go ─► colours.go (sRGB) ─► turn.go (upright) ─► encode.go (PNG or JPEG)
//	    │                    ▲
//	    └► format.go ─► pngformat.go, jpegformat.go, gifformat.go, webpformat.go: one file for each format
//
// orientation.go and profiles.go read the metadata that matters; sample.go and portrait.go make pictures up; resize.go makes stored pictures
// smaller.
package picture

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"

	"example.org/avatard/storage"
)

// Limits of uploads and of results.
const (
	// DefaultUploadBytes bounds a picture as uploaded, unless Config says otherwise; it may say up to MostUploadBytes.
	DefaultUploadBytes = 512 << 10
	MostUploadBytes    = 16 << 20
	// DefaultPixels bounds width × height as uploaded, unless Config says otherwise; it may say up to MostPixels.
	DefaultPixels = 12_500_000
	MostPixels    = 100_000_000
	// MaxPixelsPerSide bounds width and height as uploaded. It is also the most that WebP allows.
	MaxPixelsPerSide = 16384
	// MaxStoredPixelsPerSide bounds width and height of the result.
	MaxStoredPixelsPerSide = 1024
	// MaxScans bounds the passes over one progressive JPEG; of a large one there may be fewer, down to 20 from 12.5 million pixels on.
	// Encoders use about ten. Without a bound twenty bytes of upload cost a pass over all pixels, and one upload could keep a
	// core busy for minutes.
	MaxScans = 100
	// scannedPixels bounds passes × pixels of a picture with more than leastScans passes.
	scannedPixels, leastScans = 250_000_000, 20
)

// Errors of Normalize. Compare with errors.Is. The text of an error that wraps one of them is meant for the sender of
// the picture: it says what is wrong with it and repeats neither its content nor the text of a library.
var (
	// ErrUnsupported: not a PNG, JPEG, GIF or WebP, or of a rare kind of them.
	ErrUnsupported = errors.New("picture format is not accepted, accepted are PNG, JPEG, GIF and WebP")
	// ErrTooLarge: more bytes than Config.MaxUploadBytes.
	ErrTooLarge = errors.New("picture has too many bytes")
	// ErrPixels: more pixels than Config.MaxPixels, or wider or higher than MaxPixelsPerSide.
	ErrPixels = errors.New("picture has too many pixels")
	// ErrMemory: decoding would take more memory than one picture may.
	ErrMemory = errors.New("picture takes too much memory to decode")
	// ErrMalformed: begins like an accepted format, but cannot be read to its end.
	ErrMalformed = errors.New("picture is damaged or incomplete")
)

// Encoded is a picture in the form in which it is stored: at most storage.MaxPictureBytes and at most
// MaxStoredPixelsPerSide wide and high, upright, and nothing but pixels.
type Encoded struct {
	Format        storage.Format
	Data          []byte
	Width, Height int
	// Animated means that the upload had more frames. The first one was kept, or of an animated PNG the picture for programs without
	// animations.
	Animated bool
}

// Config configures a Normalizer.
type Config struct {
	// MaxUploadBytes bounds a picture as uploaded, in bytes. 0 = DefaultUploadBytes.
	MaxUploadBytes int
	// MaxPixels bounds width × height of a picture as uploaded. Memory grows with it, see Normalizer.MaxMemory. 0 = DefaultPixels.
	MaxPixels int
}

// Normalizer brings uploaded pictures into their stored form. Its methods may be called concurrently. It does not bound how many
// pictures are worked on at once: its callers do, who know whose pictures they are.
type Normalizer struct {
	cfg Config
}

// New returns a Normalizer. Limits of cfg over MostUploadBytes and MostPixels are lowered to them.
func New(cfg Config) *Normalizer {
	if cfg.MaxUploadBytes <= 0 {
		cfg.MaxUploadBytes = DefaultUploadBytes
	}
	if cfg.MaxPixels <= 0 {
		cfg.MaxPixels = DefaultPixels
	}
	cfg.MaxUploadBytes, cfg.MaxPixels = min(cfg.MaxUploadBytes, MostUploadBytes), min(cfg.MaxPixels, MostPixels)
	return &Normalizer{cfg: cfg}
}

// MaxUploadBytes is the size of the largest picture that is taken, in bytes.
func (n *Normalizer) MaxUploadBytes() int { return n.cfg.MaxUploadBytes }

// MaxMemory is the most memory that one picture may take while it is worked on, in bytes, the upload itself included: 96 MB, and in
// proportion more where Config allows more than 12.5 million pixels.
func (n *Normalizer) MaxMemory() int {
	return max(leastMaxMemory, leastMaxMemory*n.cfg.MaxPixels/DefaultPixels)
}

// leastMaxMemory is enough for every picture of 12.5 million pixels but JPEGs in CMYK, and progressive ones in RGB or with colour at full
// resolution.
const leastMaxMemory = 96_000_000

// Normalize is Open and Upload.Normalize.
func (n *Normalizer) Normalize(ctx context.Context, data []byte) (Encoded, error) {
	u, err := n.Open(data)
	if err != nil {
		return Encoded{}, err
	}
	return u.Normalize(ctx)
}

// Upload is a picture whose header was found acceptable.
type Upload struct {
	upload
	memory int
}

// Open recognises a picture by its content and looks at its header. All limits are enforced here, before a pixel is decoded, and with
// hardly any work. Its errors are those of this package. data is only read, and must not change while the Upload is in use.
func (n *Normalizer) Open(data []byte) (*Upload, error) {
	up, err := open(data, n.cfg)
	if err != nil {
		return nil, err
	}
	u := &Upload{upload: up, memory: len(data) + up.need().total()}
	if u.memory > n.MaxMemory() {
		size := up.dimensions()
		return nil, fmt.Errorf("%w: it is %d × %d%s", ErrMemory, size.X, size.Y, up.memoryReason())
	}
	return u, nil
}

// Memory is the most memory that Normalize takes, in bytes, with the upload itself.
func (u *Upload) Memory() int { return u.memory }

// Normalize returns the stored form of the picture. Its errors are those of this package, the context's, or a fault of this program. A
// context that ends soon stops it.
//
// The result is a PNG when the picture is transparent, or when the source was lossless and has at most 256 colours or is not larger
// as a PNG; else it is a JPEG. Of an animation one frame is kept, see Encoded.
func (u *Upload) Normalize(ctx context.Context) (Encoded, error) {
	return u.within(ctx, MaxStoredPixelsPerSide)
}

// within returns the picture with no side over side, encoded.
func (u *Upload) within(ctx context.Context, side int) (Encoded, error) {
	img, traits, err := u.read(ctx, side)
	if err != nil {
		return Encoded{}, err
	}
	return u.finish(ctx, img, traits)
}

// finish encodes the small picture, which is overwritten.
func (u *Upload) finish(ctx context.Context, img *image.NRGBA, t traits) (Encoded, error) {
	defer wipe(img)
	img = upright(img, orientation(u.exif()))
	defer wipe(img)
	e := encoder{ctx: ctx, limit: storage.MaxPictureBytes}
	out, err := e.encode(img, t)
	out.Animated = u.animated()
	return out, err
}

// read returns the picture with no side over side.
func (u *Upload) read(ctx context.Context, side int) (*image.NRGBA, traits, error) {
	colours := coloursOf(u)
	pixels, err := u.decode(ctx, colours)
	var img *image.NRGBA
	if err == nil {
		defer pixels.wipe()
		img, err = reduce(ctx, pixels, side)
	}
	switch {
	case ctx.Err() != nil:
		if img != nil {
			wipe(img)
		}
		return nil, traits{}, ctx.Err()
	case err != nil:
		return nil, traits{}, decodeError(err)
	}
	colours.convert(img.Pix)
	return img, u.traits(pixels), nil
}

// traits returns the traits of the upload.
func (u *Upload) traits(pixels rows) traits {
	t := traits{lossless: u.lossless(), fineColour: true}
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

// decodeError replaces the text of a decoder's error, which may hold pieces of the upload, with one of ours.
func decodeError(err error) error {
	if errors.Is(err, ErrUnsupported) || errors.Is(err, ErrMalformed) {
		return err
	}
	if _, rare := errors.AsType[jpeg.UnsupportedError](err); rare {
		return fmt.Errorf("%w: of JPEG only baseline and progressive with 8 bits", ErrUnsupported)
	}
	return ErrMalformed
}

// until returns a function that makes a reader fail once ctx has ended.
func until(ctx context.Context) func(io.Reader) io.Reader {
	return func(r io.Reader) io.Reader { return &contextReader{ctx: ctx, r: r} }
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
