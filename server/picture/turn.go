package picture

import "image"

// upright applies an EXIF orientation.
func upright(img *image.NRGBA, orientation int) *image.NRGBA {
	if orientation == 1 {
		return img
	}
	size := img.Rect.Size()
	if orientation >= 5 {
		size.X, size.Y = size.Y, size.X
	}
	dst := image.NewNRGBA(image.Rectangle{Max: size})
	turn(dst.Pix, size, img.Pix, img.Stride, orientation)
	return dst
}

// turn copies pixels. size is that of dst, whose rows are packed. From 5 on columns become rows.
func turn(dst []byte, size image.Point, src []byte, stride, orientation int) {
	const n = 4            // bytes of a pixel
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
