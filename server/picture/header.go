package picture

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"

	"avatard/storage"
)

const (
	// pngSignature: PNG specification, section 5.2.
	pngSignature = "\x89PNG\r\n\x1a\n"
	// jpegSignature: SOI and the first byte of the next marker, ITU-T T.81 section B.2.1.
	jpegSignature = "\xff\xd8\xff"
)

// check recognises the format and enforces every limit that the header shows, before a pixel is decoded.
func check(data []byte) (storage.Format, error) {
	if len(data) > MaxUploadBytes {
		return 0, fmt.Errorf("%w: it has %d bytes, limit %d", ErrTooLarge, len(data), MaxUploadBytes)
	}
	var format storage.Format
	var cfg image.Config
	var err error
	switch {
	case bytes.HasPrefix(data, []byte(pngSignature)):
		format = storage.PNG
		cfg, err = png.DecodeConfig(bytes.NewReader(data))
	case bytes.HasPrefix(data, []byte(jpegSignature)):
		format = storage.JPEG
		cfg, err = jpeg.DecodeConfig(bytes.NewReader(data))
	default:
		return 0, ErrUnsupported
	}
	if err != nil {
		return 0, decodeError(err)
	}
	if cfg.Width <= 0 || cfg.Height <= 0 {
		return 0, ErrMalformed
	}
	if cfg.Width > MaxPixelsPerSide || cfg.Height > MaxPixelsPerSide {
		return 0, fmt.Errorf("%w: it is %d × %d, limit %d × %d",
			ErrPixels, cfg.Width, cfg.Height, MaxPixelsPerSide, MaxPixelsPerSide)
	}
	if format == storage.JPEG && scans(data) > MaxScans {
		return 0, fmt.Errorf("%w: of JPEG only such with at most %d scans", ErrUnsupported, MaxScans)
	}
	return format, nil
}

// scans returns an upper bound of the start-of-scan markers in a JPEG. Coded data never holds the two bytes of a
// marker (ITU-T T.81 section B.1.1.5); metadata may by chance, which the distance between MaxScans and what
// encoders do leaves room for.
func scans(data []byte) int {
	return bytes.Count(data, []byte{0xff, 0xda})
}
