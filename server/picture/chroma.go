package picture

import (
	"image"
	"image/color"
)

// putSmoothYCbCr puts row y of an image whose bounds begin at the origin and in which two by two pixels share a sample of colour,
// as in lossy WebP. Each pixel gets a mix of the four samples around it, weighed by their distance, as browsers show it; the sample
// alone makes steps along edges. A JPEG with colours at half the resolution gains nothing by it, since they are halved again for it.
func putSmoothYCbCr(row []byte, img *image.YCbCr, y int) {
	last := image.Pt((img.Rect.Dx()-1)/2, (img.Rect.Dy()-1)/2) // samples
	near, far := y/2*img.CStride, min(max((y-1)/2+y%2, 0), last.Y)*img.CStride
	luma := img.Y[y*img.YStride:]
	for i := 0; i+4 <= len(row); i += 4 {
		x := i / 4
		here, beside := x/2, min(max((x-1)/2+x%2, 0), last.X)
		mix := func(plane []uint8) uint8 {
			return uint8((9*int(plane[near+here]) + 3*int(plane[near+beside]) + 3*int(plane[far+here]) + int(plane[far+beside]) + 8) / 16)
		}
		p := row[i : i+4 : i+4]
		p[0], p[1], p[2] = color.YCbCrToRGB(luma[x], mix(img.Cb), mix(img.Cr))
		p[3] = 0xff
	}
}
