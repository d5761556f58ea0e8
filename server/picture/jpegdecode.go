package picture

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"slices"
)

// usualTables returns the segment with the Huffman tables of T.81 annex K.3, which frames of Motion JPEG leave out. They are
// those of the standard library's encoder.
func usualTables() []byte {
	var out bytes.Buffer
	_ = jpeg.Encode(&out, image.NewRGBA(image.Rect(0, 0, 1, 1)), nil) // into memory
	for kind, body := range jpegSegments(out.Bytes()) {
		if kind == jpegDHT {
			return append([]byte{0xff, jpegDHT, byte((len(body) + 2) >> 8), byte(len(body) + 2)}, body...)
		}
	}
	return nil
}

// decode returns the picture. Memory that does not become part of it is overwritten.
func (d *ownJPEG) decode(data []byte) (image.Image, error) {
	d.components = slices.Clone(d.components) // the frame stays as it is for another time
	defer d.wipe()
	if err := d.read(data); err != nil {
		return nil, err
	}
	return d.picture(), nil
}

// read decodes all scans into the samples of the components.
func (d *ownJPEG) read(data []byte) error {
	for i := range d.components {
		c := &d.components[i]
		c.samples = make([]byte, 64*c.across*c.down)
		if d.progressive {
			c.amplitudes = make([]int16, 64*c.across*c.down)
		}
	}
	if !d.codes {
		d.readHuffmanTables(usualTables()[4:])
	}
	for s := (&jpegWalker{rest: data[2:]}); s.next(); {
		valid := true
		switch s.kind {
		case jpegDHT:
			valid = d.readHuffmanTables(s.body)
		case jpegDQT:
			valid = d.readQuantisers(s.body)
		case jpegDRI:
			if valid = len(s.body) == 2; valid {
				d.interval = int(binary.BigEndian.Uint16(s.body))
			}
		case jpegSOS:
			head, ok := d.readScanHead(s.body)
			if !ok {
				return ErrMalformed
			}
			var err error
			if s.rest, err = d.scan(head, s.rest); err != nil {
				return err
			}
		}
		if !valid {
			return ErrMalformed
		}
	}
	for i := range d.components {
		c := &d.components[i]
		if !c.seen {
			return ErrMalformed
		}
		for at := range len(c.amplitudes) / 64 {
			c.render((*[64]int16)(c.amplitudes[64*at:]), at, &d.quantisers[c.quantiser])
		}
	}
	return nil
}

// wipe overwrites the memory that has not become part of the picture, and lets go of it.
func (d *ownJPEG) wipe() {
	for i := range d.components {
		c := &d.components[i]
		clear(c.amplitudes)
		clear(c.samples)
		c.amplitudes, c.samples = nil, nil
	}
}

