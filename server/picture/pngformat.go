package picture

import (
	"bytes"
	"context"
	"image"
)

// pngSignature: PNG specification, section 5.2.
const pngSignature = "\x89PNG\r\n\x1a\n"

var pngFormat = format{
	recognises: func(data []byte) bool { return bytes.HasPrefix(data, []byte(pngSignature)) },
	open: func(data []byte) (upload, error) {
		f, err := readPNG(data)
		return pngUpload{f, data}, err
	},
}

type pngUpload struct {
	pngFile
	data []byte // all of it
}

func (u pngUpload) dimensions() image.Point { return u.size }
func (u pngUpload) check() error            { return nil }

// need is two rows of up to eight bytes a pixel, and one as it comes out; interlaced pictures are put together first.
func (u pngUpload) need() need {
	whole := 0
	if u.interlaced {
		whole = 4 * u.size.X * u.size.Y
	}
	return need{decoding: whole + 24*u.size.X, decoded: whole}
}

func (u pngUpload) memoryReason() string { return "" }
func (u pngUpload) exif() []byte         { return pngChunk(u.data, "eXIf") }
func (u pngUpload) animated() bool       { return pngAnimated(u.data) }
func (u pngUpload) lossless() bool       { return true }

func (u pngUpload) space() (space colourSpace, grey, deep, ok bool) {
	grey, deep = pngGrey(u.data), pngDeep(u.data)
	space, ok = pngColours(u.data, grey)
	return space, grey, deep, ok
}

func (u pngUpload) decode(ctx context.Context, colours *colours) (rows, error) {
	return u.rows(ctx, colours)
}
