package picture

import (
	"compress/lzw"
	"encoding/binary"
	"image"
	"image/color"
	"io"
)

// gifSignatures: GIF89a specification, section 17.
var gifSignatures = [...]string{"GIF87a", "GIF89a"}

// gifFrame is the first picture of a GIF. It is read here and not by image/gif, which refuses what browsers show:
// frames larger than the screen, unknown extensions, surplus pixels, colours that no palette has.
type gifFrame struct {
	screen      image.Point // with all of the frame on it
	place       image.Rectangle
	palette     []byte // three bytes a colour
	transparent int    // colour, -1 for none
	interlaced  bool
	pixels      []byte // code size and sub-blocks
}

// Kinds of blocks: GIF89a specification, sections 20 and 23 and appendix C.
const (
	gifScreenBytes, gifImageBytes             = 13, 10
	gifExtension, gifControl, gifImage, gifNo = 0x21, 0xf9, 0x2c, 0x00
)

// firstGIFFrame finds the first frame without decoding it.
func firstGIFFrame(data []byte) (gifFrame, error) {
	if len(data) < gifScreenBytes {
		return gifFrame{}, ErrMalformed
	}
	short := func(b []byte) int { return int(binary.LittleEndian.Uint16(b)) }
	f := gifFrame{screen: image.Pt(short(data[6:]), short(data[8:])), transparent: -1}
	rest := skipColours(data[gifScreenBytes:], data[10])
	f.palette = data[gifScreenBytes : len(data)-len(rest)]
	for len(rest) >= gifImageBytes {
		switch rest[0] {
		case gifExtension:
			// The control of the nearest frame: flags, two bytes of time, the transparent colour.
			if rest[1] == gifControl && rest[2] >= 4 && rest[3]&1 != 0 {
				f.transparent = int(rest[6])
			}
			rest = skipBlocks(rest[2:])
		case gifImage:
			at, size, flags := image.Pt(short(rest[1:]), short(rest[3:])), image.Pt(short(rest[5:]), short(rest[7:])), rest[9]
			f.place = image.Rectangle{Min: at, Max: at.Add(size)}
			f.screen = image.Pt(max(f.screen.X, f.place.Max.X), max(f.screen.Y, f.place.Max.Y))
			f.interlaced = flags&0x40 != 0
			f.pixels = skipColours(rest[gifImageBytes:], flags)
			if local := rest[gifImageBytes : len(rest)-len(f.pixels)]; len(local) > 0 {
				f.palette = local
			}
			if len(f.palette) == 0 {
				return gifFrame{}, ErrMalformed
			}
			return f, nil
		case gifNo: // stray ends of blocks
			rest = rest[1:]
		default:
			return gifFrame{}, ErrMalformed
		}
	}
	return gifFrame{}, ErrMalformed
}

// decodeGIF decodes the first frame, on a canvas of the whole picture's size.
func decodeGIF(data []byte, limited func(io.Reader) io.Reader) (image.Image, error) {
	f, err := firstGIFFrame(data)
	if err != nil {
		return nil, err
	}
	img, err := f.decode(limited)
	if err != nil {
		return nil, err
	}
	return onCanvas(img, f.place, f.screen), nil
}

// decode returns the frame's pixels. Those behind the last row are ignored.
func (f *gifFrame) decode(limited func(io.Reader) io.Reader) (*image.Paletted, error) {
	img := image.NewPaletted(image.Rectangle{Max: f.place.Size()}, f.colours())
	if f.place.Empty() {
		return img, nil
	}
	if len(f.pixels) == 0 || f.pixels[0] < 2 || f.pixels[0] > 8 {
		return nil, ErrMalformed
	}
	codes := lzw.NewReader(limited(&subBlocks{rest: f.pixels[1:]}), lzw.LSB, int(f.pixels[0]))
	defer codes.Close()
	passes := [][2]int{{0, 1}}
	if f.interlaced { // GIF89a specification, appendix E
		passes = [][2]int{{0, 8}, {4, 8}, {2, 4}, {1, 2}}
	}
	for _, pass := range passes {
		for y := pass[0]; y < img.Rect.Dy(); y += pass[1] {
			if _, err := io.ReadFull(codes, img.Pix[y*img.Stride:][:img.Stride]); err != nil {
				wipe(img)
				return nil, ErrMalformed
			}
		}
	}
	return img, nil
}

// colours returns a palette for every colour number. Those that are not in the file are black, as browsers have it.
func (f *gifFrame) colours() color.Palette {
	p := make(color.Palette, 256)
	for i := range p {
		switch {
		case i == f.transparent:
			p[i] = color.NRGBA{}
		case 3*i+3 <= len(f.palette):
			p[i] = color.NRGBA{R: f.palette[3*i], G: f.palette[3*i+1], B: f.palette[3*i+2], A: 255}
		default:
			p[i] = color.NRGBA{A: 255}
		}
	}
	return p
}

// subBlocks reads the content of sub-blocks up to the empty one: GIF89a specification, section 15.
type subBlocks struct {
	rest  []byte
	block []byte
}

func (s *subBlocks) Read(p []byte) (int, error) {
	if len(s.block) == 0 {
		if len(s.rest) == 0 || s.rest[0] == 0 {
			return 0, io.EOF
		}
		size := min(len(s.rest), 1+int(s.rest[0]))
		s.block, s.rest = s.rest[1:size], s.rest[size:]
	}
	n := copy(p, s.block)
	s.block = s.block[n:]
	return n, nil
}

// gifAnimated reports whether a GIF has more than one frame. It walks the blocks without decoding them.
func gifAnimated(data []byte) bool {
	f, err := firstGIFFrame(data)
	if err != nil {
		return false
	}
	rest := skipBlocks(f.pixels[min(len(f.pixels), 1):])
	for len(rest) > 0 {
		switch rest[0] {
		case gifExtension:
			rest = skipBlocks(rest[min(len(rest), 2):])
		case gifNo:
			rest = rest[1:]
		default:
			return rest[0] == gifImage
		}
	}
	return false
}

// skipColours skips the colour table that flags announce: 3 × 2^(n+1) bytes.
func skipColours(data []byte, flags byte) []byte {
	if flags&0x80 == 0 {
		return data
	}
	return data[min(len(data), 3<<(flags&7+1)):]
}

// skipBlocks skips sub-blocks up to and with the empty one.
func skipBlocks(data []byte) []byte {
	for len(data) > 0 {
		size := int(data[0])
		data = data[min(len(data), 1+size):]
		if size == 0 {
			break
		}
	}
	return data
}
