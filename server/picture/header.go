package picture

import (
	"fmt"
	"image"
)

// open recognises the format of a picture and enforces every limit that the header shows, before a pixel is decoded.
func open(data []byte, limits Config) (upload, error) {
	if len(data) > limits.MaxUploadBytes {
		return nil, fmt.Errorf("%w: it has %d bytes, limit %d", ErrTooLarge, len(data), limits.MaxUploadBytes)
	}
	format := recognise(data)
	if format == nil {
		return nil, ErrUnsupported
	}
	up, err := format.open(data)
	if err != nil {
		return nil, decodeError(err)
	}
	if err := checkSize(up.dimensions(), limits); err != nil {
		return nil, err
	}
	if err := up.check(); err != nil {
		return nil, err
	}
	return up, nil
}

func checkSize(size image.Point, limits Config) error {
	switch pixels := size.X * size.Y; {
	case size.X <= 0 || size.Y <= 0:
		return ErrMalformed
	case size.X > MaxPixelsPerSide || size.Y > MaxPixelsPerSide:
		return fmt.Errorf("%w: it is %d × %d, limit %d × %d", ErrPixels, size.X, size.Y, MaxPixelsPerSide, MaxPixelsPerSide)
	case pixels > limits.MaxPixels:
		return fmt.Errorf("%w: it is %d × %d, which is %d pixels, limit %d", ErrPixels, size.X, size.Y, pixels, limits.MaxPixels)
	}
	return nil
}
