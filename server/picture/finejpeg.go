package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"io"
)

// fineColourQuality is that of the two planes of colour in a JPEG at their full resolution. They are quantised by the table for
// grey, which is the finer one of the two in ITU-T T.81 annex K, so that a lower quality is as good.
const fineColourQuality = 85

// fineJPEG encodes img with colour at its full resolution (4:4:4). The standard library halves it (4:2:0), which photographs
// allow, but coloured lines and letters become unclear. So the three planes are encoded as three grey pictures, whose scans are
// put together to one picture: ITU-T T.81 section A.2.2 lets each component have a scan of its own.
func (e *encoder) fineJPEG(img *image.RGBA) ([]byte, error) {
	planes := image.NewYCbCr(img.Rect, image.YCbCrSubsampleRatio444)
	defer wipe(planes)
	for i := range planes.Y {
		planes.Y[i], planes.Cb[i], planes.Cr[i] = color.RGBToYCbCr(img.Pix[4*i], img.Pix[4*i+1], img.Pix[4*i+2])
	}
	return e.write(e.limit, func(w io.Writer) error {
		var parts [3]greyJPEG
		for i, pix := range [...][]byte{planes.Y, planes.Cb, planes.Cr} {
			quality := jpegQuality
			if i > 0 {
				quality = fineColourQuality
			}
			out := &output{ctx: e.ctx, limit: e.limit}
			defer out.wipe()
			plane := &image.Gray{Pix: pix, Stride: planes.YStride, Rect: img.Rect}
			if err := jpeg.Encode(out, plane, &jpeg.Options{Quality: quality}); err != nil {
				return err
			}
			var err error
			if parts[i], err = takeApart(out.bytes); err != nil {
				return err
			}
		}
		return putTogether(w, img.Rect.Size(), parts)
	})
}

// Markers of ITU-T T.81 table B.1.
const (
	markerSOF0, markerDHT, markerSOI, markerEOI, markerSOS, markerDQT = 0xc0, 0xc4, 0xd8, 0xd9, 0xda, 0xdb
)

// greyJPEG are the parts of a grey JPEG of the standard library's encoder.
type greyJPEG struct {
	quantisation []byte // table 0, 64 values
	huffman      []byte // the whole segment with tables 0
	scan         []byte // coded pixels
}

var errParts = errors.New("encoder of grey JPEG wrote something else")

// takeApart finds the parts of a grey JPEG. They share memory with data.
func takeApart(data []byte) (g greyJPEG, err error) {
	for rest := data[2:]; len(rest) >= 4; {
		end := 2 + int(binary.BigEndian.Uint16(rest[2:]))
		if rest[0] != 0xff || end > len(rest) {
			break
		}
		switch rest[1] {
		case markerDQT:
			if end < 5+64 || rest[4] != 0 {
				return g, errParts
			}
			g.quantisation = rest[5 : 5+64]
		case markerDHT:
			g.huffman = rest[:end]
		case markerSOS:
			scan, whole := bytes.CutSuffix(rest[end:], []byte{0xff, markerEOI})
			if !whole || g.quantisation == nil || g.huffman == nil {
				return g, errParts
			}
			g.scan = scan
			return g, nil
		}
		rest = rest[end:]
	}
	return g, errParts
}

// putTogether writes a JPEG of three components, of which the second and third share their table.
func putTogether(w io.Writer, size image.Point, parts [3]greyJPEG) error {
	head := []byte{0xff, markerSOI, 0xff, markerDQT, 0, 2 + 2*(1+64), 0}
	head = append(append(head, parts[0].quantisation...), 1)
	head = append(head, parts[1].quantisation...)
	head = append(head, 0xff, markerSOF0, 0, 8+3*3, 8, byte(size.Y>>8), byte(size.Y), byte(size.X>>8), byte(size.X), 3)
	head = append(head, 1, 0x11, 0, 2, 0x11, 1, 3, 0x11, 1) // identifier, sampling, table
	head = append(head, parts[0].huffman...)
	if _, err := w.Write(head); err != nil {
		return err
	}
	for i, part := range parts {
		// Two writes, since a slice with both would be one more copy of the picture.
		if _, err := w.Write([]byte{0xff, markerSOS, 0, 6 + 2, 1, byte(i + 1), 0, 0, 63, 0}); err != nil {
			return err
		}
		if _, err := w.Write(part.scan); err != nil {
			return err
		}
	}
	_, err := w.Write([]byte{0xff, markerEOI})
	return err
}
