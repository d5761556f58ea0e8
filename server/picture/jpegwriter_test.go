package picture

import (
	"bytes"
	"image"
)

// jpegWriter writes a JPEG whose blocks have no coefficient but the first.
type jpegWriter struct{ out []byte }

func (w *jpegWriter) segment(marker byte, body ...byte) {
	w.out = append(w.out, 0xff, marker, 0, byte(2+len(body)))
	w.out = append(w.out, body...)
}

// beginJPEG writes everything before the blocks. sof is 0xc0 for baseline, 0xc2 for progressive. The components are sampled as hv
// says; four of them are inks. differences is the Huffman table of the first coefficients: numbers of codes by length, and values.
func beginJPEG(sof byte, size image.Point, hv, differences []byte) *jpegWriter {
	w := &jpegWriter{out: []byte{0xff, 0xd8}}
	if len(hv) == 4 { // CMYK needs Adobe's segment; stored inverted
		w.segment(0xee, append([]byte("Adobe"), 0, 100, 0, 0, 0, 0, 0)...)
	}
	w.segment(0xdb, append([]byte{0}, bytes.Repeat([]byte{8}, 64)...)...)
	frame := []byte{8, byte(size.Y >> 8), byte(size.Y), byte(size.X >> 8), byte(size.X), byte(len(hv))}
	scan := []byte{byte(len(hv))}
	for i, sampling := range hv {
		frame = append(frame, byte(i+1), sampling, 0)
		scan = append(scan, byte(i+1), 0)
	}
	w.segment(sof, frame...)
	w.segment(0xc4, append([]byte{0}, differences...)...)
	endOfBlock := byte(0)
	if sof == 0xc2 {
		endOfBlock = 0xe0 // an end of up to 2¹⁵ blocks, with 14 more bits
	}
	// Of the other coefficients there are only ends of blocks, one bit.
	w.segment(0xc4, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, endOfBlock)
	if sof == 0xc2 {
		w.segment(0xda, append(scan, 0, 0, 0)...)
	} else {
		w.segment(0xda, append(scan, 0, 63, 0)...)
	}
	return w
}

// end writes more scans of so many blocks, which refine nothing, and returns the picture.
func (w *jpegWriter) end(scans, blocks int) []byte {
	for i := range scans {
		approximation := byte(0x02)
		if i > 0 {
			approximation = 0x21
		}
		w.segment(0xda, 1, 1, 0, 1, 63, approximation)
		w.out = append(w.out, make([]byte, 2+blocks/8000)...)
	}
	return append(w.out, 0xff, 0xd9)
}
