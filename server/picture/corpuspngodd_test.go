package picture

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"image"
	"strings"
)

// pngOddSpecimens are PNGs with what encoders, editors and transfers do to them.
func pngOddSpecimens() []specimen {
	c := &collection{base: specimen{name: "PNG ", size: image.Pt(24, 16), quarters: vivid}}
	addPNGEnds(c)
	addPNGTexts(c)
	addPNGTransparency(c)
	addPNGAnimations(c)
	c.addOrientations("", func(orientation int) []byte {
		return plainPNG(func(p *pngPicture) { p.before = madeChunk("eXIf", exif(binary.BigEndian, orientation)) })
	})
	addPNGDamage(c)
	return c.all
}

// plainPNG returns a PNG of the usual quarters with changes.
func plainPNG(changes ...func(*pngPicture)) []byte {
	p := pngOfColours(typeRGB, 8, vivid)
	for _, change := range changes {
		change(&p)
	}
	return p.encode()
}

// wrongSum returns a chunk with another checksum.
func wrongSum(chunk string) string {
	return chunk[:len(chunk)-1] + string([]byte{chunk[len(chunk)-1] ^ 1})
}

// addPNGEnds adds pictures whose end is missing, cut or followed by something.
func addPNGEnds(c *collection) {
	whole := plainPNG()
	noEnd := whole[:len(whole)-len(pngEnd)]
	c.add("without IEND", noEnd)
	for cut := 1; cut < len(pngEnd); cut += 5 {
		c.add(fmt.Sprintf("with %d bytes of IEND", cut), whole[:len(noEnd)+cut])
	}
	c.add("with content in IEND", append(bytes.Clone(noEnd), madeChunk("IEND", "x")...))
	c.add("with a wrong checksum of IEND", append(bytes.Clone(noEnd), wrongSum(pngEnd)...))
	c.add("cut in its pixels", whole[:len(noEnd)-30], refused("incomplete"), chromium("blank"))
	c.add("with bytes behind it", append(bytes.Clone(whole), strings.Repeat("trailing", 99)...))
	c.add("with another PNG behind it", append(bytes.Clone(whole), whole...))
	c.add("with a chunk behind the pixels that is cut", append(bytes.Clone(noEnd), "\x00\x00\x10\x00tEXtTitle"...))
	c.add("without the checksum of its rows", whole[:len(noEnd)-6])
	c.add("with a wrong checksum of IDAT", damaged(whole, len(noEnd)-1))
}

// addPNGTexts adds pictures with chunks beside those of the pixels, and with unusual numbers of chunks.
func addPNGTexts(c *collection) {
	title := madeChunk("tEXt", "Title\x00x")
	c.add("with empty IDAT chunks", plainPNG(func(p *pngPicture) { p.empty, p.pieces = true, 3 }))
	c.add("in many IDAT chunks", plainPNG(func(p *pngPicture) { p.pieces = 40 }))
	c.add("with texts and times", plainPNG(func(p *pngPicture) {
		p.before = title + madeChunk("pHYs", "\x00\x00\x0b\x13\x00\x00\x0b\x13\x01") + madeChunk("bKGD", "\x00\xff\x00\xff\x00\xff")
		p.after = madeChunk("tIME", "\x07\xe9\x01\x01\x00\x00\x00") + madeChunk("zTXt", "k\x00\x00x")
	}))
	c.add("with a chunk of a private kind", plainPNG(func(p *pngPicture) { p.before = madeChunk("prVt", "x") }))
	c.add("with a wrong checksum of a text", plainPNG(func(p *pngPicture) { p.before = wrongSum(title) }))
	c.add("with a wrong checksum behind the pixels", plainPNG(func(p *pngPicture) { p.after = wrongSum(title) }))
	c.add("with two texts of one kind", plainPNG(func(p *pngPicture) { p.before = title + title }))
	c.add("with texts between its pixels", plainPNG(func(p *pngPicture) { p.pieces, p.between = 3, title }), chromium("other"))
}

// addPNGTransparency adds pictures with palettes and transparency that their colour type does not have, or has in part.
func addPNGTransparency(c *collection) {
	c.add("with a palette to choose from", plainPNG(func(p *pngPicture) { p.palette = bytes.Repeat([]byte{1, 2, 3}, 40) }))
	grey := pngOfColours(typeGrey, 8, greys)
	grey.palette = []byte{1, 2, 3}
	c.add("grey with a palette", grey.encode(), func(s *specimen) { s.quarters = greys })
	c.add("with transparency of another colour type", plainPNG(func(p *pngPicture) { p.trns = []byte{0, 0} }))
	full := pngOfColours(typeRGBA, 8, vivid)
	full.trns = []byte{0, 0, 0, 0, 0, 0}
	c.add("with transparency twice", full.encode())
	few := pngOfColours(typeIndexed, 8, vivid)
	few.trns = bytes.Repeat([]byte{255}, 9)
	c.add("with transparency of colours that are not there", few.encode())
	c.add("with two palettes", plainPNG(func(p *pngPicture) { p.palette, p.before = []byte{1, 2, 3}, madeChunk("PLTE", "\x04\x05\x06") }), chromium("hidden"))
}

