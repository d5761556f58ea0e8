package picture

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"strings"
)

// jpegSignature: SOI and the first byte of the next marker, ITU-T T.81 section B.2.1.
const jpegSignature = "\xff\xd8\xff"

var jpegFormat = format{
	recognises: func(data []byte) bool { return bytes.HasPrefix(data, []byte(jpegSignature)) },
	open: func(data []byte) (upload, error) {
		f, err := readJPEGFrame(data)
		return &jpegUpload{f, data}, err
	},
}

type jpegUpload struct {
	jpegFrame
	data []byte // all of it
}

func (u *jpegUpload) dimensions() image.Point { return u.size }

// check bounds the passes over the pixels.
func (u *jpegUpload) check() error {
	if most := maxScans(u.size.X * u.size.Y); u.scans > most || scans(u.data) > MaxScans {
		return fmt.Errorf("%w: of JPEG only such with at most %d scans, or %d of this size", ErrUnsupported, MaxScans, most)
	}
	return nil
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

// need is one byte a sample, two more for the coefficients of a progressive picture, and four bytes a pixel to bring four components, or
// red, green and blue, or unusually sampled ones together.
func (u *jpegUpload) need() need {
	samples := 0
	for _, c := range u.components {
		samples += 64 * c.across * c.down
	}
	n := need{decoding: samples, decoded: samples}
	if u.progressive {
		n.decoding += 2 * samples
	}
	if _, planes := u.sampling(); !planes && len(u.components) > 1 {
		n.decoded = 4 * u.size.X * u.size.Y
		n.decoding += n.decoded
	}
	return n
}

func (u *jpegUpload) memoryReason() string {
	switch {
	case u.progressive:
		return ", which a progressive JPEG with colour at this resolution does; a baseline JPEG of it takes less"
	case len(u.components) == 3 && !u.isRGB():
		return ", which a JPEG with unusual chroma subsampling does; one with 4:2:0 takes less"
	}
	return ", which a JPEG of this size in CMYK or RGB does; one in YCbCr takes less"
}

func (u *jpegUpload) exif() []byte   { return jpegEXIF(u.data) }
func (u *jpegUpload) animated() bool { return false }
func (u *jpegUpload) lossless() bool { return false }

// space does not look at profiles of four inks, since none of a kind that is understood exists: the plain formula converts them.
func (u *jpegUpload) space() (space colourSpace, grey, deep, ok bool) {
	components, profile := jpegProfile(u.data)
	grey = components == 1
	space, ok = profileFor(profile, grey)
	return space, grey, false, ok && components <= 3
}

func (u *jpegUpload) decode(ctx context.Context, _ *colours) (rows, error) {
	img, err := u.image(ctx)
	if err != nil {
		return nil, err
	}
	return newImageRows(img)
}

// image decodes with image/jpeg what that package decodes right into the planes of its picture, which are overwritten after use, and
// everything else with ownJPEG. A picture without its end is taken if all of its pixels are there.
func (u *jpegUpload) image(ctx context.Context) (image.Image, error) {
	if u.direct() {
		limited := until(ctx)
		start, rest, end := bytes.NewReader(u.data[:2]), bytes.NewReader(u.data[2:]), strings.NewReader("\xff\xd9")
		if u.codes {
			return jpeg.Decode(limited(io.MultiReader(start, rest, end)))
		}
		return jpeg.Decode(limited(io.MultiReader(start, bytes.NewReader(usualTables()), rest, end)))
	}
	return (&ownJPEG{jpegFrame: u.jpegFrame, ctx: ctx}).decode(u.data)
}
