package picture

import (
	"image"
	"image/color"

	"golang.org/x/image/draw"
)

// The steps from here on know four kinds of images, and the kind tells what is in it: *image.Gray and *image.YCbCr
// have no alpha, *image.RGBA is opaque, *image.NRGBA has at least one pixel that is not.

// flatten returns img as one of the four kinds, with 8 bits a channel. It may share memory with img.
func flatten(img image.Image) image.Image {
	bounds := img.Bounds()
	switch src := img.(type) {
	case *image.Gray, *image.YCbCr:
		return src
	case *image.Gray16:
		dst := image.NewGray(bounds)
		highBytes(dst.Pix, src.Pix)
		return dst
	case *image.RGBA: // the decoders return it for pictures without alpha only
		return src
	case *image.RGBA64: // likewise
		dst := image.NewRGBA(bounds)
		highBytes(dst.Pix, src.Pix)
		return dst
	case *image.NRGBA:
		return opaqueAsRGBA(src)
	case *image.NRGBA64:
		dst := image.NewNRGBA(bounds)
		highBytes(dst.Pix, src.Pix)
		return opaqueAsRGBA(dst)
	case *image.Paletted:
		return opaqueAsRGBA(expand(src))
	case *image.NYCbCrA: // WebP with alpha
		return opaqueAsRGBA(withAlpha(src))
	}
	dst := image.NewRGBA(bounds) // CMYK, which image/draw has its own code for
	draw.Draw(dst, bounds, img, bounds.Min, draw.Src)
	return dst
}

// highBytes keeps the first of each two bytes.
func highBytes(dst, src []byte) {
	for i := range dst {
		dst[i] = src[2*i]
	}
}

// opaqueAsRGBA tells by the kind of its result whether img has alpha. Invisible pixels lose their colour: image
// editors keep there what somebody meant to remove.
func opaqueAsRGBA(img *image.NRGBA) image.Image {
	if img.Opaque() {
		return &image.RGBA{Pix: img.Pix, Stride: img.Stride, Rect: img.Rect}
	}
	for i := 0; i < len(img.Pix); i += 4 {
		if img.Pix[i+3] == 0 {
			clear(img.Pix[i : i+3])
		}
	}
	return img
}

// expand looks the pixels of img up in its palette. The decoder refuses indices that are not in it.
func expand(img *image.Paletted) *image.NRGBA {
	var table [256][4]byte
	for i, c := range img.Palette {
		n := color.NRGBAModel.Convert(c).(color.NRGBA)
		table[i] = [4]byte{n.R, n.G, n.B, n.A}
	}
	dst := image.NewNRGBA(img.Rect)
	for y := range img.Rect.Dy() {
		row := dst.Pix[y*dst.Stride:]
		for x, index := range img.Pix[y*img.Stride:][:img.Rect.Dx()] {
			copy(row[4*x:], table[index][:])
		}
	}
	return dst
}

// withAlpha converts to straight alpha; image/draw would multiply it in and lose the colours' precision.
func withAlpha(img *image.NYCbCrA) *image.NRGBA {
	size := img.Rect.Size()
	dst := image.NewNRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		for x := range size.X {
			from := image.Pt(img.Rect.Min.X+x, img.Rect.Min.Y+y)
			luma, chroma := img.YOffset(from.X, from.Y), img.COffset(from.X, from.Y)
			to := dst.Pix[y*dst.Stride+4*x:]
			to[0], to[1], to[2] = color.YCbCrToRGB(img.Y[luma], img.Cb[chroma], img.Cr[chroma])
			to[3] = img.A[img.AOffset(from.X, from.Y)]
		}
	}
	return dst
}

func hasAlpha(img image.Image) bool {
	_, ok := img.(*image.NRGBA)
	return ok
}

// shrink returns img with its longest side no longer than side; a smaller one as it is.
//
// Bilinear interpolation looks at four neighbours, which is enough here: the limit on uploads means that no step
// shrinks by more than a little over two. A cubic kernel would be somewhat crisper, but takes seven times as long
// and 64 MiB of floating point numbers for one large picture.
func shrink(img image.Image, side int) image.Image {
	bounds := img.Bounds()
	w, h := bounds.Dx(), bounds.Dy()
	long := max(w, h)
	if long <= side {
		return img
	}
	w, h = max(1, (w*side+long/2)/long), max(1, (h*side+long/2)/long)
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.ApproxBiLinear.Scale(dst, dst.Rect, img, bounds, draw.Src, nil)
	switch img.(type) {
	case *image.Gray:
		gray := image.NewGray(dst.Rect)
		for i := range gray.Pix {
			gray.Pix[i] = dst.Pix[4*i]
		}
		wipe(dst)
		return gray
	case *image.NRGBA:
		return straight(dst)
	}
	return dst
}

// straight divides the colours by their alpha. Scaling multiplies them, so that the colour of an invisible pixel
// does not bleed into its neighbours.
func straight(img *image.RGBA) *image.NRGBA {
	pix := img.Pix
	for i := 0; i < len(pix); i += 4 {
		if a := int(pix[i+3]); a != 0 && a != 255 {
			for c := i; c < i+3; c++ {
				pix[c] = byte(min(255, (int(pix[c])*255+a/2)/a))
			}
		}
	}
	return &image.NRGBA{Pix: pix, Stride: img.Stride, Rect: img.Rect}
}

// upright applies an EXIF orientation.
func upright(img image.Image, orientation int) image.Image {
	if orientation == 1 {
		return img
	}
	size := img.Bounds().Size()
	if orientation >= 5 {
		size.X, size.Y = size.Y, size.X
	}
	rect := image.Rectangle{Max: size}
	switch src := img.(type) {
	case *image.Gray:
		dst := image.NewGray(rect)
		turn(dst.Pix, size, src.Pix, src.Stride, 1, orientation)
		return dst
	case *image.NRGBA:
		dst := image.NewNRGBA(rect)
		turn(dst.Pix, size, src.Pix, src.Stride, 4, orientation)
		return dst
	case *image.YCbCr:
		rgba := image.NewRGBA(src.Rect)
		defer wipe(rgba)
		draw.Draw(rgba, src.Rect, src, src.Rect.Min, draw.Src)
		img = rgba
	}
	src := img.(*image.RGBA)
	dst := image.NewRGBA(rect)
	turn(dst.Pix, size, src.Pix, src.Stride, 4, orientation)
	return dst
}

// turn copies pixels of n bytes. size is that of dst, whose rows are packed. From 5 on columns become rows.
func turn(dst []byte, size image.Point, src []byte, stride, n, orientation int) {
	w, h := size.X, size.Y // of src
	if orientation >= 5 {
		w, h = h, w
	}
	// Steps in src for one pixel to the right and for one row down in dst, and where its first pixel is.
	right, down, first := n, stride, 0
	lastX, lastY := (w-1)*n, (h-1)*stride
	switch orientation {
	case 2: // mirrored
		right, first = -n, lastX
	case 3: // upside down
		right, down, first = -n, -stride, lastX+lastY
	case 4: // mirrored upside down
		down, first = -stride, lastY
	case 5: // transposed
		right, down = stride, n
	case 6: // to be turned right
		right, down, first = -stride, n, lastY
	case 7: // transposed along the other diagonal
		right, down, first = -stride, -n, lastX+lastY
	case 8: // to be turned left
		right, down, first = stride, -n, lastX
	}
	out := 0
	for y := range size.Y {
		in := first + y*down
		for range size.X {
			copy(dst[out:out+n], src[in:in+n])
			out += n
			in += right
		}
	}
}
