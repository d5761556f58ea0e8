package picture

import (
	"errors"
	"image"
	"image/color"
)

// rows are the pixels of a picture from top to bottom.
type rows interface {
	size() image.Point
	// next puts the next row into row: four bytes a pixel, straight alpha, as image.NRGBA has them.
	next(row []byte) error
	// wipe overwrites the memory that holds parts of the picture.
	wipe()
}

// imageRows are the rows of a decoded image. They are converted one by one, so that no copy of the picture is made.
type imageRows struct {
	img image.Image
	put func(row []byte, y int) // y counts from the top of img
	y   int
}

// errImageKind is a fault of this program: decoders make images of the kinds below only.
var errImageKind = errors.New("decoded picture is of an unknown kind")

func newImageRows(img image.Image) (*imageRows, error) {
	r := &imageRows{img: img}
	switch src := img.(type) {
	case *image.Gray:
		r.put = func(row []byte, y int) { putGray(row, src.Pix[y*src.Stride:], 1) }
	case *image.Gray16:
		r.put = func(row []byte, y int) { putGray(row, src.Pix[y*src.Stride:], 2) }
	case *image.NRGBA:
		r.put = func(row []byte, y int) { copy(row, src.Pix[y*src.Stride:]) }
	case *image.RGBA: // the decoders return it for pictures without alpha only
		r.put = func(row []byte, y int) { copy(row, src.Pix[y*src.Stride:]) }
	case *image.NRGBA64:
		r.put = func(row []byte, y int) { highBytes(row, src.Pix[y*src.Stride:]) }
	case *image.RGBA64: // likewise
		r.put = func(row []byte, y int) { highBytes(row, src.Pix[y*src.Stride:]) }
	case *image.Paletted:
		table := straightColours(src.Palette)
		r.put = func(row []byte, y int) {
			for x, index := range src.Pix[y*src.Stride:][:len(row)/4] {
				copy(row[4*x:4*x+4], table[index][:])
			}
		}
	case *image.YCbCr:
		r.put = func(row []byte, y int) { putYCbCr(row, src, y) }
	case *image.NYCbCrA: // WebP with alpha
		r.put = func(row []byte, y int) {
			putSmoothYCbCr(row, &src.YCbCr, y)
			for x, a := range src.A[y*src.AStride:][:len(row)/4] {
				row[4*x+3] = a
			}
		}
	case *image.CMYK:
		r.put = func(row []byte, y int) {
			pix := src.Pix[y*src.Stride:]
			for i := 0; i < len(row); i += 4 {
				row[i], row[i+1], row[i+2] = color.CMYKToRGB(pix[i], pix[i+1], pix[i+2], pix[i+3])
				row[i+3] = 0xff
			}
		}
	default:
		return nil, errImageKind
	}
	return r, nil
}

func (r *imageRows) size() image.Point { return r.img.Bounds().Size() }

func (r *imageRows) next(row []byte) error {
	r.put(row, r.y)
	r.y++
	return nil
}

func (r *imageRows) wipe() { wipe(r.img) }

// putGray puts samples of so many bytes, of which the first counts.
func putGray(row, samples []byte, bytes int) {
	for i := 0; i < len(row); i += 4 {
		v := samples[i/4*bytes]
		row[i], row[i+1], row[i+2], row[i+3] = v, v, v, 0xff
	}
}

// highBytes keeps the first of each two bytes.
func highBytes(dst, src []byte) {
	for i := range dst {
		dst[i] = src[2*i]
	}
}

func straightColours(palette color.Palette) (table [256][4]byte) {
	for i, c := range palette {
		n := color.NRGBAModel.Convert(c).(color.NRGBA)
		table[i] = [4]byte{n.R, n.G, n.B, n.A}
	}
	return table
}

// putYCbCr puts row y of an image whose bounds begin at the origin, as those of decoders do.
func putYCbCr(row []byte, img *image.YCbCr, y int) {
	var shift uint // log2 of the pixels that share a sample of colour, in a row
	switch img.SubsampleRatio {
	case image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420:
		shift = 1
	case image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410:
		shift = 2
	}
	start := img.COffset(img.Rect.Min.X, img.Rect.Min.Y+y)
	luma, cb, cr := img.Y[y*img.YStride:], img.Cb[start:], img.Cr[start:]
	for i := 0; i+4 <= len(row); i += 4 {
		c := i / 4 >> shift
		p := row[i : i+4 : i+4]
		p[0], p[1], p[2] = color.YCbCrToRGB(luma[i/4], cb[c], cr[c])
		p[3] = 0xff
	}
}