// zigzag is the order of coefficients: T.81 figure A.6.
var zigzag = [64]int{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

// render puts the samples of a block in their place.
func (c *jpegComponent) render(b *[64]int16, at int, quantiser *[64]int32) {
	var v [64]float32
	flat := true
	for k, amplitude := range b {
		if amplitude != 0 {
			v[zigzag[k]] = float32(int32(amplitude) * quantiser[k])
			flat = flat && k == 0
		}
	}
	stride := 8 * c.across
	out := c.samples[at/c.across*8*stride+at%c.across*8:]
	if flat {
		level := sample(v[0] / 8)
		for y := range 8 {
			row := out[y*stride:][:8]
			for x := range row {
				row[x] = level
			}
		}
		return
	}
	for x := range 8 {
		inverseCosines(&v, x, 8)
	}
	for y := range 8 {
		inverseCosines(&v, 8*y, 1)
		for x, value := range v[8*y : 8*y+8] {
			out[y*stride+x] = sample(value)
		}
	}
}

// sample shifts the level of a value and rounds it: T.81 section A.3.1.
func sample(v float32) byte {
	return byte(min(max(v+128.5, 0), 255))
}

// c1 to c7 are half of the cosines of 1/16 to 7/16 of π.
var c1, c2, c3, c4, c5, c6, c7 = cosine(1), cosine(2), cosine(3), cosine(4), cosine(5), cosine(6), cosine(7)

func cosine(n float64) float32 { return float32(math.Cos(n*math.Pi/16) / 2) }

// inverseCosines is the inverse transform of T.81 section A.3.3 along one row or column: eight values from first on,
// each step behind the one before. Even and odd frequencies are summed up apart, since those of the second half of the
// result are the ones of the first half, the odd ones with the other sign.
func inverseCosines(v *[64]float32, first, step int) {
	at := func(i int) *float32 { return &v[(first+i*step)&63] }
	f0, f1, f2, f3, f4, f5, f6, f7 := *at(0), *at(1), *at(2), *at(3), *at(4), *at(5), *at(6), *at(7)
	even := [4]float32{
		(f0+f4)*c4 + f2*c2 + f6*c6, (f0-f4)*c4 + f2*c6 - f6*c2, (f0-f4)*c4 - f2*c6 + f6*c2, (f0+f4)*c4 - f2*c2 - f6*c6,
	}
	odd := [4]float32{
		f1*c1 + f3*c3 + f5*c5 + f7*c7, f1*c3 - f3*c7 - f5*c1 - f7*c5, f1*c5 - f3*c1 + f5*c7 + f7*c3, f1*c7 - f3*c5 + f5*c3 - f7*c1,
	}
	for i := range even {
		*at(i), *at(7 - i) = even[i]+odd[i], even[i]-odd[i]
	}
}

// hand returns the samples of a component, which become part of the picture.
func (c *jpegComponent) hand() []byte {
	samples := c.samples
	c.samples = nil
	return samples
}

// picture puts the components together. Each sample covers as many pixels as its factors say.
func (d *ownJPEG) picture() image.Image {
	bounds := image.Rectangle{Max: d.size}
	switch len(d.components) {
	case 1:
		c := &d.components[0]
		return &image.Gray{Pix: c.hand(), Stride: 8 * c.across, Rect: bounds}
	case 3:
		if d.isRGB() {
			img := image.NewRGBA(bounds)
			for i := range d.components {
				d.spread(i, img.Pix[i:], 4)
			}
			for i := 3; i < len(img.Pix); i += 4 {
				img.Pix[i] = 255
			}
			return img
		}
		if ratio, ok := d.sampling(); ok {
			luma, cb, cr := &d.components[0], &d.components[1], &d.components[2]
			return &image.YCbCr{
				Y: luma.hand(), Cb: cb.hand(), Cr: cr.hand(), YStride: 8 * luma.across, CStride: 8 * cb.across,
				SubsampleRatio: ratio, Rect: bounds,
			}
		}
		img := image.NewYCbCr(bounds, image.YCbCrSubsampleRatio444)
		d.spread(0, img.Y, 1)
		d.spread(1, img.Cb, 1)
		d.spread(2, img.Cr, 1)
		return img
	}
	// All files that are met hold light instead of ink; of those with YCbCr three components are ink.
	img := image.NewCMYK(bounds)
	for i := range d.components {
		d.spread(i, img.Pix[i:], 4)
	}
	for p := img.Pix; len(p) >= 4; p = p[4:] {
		if d.adobe > 0 {
			p[0], p[1], p[2] = color.YCbCrToRGB(p[0], p[1], p[2])
		} else {
			p[0], p[1], p[2] = 255-p[0], 255-p[1], 255-p[2]
		}
		p[3] = 255 - p[3]
	}
	return img
}

// spread writes the samples of a component to every step-th byte.
func (d *ownJPEG) spread(i int, out []byte, step int) {
	c := d.components[i]
	for y := range d.size.Y {
		row := c.samples[y*c.v/d.most.Y*8*c.across:]
		for x := range d.size.X {
			out[(y*d.size.X+x)*step] = row[x*c.h/d.most.X]
		}
	}
}
