package picture

import (
	"bytes"
	"compress/lzw"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"strings"

	"example.org/avatard/storage"
)

// gifPicture is a GIF of four quarters (GIF89a specification); the standard library writes the regular ones only.
type gifPicture struct {
	version     string
	screen      image.Point
	at, size    image.Point // of the frame
	bits        int         // of a colour
	global      bool
	local       bool
	interlaced  bool
	transparent int // colour, -1 for none
	background  byte
	before      string // blocks before the frame
	after       string // blocks behind the frame
	surplus     int    // pixels more than the frame has
	missing     int    // pixels less
	noEnd       bool   // the LZW data has no end code
	wrong       byte   // added to each colour number
	codeSize    int    // 0 = as the number of colours needs
	repeat      int    // frames, 1 by default
	quarters    [4]color.NRGBA
}

func plainGIF() gifPicture {
	return gifPicture{version: "GIF89a", screen: image.Pt(24, 16), size: image.Pt(24, 16), bits: 2, global: true, transparent: -1, quarters: vivid}
}

func (g gifPicture) table() []byte {
	out := make([]byte, 3<<g.bits)
	for i, c := range g.quarters {
		copy(out[3*i:], []byte{c.R, c.G, c.B})
	}
	return out
}

// gifBlocks cuts data into sub-blocks and ends them.
func gifBlocks(data string) string {
	var out strings.Builder
	for len(data) > 0 {
		n := min(len(data), 255)
		out.WriteByte(byte(n))
		out.WriteString(data[:n])
		data = data[n:]
	}
	return out.String() + "\x00"
}

func (g gifPicture) encode() []byte {
	out := []byte(g.version)
	short := binary.LittleEndian.AppendUint16
	out = short(short(out, uint16(g.screen.X)), uint16(g.screen.Y))
	flags := byte(g.bits - 1)
	if g.global {
		out = append(out, 0x80|flags, g.background, 0)
		out = append(out, g.table()...)
	} else {
		out = append(out, 0, g.background, 0)
	}
	out = append(out, g.before...)
	for range max(1, g.repeat) {
		if g.transparent >= 0 {
			out = append(out, 0x21, 0xf9, 4, 1, 0, 0, byte(g.transparent), 0)
		}
		out = append(out, 0x2c)
		for _, v := range []int{g.at.X, g.at.Y, g.size.X, g.size.Y} {
			out = short(out, uint16(v))
		}
		packed := byte(0)
		if g.interlaced {
			packed |= 0x40
		}
		if g.local {
			packed |= 0x80 | flags
		}
		out = append(out, packed)
		if g.local {
			out = append(out, g.table()...)
		}
		width := max(2, g.bits, g.codeSize)
		out = append(out, byte(width))
		out = append(out, gifBlocks(string(g.coded(width)))...)
	}
	return append(append(out, g.after...), 0x3b)
}

func (g gifPicture) coded(width int) []byte {
	var pix []byte
	passes := [][2]int{{0, 1}}
	if g.interlaced {
		passes = [][2]int{{0, 8}, {4, 8}, {2, 4}, {1, 2}}
	}
	for _, pass := range passes {
		for y := pass[0]; y < g.size.Y; y += pass[1] {
			for x := range g.size.X {
				pix = append(pix, byte(quarter(x, y, g.size))+g.wrong)
			}
		}
	}
	pix = append(pix, bytes.Repeat([]byte{1}, g.surplus)...)
	pix = pix[:len(pix)-g.missing]
	var out bytes.Buffer
	w := lzw.NewWriter(&out, lzw.LSB, width)
	_, _ = w.Write(pix) // into memory
	_ = w.Close()
	if g.noEnd {
		return out.Bytes()[:out.Len()-1]
	}
	return out.Bytes()
}

// gifs gathers GIFs.
type gifs struct{ collection }

// add adds a plain GIF with a change of it, and others of the specimen.
func (c *gifs) add(name string, change func(*gifPicture), more ...func(*specimen)) {
	g := plainGIF()
	change(&g)
	quarters := g.quarters
	if g.transparent >= 0 && g.transparent < 4 {
		quarters[g.transparent] = nothing
	}
	seen := func(s *specimen) { s.size, s.quarters = g.screen, quarters }
	c.collection.add(name, g.encode(), append([]func(*specimen){seen}, more...)...)
}

// gifSpecimens are GIFs of all depths, with transparency, frames and extensions, and what encoders and transfers do to them.
func gifSpecimens() []specimen {
	c := &gifs{collection{base: specimen{name: "GIF ", size: image.Pt(24, 16), quarters: vivid, format: storage.PNG}}}
	addGIFColours(c)
	addGIFBlocks(c)
	addOddGIFs(c)
	plain := plainGIF().encode()
	for name, data := range map[string][]byte{
		"without a trailer":                    cut(plain, 1),
		"without the last block":               cut(plain, 2),
		"with bytes behind it":                 append(bytes.Clone(plain), "trailing"...),
		"with zeros before the trailer":        append(cut(bytes.Clone(plain), 1), "\x00\x00\x00;"...),
		"with unknown blocks behind the frame": append(cut(bytes.Clone(plain), 1), "\x99\x98"...),
	} {
		c.collection.add(name, data)
	}
	return c.all
}

