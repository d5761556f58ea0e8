package picture

import (
	"image"
	"image/gif"
	"io"
)

// gifSignatures: GIF89a specification, section 17.
var gifSignatures = [...]string{"GIF87a", "GIF89a"}

// decodeGIF decodes the first frame, on a canvas of the whole picture's size.
func decodeGIF(r io.Reader, size image.Point) (image.Image, error) {
	img, err := gif.Decode(r)
	if err != nil {
		return nil, err
	}
	return onCanvas(img, img.Bounds(), size), nil
}

// gifAnimated reports whether a GIF has more than one frame. It walks the blocks without decoding them.
func gifAnimated(data []byte) bool {
	const (
		screenBytes, imageBytes = 13, 10
		extension, frame        = 0x21, 0x2c
	)
	if len(data) < screenBytes {
		return false
	}
	rest := skipColours(data[screenBytes:], data[10])
	for frames := 0; len(rest) > 0; {
		switch rest[0] {
		case extension:
			rest = skipBlocks(rest[min(len(rest), 2):])
		case frame:
			if frames++; frames > 1 {
				return true
			}
			if len(rest) < imageBytes {
				return false
			}
			rest = skipColours(rest[imageBytes:], rest[imageBytes-1])
			rest = skipBlocks(rest[min(len(rest), 1):]) // behind the code size
		default:
			return false
		}
	}
	return false
}

// skipColours skips the colour table that flags announce: 3 × 2^(n+1) bytes.
func skipColours(data []byte, flags byte) []byte {
	if flags&0x80 == 0 {
		return data
	}
	return data[min(len(data), 3<<(flags&7+1)):]
}

// skipBlocks skips sub-blocks up to and with the empty one.
func skipBlocks(data []byte) []byte {
	for len(data) > 0 {
		size := int(data[0])
		data = data[min(len(data), 1+size):]
		if size == 0 {
			break
		}
	}
	return data
}
