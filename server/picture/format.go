package picture

import (
	"context"
	"image"
)

// format is a kind of picture that is taken.
type format struct {
	// recognises reports whether data begins like a picture of this format.
	recognises func(data []byte) bool
	// open reads the header. Errors that are not of this package count as ErrMalformed.
	open func(data []byte) (upload, error)
}

// formats are all that are taken, each described in a file of its own. Another one is added here, and in the text of ErrUnsupported.
var formats = []*format{&pngFormat, &jpegFormat, &gifFormat, &webpFormat}

// upload is a picture as it was sent, whose header was read. Its methods never fail for broken metadata, since the pixels may be good.
type upload interface {
	// dimensions are width and height of the picture as a whole, in pixels as they are stored.
	dimensions() image.Point
	// check enforces limits of the format itself, beside bytes, width, height and pixels.
	check() error
	// need is the memory that decoding takes at most.
	need() need
	// memoryReason completes the message for a picture that needs too much memory. "" = its size is the reason.
	memoryReason() string
	// exif returns the TIFF structure of the EXIF metadata, nil if there is none.
	exif() []byte
	// animated reports whether there are more frames than the one that is kept.
	animated() bool
	// lossless reports whether the format can keep every pixel as it was. The decoder's result tells whether this picture does.
	lossless() bool
	// space returns the colour space of the picture, and whether it has shades of grey only, and 16 bits a sample; ok is false where the space
	// is sRGB or not known.
	space() (space colourSpace, grey, deep, ok bool)
	// decode returns the pixels. colours converts samples of 16 bits on their way to 8.
	decode(ctx context.Context, colours *colours) (rows, error)
}

// recognise returns the format of a picture by its first bytes, nil when it is not one of formats.
func recognise(data []byte) *format {
	for _, f := range formats {
		if f.recognises(data) {
			return f
		}
	}
	return nil
}
