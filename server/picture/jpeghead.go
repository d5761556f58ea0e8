package picture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
)

// Markers: ITU-T T.81 table B.1.
const (
	jpegSOF0, jpegSOF1, jpegSOF2                   = 0xc0, 0xc1, 0xc2
	jpegDHT, jpegJPG, jpegDAC                      = 0xc4, 0xc8, 0xcc
	jpegRST0, jpegRST7, jpegSOI, jpegEOI, jpegSOS  = 0xd0, 0xd7, 0xd8, 0xd9, 0xda
	jpegDQT, jpegDRI, jpegAPP0, jpegAPP14, jpegCOM = 0xdb, 0xdd, 0xe0, 0xee, 0xfe
)

// jpegWalker walks the segments of a JPEG. Like other decoders it passes over bytes that are not a marker, and so over the coded data
// behind a scan's header, too.
type jpegWalker struct {
	rest []byte // behind the present segment
	kind byte
	body []byte
	odd  bool // a segment was shorter than its own length
}

// next goes to the next segment that has a body, and reports whether there is one before the end of the picture.
func (s *jpegWalker) next() bool {
	for {
		at := bytes.IndexByte(s.rest, 0xff)
		if at < 0 || at+1 >= len(s.rest) {
			return false
		}
		kind := s.rest[at+1]
		if kind == 0xff { // fill byte, T.81 section B.1.1.2
			s.rest = s.rest[at+1:]
			continue
		}
		s.rest = s.rest[at+2:]
		if kind <= 1 || kind >= jpegRST0 && kind <= jpegSOI {
			continue // coded data, or markers that stand alone
		}
		if kind == jpegEOI || len(s.rest) < 2 {
			return false
		}
		size := int(binary.BigEndian.Uint16(s.rest)) // counts itself
		if size < 2 && kind >= jpegAPP0 {            // the next bytes are passed over like any that are not a marker
			s.rest, s.odd = s.rest[2:], true
			continue
		}
		if size < 2 || size > len(s.rest) {
			return false
		}
		s.kind, s.body, s.rest = kind, s.rest[2:size], s.rest[size:]
		return true
	}
}

// jpegFrame is the frame header of a JPEG (T.81 section B.2.2), with whatever else decides how it is decoded.
type jpegFrame struct {
	size        image.Point
	progressive bool
	scans       int // of a progressive frame
	components  []jpegComponent
	most        image.Point // the largest sampling factors
	rare        bool        // image/jpeg does not take it for another reason than the sampling factors
	jfif        bool
	adobe       int  // colour transform of Adobe's segment, -1 without one
	codes       bool // Huffman tables stand before the first scan
	restarts    bool // within a scan that leaves components out
}

// jpegComponent is one colour of a frame.
type jpegComponent struct {
	id         byte
	h, v       int // sampling factors
	quantiser  byte
	across     int // blocks in a row, with those that only fill the last MCUs
	down       int
	inside     int // blocks in a row of a scan of this component alone
	below      int
	samples    []byte  // rows of 8 × across
	amplitudes []int16 // of a progressive frame: 64 for each block
	prediction int
	announced  bool // the header of a scan names it
	seen       bool // a scan of it was decoded
}

// onlyJPEG is the part of a message about rare kinds of JPEG.
const onlyJPEG = "of JPEG only baseline and progressive with 8 bits"

// readJPEGFrame reads the header. Its errors wrap ErrUnsupported or ErrMalformed.
func readJPEGFrame(data []byte) (jpegFrame, error) {
	f := jpegFrame{adobe: -1}
	interval, scanned := 0, false
	for s := (&jpegWalker{rest: data[2:]}); s.next(); {
		switch {
		case s.kind == jpegAPP0 && bytes.HasPrefix(s.body, []byte("JFIF\x00")):
			f.jfif = true
		case s.kind == jpegAPP14 && len(s.body) >= 12 && bytes.HasPrefix(s.body, []byte("Adobe")):
			f.adobe = int(s.body[11])
		case s.kind == jpegDRI && len(s.body) >= 2:
			interval = int(binary.BigEndian.Uint16(s.body))
		case s.kind == jpegSOS:
			head, ok := f.readScanHead(s.body)
			if !ok {
				return jpegFrame{}, ErrMalformed
			}
			scanned = true
			if f.progressive {
				f.scans++
			}
			f.restarts = f.restarts || interval > 0 && len(head.components) < len(f.components)
			for _, c := range head.components {
				c.announced = c.announced || head.from == 0 && head.high == 0
			}
		case s.kind == jpegDHT:
			f.codes = f.codes || !scanned
		case s.kind == jpegDQT || s.kind >= jpegAPP0 && s.kind < jpegAPP0+16 || s.kind == jpegCOM:
		case s.kind == jpegSOF0 || s.kind == jpegSOF1 || s.kind == jpegSOF2:
			if err := f.readFrameHead(s.kind == jpegSOF2, s.body); err != nil {
				return jpegFrame{}, err
			}
		case s.kind == 0xc3:
			return jpegFrame{}, rareJPEGError("lossless")
		case s.kind == 0xc9:
			return jpegFrame{}, rareJPEGError("with arithmetic coding")
		case s.kind == 0xca:
			return jpegFrame{}, rareJPEGError("progressive with arithmetic coding")
		case s.kind == 0xcb:
			return jpegFrame{}, rareJPEGError("lossless with arithmetic coding")
		case s.kind > jpegSOF2 && s.kind <= 0xcf && s.kind != jpegJPG && s.kind != jpegDAC:
			return jpegFrame{}, rareJPEGError("hierarchical")
		default:
			f.rare = true
		}
		f.rare = f.rare || s.odd
	}
	for _, c := range f.components {
		scanned = scanned && c.announced
	}
	if !scanned { // or not all of it
		return jpegFrame{}, ErrMalformed
	}
	return f, nil
}