// addGIFColours adds pictures of all depths, palettes and ways of transparency.
func addGIFColours(c *gifs) {
	c.add("of 1989", func(*gifPicture) {})
	c.add("of 1987", func(g *gifPicture) { g.version = "GIF87a" })
	for depth := 3; depth <= 8; depth++ {
		c.add(fmt.Sprintf("of %d bits", depth), func(g *gifPicture) { g.bits = depth })
	}
	c.add("interlaced", func(g *gifPicture) { g.interlaced = true })
	c.add("interlaced, with an odd height", func(g *gifPicture) { g.interlaced, g.screen, g.size = true, image.Pt(9, 11), image.Pt(9, 11) })
	c.add("with a local palette only", func(g *gifPicture) { g.global, g.local = false, true })
	c.add("with both palettes", func(g *gifPicture) { g.local = true })
	c.add("transparent", func(g *gifPicture) { g.transparent = 2 })
	c.add("transparent, with a local palette", func(g *gifPicture) { g.transparent, g.local = 3, true })
	c.add("with a transparent colour that is not there", func(g *gifPicture) { g.transparent = 200 })
	c.add("with a background colour", func(g *gifPicture) { g.background = 2 })
	c.add("whose frame is smaller", func(g *gifPicture) {
		g.background, g.screen, g.at = 1, image.Pt(48, 32), image.Pt(24, 16)
	}, func(s *specimen) { s.quarters = [4]color.NRGBA{nothing, nothing, nothing, red} })
}

// addGIFBlocks adds pictures with several frames or with extensions.
func addGIFBlocks(c *gifs) {
	const netscape = "\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
	c.add("of one frame that repeats", func(g *gifPicture) { g.before = netscape })
	c.add("of two frames", func(g *gifPicture) { g.before, g.repeat = netscape, 2 }, animated)
	c.add("with a comment", func(g *gifPicture) { g.before = "\x21\xfe" + gifBlocks("made by a test"); g.after = g.before })
	c.add("with plain text", func(g *gifPicture) { g.after = "\x21\x01\x0c" + strings.Repeat("x", 12) + gifBlocks("text") })
	c.add("with an application's block of ten bytes", func(g *gifPicture) { g.before = "\x21\xff\x0aADOBE:IR1." + gifBlocks("x") })
	c.add("with an unknown extension", func(g *gifPicture) { g.before = "\x21\x42" + gifBlocks("whatever it is") })
	c.add("with an empty application's block", func(g *gifPicture) { g.before = "\x21\xff\x00" })
	c.add("with a long graphic control", func(g *gifPicture) { g.before = "\x21\xf9\x05\x01\x00\x00\x01\x00\x00" },
		func(s *specimen) { s.quarters[1], s.chromium = nothing, "hidden" })
}

// addOddGIFs adds pictures with more or fewer pixels than they say, and frames that do not lie on their screens.
func addOddGIFs(c *gifs) {
	size := func(x, y int) func(*specimen) { return func(s *specimen) { s.size = image.Pt(x, y) } }
	c.add("with surplus pixels", func(g *gifPicture) { g.surplus = 9 })
	c.add("with many surplus pixels", func(g *gifPicture) { g.surplus = 5000 })
	c.add("without an end code", func(g *gifPicture) { g.noEnd = true })
	c.add("with surplus bytes in its pixels", func(g *gifPicture) { g.after = "\x00" })
	c.add("with missing pixels", func(g *gifPicture) { g.missing = 100 }, refused("incomplete"))
	c.add("with colours that are not there", func(g *gifPicture) { g.codeSize, g.wrong = 3, 2 },
		func(s *specimen) { s.quarters = [4]color.NRGBA{blue, pale, {A: 255}, {A: 255}} })
	c.add("without a palette", func(g *gifPicture) { g.global = false }, refused("damaged"))
	c.add("whose frame is larger", func(g *gifPicture) { g.screen = image.Pt(12, 8) }, size(24, 16))
	c.add("whose frame is wider", func(g *gifPicture) { g.screen = image.Pt(12, 16) }, size(24, 16))
	c.add("whose frame is moved out", func(g *gifPicture) { g.at = image.Pt(0, 16) }, size(24, 32),
		func(s *specimen) { s.quarters = [4]color.NRGBA{nothing, nothing, red, green} })
	c.add("without a screen", func(g *gifPicture) { g.screen = image.Point{} }, size(24, 16))
	c.add("without pixels", func(g *gifPicture) { g.size = image.Point{} },
		func(s *specimen) { s.quarters = [4]color.NRGBA{} })
}
