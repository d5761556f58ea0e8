package picture

import (
	"bytes"
	"fmt"
	"image"
)

const (
	// pngSignature: PNG specification, section 5.2.
	pngSignature = "\x89PNG\r\n\x1a\n"
	// jpegSignature: SOI and the first byte of the next marker, ITU-T T.81 section B.2.1.
	jpegSignature = "\xff\xd8\xff"
)

// kind is the format of an upload.
type kind int

const (
	kindPNG kind = iota + 1
	kindJPEG
	kindGIF
	kindWebP
)

// recognise names the format by the first bytes, 0 when it is none that is taken.
func recognise(data []byte) kind {
	switch {
	case bytes.HasPrefix(data, []byte(pngSignature)):
		return kindPNG
	case bytes.HasPrefix(data, []byte(jpegSignature)):
		return kindJPEG
	case bytes.HasPrefix(data, []byte(gifSignatures[0])), bytes.HasPrefix(data, []byte(gifSignatures[1])):
		return kindGIF
	case isWebP(data):
		return kindWebP
	}
	return 0
}

// source is an upload whose header was found acceptable.
type source struct {
	kind kind
	data []byte
	size image.Point
	jpeg jpegFrame // of a JPEG
	png  pngFile   // of a PNG
	webp int       // bytes that the lossless parts of a WebP take until they are decoded
}

// check recognises the format and enforces every limit that the header shows, before a pixel is decoded.
func check(data []byte, limits Config) (source, error) {
	if len(data) > limits.MaxUploadBytes {
		return source{}, fmt.Errorf("%w: it has %d bytes, limit %d", ErrTooLarge, len(data), limits.MaxUploadBytes)
	}
	src := source{kind: recognise(data), data: data}
	var cfg image.Config
	var err error
	switch src.kind {
	case kindPNG:
		src.png, err = readPNG(data)
		cfg = image.Config{Width: src.png.size.X, Height: src.png.size.Y}
	case kindJPEG:
		src.jpeg, err = readJPEGFrame(data)
		cfg = image.Config{Width: src.jpeg.size.X, Height: src.jpeg.size.Y}
	case kindGIF:
		cfg, err = gifConfig(data)
	case kindWebP:
		cfg, err = webpConfig(data)
	default:
		return source{}, ErrUnsupported
	}
	if err != nil {
		return source{}, decodeError(err)
	}
	if cfg.Width <= 0 || cfg.Height <= 0 {
		return source{}, ErrMalformed
	}
	if cfg.Width > MaxPixelsPerSide || cfg.Height > MaxPixelsPerSide {
		return source{}, fmt.Errorf("%w: it is %d × %d, limit %d × %d",
			ErrPixels, cfg.Width, cfg.Height, MaxPixelsPerSide, MaxPixelsPerSide)
	}
	if pixels := cfg.Width * cfg.Height; pixels > limits.MaxPixels {
		return source{}, fmt.Errorf("%w: it is %d × %d, which is %d pixels, limit %d", ErrPixels, cfg.Width, cfg.Height, pixels, limits.MaxPixels)
	}
	if most := maxScans(cfg.Width * cfg.Height); src.kind == kindJPEG && (src.jpeg.scans > most || scans(data) > MaxScans) {
		return source{}, fmt.Errorf("%w: of JPEG only such with at most %d scans, or %d of this size", ErrUnsupported, MaxScans, most)
	}
	src.size = image.Pt(cfg.Width, cfg.Height)
	if src.kind == kindWebP {
		if src.webp, err = webpMemory(data, src.size); err != nil {
			return source{}, err
		}
	}
	return src, nil
}

// animated reports whether the upload has more frames than the one that is kept.
func (s source) animated() bool {
	switch s.kind {
	case kindPNG:
		return pngAnimated(s.data)
	case kindGIF:
		return gifAnimated(s.data)
	case kindWebP:
		return webpAnimated(s.data)
	}
	return false
}

// maxScans is how many passes over so many pixels are allowed.
func maxScans(pixels int) int {
	return min(max(scannedPixels/max(1, pixels), leastScans), MaxScans)
}

// scans returns an upper bound of the start-of-scan markers in a JPEG. Coded data never holds the two bytes of a
// marker (ITU-T T.81 section B.1.1.5); metadata may by chance, which the distance between MaxScans and what
// encoders do leaves room for.
func scans(data []byte) int {
	return bytes.Count(data, []byte{0xff, 0xda})
}
