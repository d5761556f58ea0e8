package picture

import (
	"bytes"
	"context"
	"image"
)

var gifFormat = format{
	recognises: func(data []byte) bool {
		return bytes.HasPrefix(data, []byte(gifSignatures[0])) || bytes.HasPrefix(data, []byte(gifSignatures[1]))
	},
	open: func(data []byte) (upload, error) {
		f, err := firstGIFFrame(data)
		return gifUpload{f.screen, data}, err
	},
}

type gifUpload struct {
	size image.Point
	data []byte
}

func (u gifUpload) dimensions() image.Point { return u.size }
func (u gifUpload) check() error            { return nil }

// need is a frame, and a canvas where the frame is smaller than the picture.
func (u gifUpload) need() need {
	pixels := u.size.X * u.size.Y
	return need{decoding: 5 * pixels, decoded: 4 * pixels}
}

func (u gifUpload) memoryReason() string { return "" }
func (u gifUpload) exif() []byte         { return nil }
func (u gifUpload) animated() bool       { return gifAnimated(u.data) }
func (u gifUpload) lossless() bool       { return true }

func (u gifUpload) space() (space colourSpace, grey, deep, ok bool) {
	return colourSpace{}, false, false, false
}

func (u gifUpload) decode(ctx context.Context, _ *colours) (rows, error) {
	img, err := decodeGIF(u.data, until(ctx))
	if err != nil {
		return nil, err
	}
	return newImageRows(img)
}