// addPNGAnimations adds animations (PNG specification, third edition, section 11.3.6), which have more than one frame.
func addPNGAnimations(c *collection) {
	control := func(frames byte) string { return madeChunk("acTL", string([]byte{0, 0, 0, frames, 0, 0, 0, 0})) }
	frame := func(number uint32) string {
		b := binary.BigEndian.AppendUint32(nil, number)
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, 24), 16)
		return madeChunk("fcTL", string(append(b, make([]byte, 14)...)))
	}
	data := func(number uint32) string {
		other := pngOfColours(typeRGB, 8, greys)
		return madeChunk("fdAT", string(append(binary.BigEndian.AppendUint32(nil, number), other.coded()...)))
	}
	with := func(before, after string) []byte {
		return plainPNG(func(p *pngPicture) { p.before, p.after = before, after })
	}
	c.add("animated", with(control(2)+frame(0), frame(1)+data(2)), animated)
	c.add("animated with one frame", with(control(1)+frame(0), ""))
	c.add("animated, its default image apart", with(control(2), frame(0)+data(1)+frame(2)+data(3)), animated, chromium("other"))
	c.add("animated with one frame, its default image apart", with(control(1), frame(0)+data(1)), animated, chromium("other"))
	c.add("animated without frames", with(control(0), ""))
	c.add("said to be animated behind the pixels", with("", control(2)))
}

// addPNGDamage adds pictures whose checksums, palettes or rows are not as the specification demands.
func addPNGDamage(c *collection) {
	plain := pngOfColours(typeRGB, 8, vivid)
	c.add("with a wrong checksum of IHDR", damaged(plain.encode(), len(pngSignature)+24), refused("damaged"), chromium("hidden"))
	c.add("with a wrong checksum of its rows", wrongRows(plain, true))
	c.add("with both checksums of its pixels wrong", wrongRows(plain, false), refused("damaged"))
	c.add("with surplus rows", surplusRows(plain))
	indexed := pngOfColours(typeIndexed, 8, vivid)
	indexed.before = wrongSum(madeChunk("tRNS", "\xff\xff"))
	c.add("with a wrong checksum of tRNS", indexed.encode())
	indexed.before, indexed.palette = wrongSum(madeChunk("PLTE", string(indexed.palette))), nil
	c.add("with a wrong checksum of PLTE", indexed.encode(), refused("damaged"), chromium("hidden"))
	indexed.before = ""
	c.add("indexed, without a palette", indexed.encode(), refused("damaged"), chromium("blank"))
	c.add("of a depth that there is not", pngOfDepth(3), refused("standard"), chromium("hidden"))
}

// damaged returns data with another byte at a place.
func damaged(data []byte, at int) []byte {
	data = bytes.Clone(data)
	data[at] ^= 1
	return data
}

// wrongRows returns a PNG with a wrong sum of the uncompressed rows; sealed tells whether that of the chunk is right.
func wrongRows(p pngPicture, sealed bool) []byte {
	coded := p.coded()
	coded[len(coded)-1] ^= 1
	whole := p.encode()
	idat := []byte(madeChunk("IDAT", string(coded)))
	if !sealed {
		idat[len(idat)-1] ^= 1
	}
	return []byte(string(whole[:bytes.Index(whole, []byte("IDAT"))-4]) + string(idat) + pngEnd)
}

// surplusRows returns a PNG whose header says fewer rows than there are.
func surplusRows(p pngPicture) []byte {
	head := p.encode()[:len(pngSignature)+25]
	var rows bytes.Buffer
	z := zlib.NewWriter(&rows)
	for _, half := range [][2]int{{0, 1}, {2, 3}, {0, 1}} {
		for range 8 {
			row := []byte{0}
			for x := range p.size.X {
				for _, v := range pngOfColours(p.kind, p.depth, vivid).samples[half[2*x/p.size.X]] {
					row = append(row, byte(v))
				}
			}
			_, _ = z.Write(row) // into memory
		}
	}
	_ = z.Close()
	return []byte(string(head) + madeChunk("IDAT", rows.String()) + pngEnd)
}

// pngOfDepth returns a PNG whose header says another depth.
func pngOfDepth(depth byte) []byte {
	head := []byte("\x00\x00\x00\x18\x00\x00\x00\x10\x00\x02\x00\x00\x00")
	head[8] = depth
	return []byte(pngSignature + madeChunk("IHDR", string(head)) + madeChunk("IDAT", "x") + pngEnd)
}
