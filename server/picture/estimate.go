package picture

import (
	"image"
	"image/png"
	"slices"
)

// A sample is one run of rows in each bandStep.
const (
	bandRows = 16
	bandStep = 128
)

// estimate returns about how many bytes a PNG of img takes when it is not compressed hard, by an eighth of its rows.
func (e *encoder) estimate(img image.Image) int {
	high := img.Bounds().Dy()
	sample, sampled := bands(img)
	defer wipe(sample)
	var out counter
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	_ = encoder.Encode(&out, sample) // a counter takes everything
	e.sampled += int(out)
	return int(float64(out) * float64(high) / float64(sampled))
}

// counter counts what is written.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// bands returns the rows of a sample as an image of the same kind, and how many they are.
func bands(img image.Image) (sample image.Image, count int) {
	high := img.Bounds().Dy()
	for y := 0; y < high; y += bandStep {
		count += min(bandRows, high-y)
	}
	size := image.Rect(0, 0, img.Bounds().Dx(), count)
	take := func(dst, src []byte, stride int) {
		for y := 0; y < high; y += bandStep {
			dst = dst[copy(dst, src[y*stride:min(y+bandRows, high)*stride]):]
		}
	}
	switch src := img.(type) {
	case *image.Paletted:
		dst := image.NewPaletted(size, slices.Clone(src.Palette))
		take(dst.Pix, src.Pix, src.Stride)
		return dst, count
	case *image.Gray:
		dst := image.NewGray(size)
		take(dst.Pix, src.Pix, src.Stride)
		return dst, count
	case *image.RGBA:
		dst := image.NewRGBA(size)
		take(dst.Pix, src.Pix, src.Stride)
		return dst, count
	case *image.NRGBA:
		dst := image.NewNRGBA(size)
		take(dst.Pix, src.Pix, src.Stride)
		return dst, count
	}
	return img, high
}