func rareJPEGError(what string) error {
	return fmt.Errorf("%w: %s; this one is %s", ErrUnsupported, onlyJPEG, what)
}

// readFrameHead reads the header of a frame: T.81 section B.2.2.
func (f *jpegFrame) readFrameHead(progressive bool, body []byte) error {
	if f.components != nil || len(body) < 6 || len(body) != 6+3*int(body[5]) {
		return ErrMalformed
	}
	n := int(body[5])
	if body[0] != 8 {
		return rareJPEGError(fmt.Sprintf("of %d bits", body[0]))
	}
	if n != 1 && n != 3 && n != 4 {
		return rareJPEGError(fmt.Sprintf("of %d components", n))
	}
	f.size = image.Pt(int(binary.BigEndian.Uint16(body[3:])), int(binary.BigEndian.Uint16(body[1:])))
	if f.size.X > 0 && f.size.Y == 0 {
		return rareJPEGError("without a height in its header")
	}
	f.progressive = progressive
	if !f.setComponents(body[6:]) {
		return ErrMalformed
	}
	return nil
}

// setComponents takes the specification of each component, three bytes, and reports whether it is valid.
func (f *jpegFrame) setComponents(body []byte) bool {
	f.most = image.Pt(1, 1)
	for ; len(body) >= 3; body = body[3:] {
		c := jpegComponent{id: body[0], h: int(body[1] >> 4), v: int(body[1] & 15), quantiser: body[2]}
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.quantiser > 3 {
			return false
		}
		for _, other := range f.components {
			f.rare = f.rare || other.id == c.id
		}
		f.rare = f.rare || c.h == 3 || c.v == 3
		f.most = image.Pt(max(f.most.X, c.h), max(f.most.Y, c.v))
		f.components = append(f.components, c)
	}
	if len(f.components) == 1 { // its factors mean nothing: T.81 section A.2.2
		f.components[0].h, f.components[0].v, f.most = 1, 1, image.Pt(1, 1)
	}
	mcus := f.mcus()
	for i := range f.components {
		c := &f.components[i]
		c.across, c.down = mcus.X*c.h, mcus.Y*c.v
		c.inside = ((f.size.X*c.h+f.most.X-1)/f.most.X + 7) / 8
		c.below = ((f.size.Y*c.v+f.most.Y-1)/f.most.Y + 7) / 8
	}
	return true
}

// mcus returns how many MCUs the frame has across and down: T.81 section A.2.
func (f *jpegFrame) mcus() image.Point {
	return image.Pt((f.size.X+8*f.most.X-1)/(8*f.most.X), (f.size.Y+8*f.most.Y-1)/(8*f.most.Y))
}

// direct reports whether image/jpeg decodes the frame, and into nothing but the planes of the picture that it returns. Of progressive
// frames it keeps the coefficients, and of those in RGB and CMYK the planes, where nobody can overwrite them. It takes few sampling factors,
// and counts restart intervals wrongly in scans of one component of several blocks in an MCU.
func (f *jpegFrame) direct() bool {
	c := f.components
	several := false
	for i := range c {
		several = several || c[i].h*c[i].v > 1
	}
	if f.rare || f.restarts && several || f.progressive || f.isRGB() {
		return false
	}
	switch len(c) {
	case 1:
		return true
	case 3:
		switch [2]int{c[0].h * 16 / c[1].h, c[0].v * 16 / c[1].v} {
		case [2]int{16, 16}, [2]int{32, 16}, [2]int{16, 32}, [2]int{32, 32}, [2]int{64, 16}, [2]int{64, 32}:
			return c[1].h == c[2].h && c[1].v == c[2].v && c[0].v <= 2
		}
	}
	return false
}

// isRGB reports whether three components are red, green and blue, as other programs decide it.
func (f *jpegFrame) isRGB() bool {
	if len(f.components) != 3 || f.jfif {
		return false
	}
	named := string([]byte{f.components[0].id, f.components[1].id, f.components[2].id}) == "RGB"
	return f.adobe == 0 || f.adobe < 0 && named
}

// sampling returns how the two planes of colour of a frame in YCbCr share its pixels, when package image has a name for it.
func (f *jpegFrame) sampling() (image.YCbCrSubsampleRatio, bool) {
	if len(f.components) != 3 || f.isRGB() {
		return 0, false
	}
	luma, cb, cr := &f.components[0], &f.components[1], &f.components[2]
	if cb.h != cr.h || cb.v != cr.v || luma.h%cb.h != 0 || luma.v%cb.v != 0 {
		return 0, false
	}
	ratio, ok := map[image.Point]image.YCbCrSubsampleRatio{
		{X: 1, Y: 1}: image.YCbCrSubsampleRatio444, {X: 2, Y: 1}: image.YCbCrSubsampleRatio422, {X: 1, Y: 2}: image.YCbCrSubsampleRatio440,
		{X: 2, Y: 2}: image.YCbCrSubsampleRatio420, {X: 4, Y: 1}: image.YCbCrSubsampleRatio411, {X: 4, Y: 2}: image.YCbCrSubsampleRatio410,
	}[image.Pt(luma.h/cb.h, luma.v/cb.v)]
	return ratio, ok
}
