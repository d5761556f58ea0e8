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
	var all []specimen
	add := func(name string, data []byte, change ...func(*specimen)) {
		s := specimen{name: "PNG " + name, data: data, size: image.Pt(24, 16), quarters: vivid}
		for _, c := range change {
			c(&s)
		}
		all = append(all, s)
	}
	refused := func(says string) func(*specimen) { return func(s *specimen) { s.refused = says } }
	chromium := func(does string) func(*specimen) { return func(s *specimen) { s.chromium = does } }
	animated := func(s *specimen) { s.animated = true }
	plain := pngOfColours(typeRGB, 8, vivid)
	with := func(change func(*pngPicture)) []byte {
		p := plain
		change(&p)
		return p.encode()
	}
	whole := plain.encode()
	noEnd := whole[:len(whole)-len(pngEnd)]
	wrongSum := func(c string) string { return c[:len(c)-1] + string([]byte{c[len(c)-1] ^ 1}) }

	add("without IEND", noEnd)
	for cut := 1; cut < len(pngEnd); cut += 5 {
		add(fmt.Sprintf("with %d bytes of IEND", cut), whole[:len(noEnd)+cut])
	}
	add("with content in IEND", append(bytes.Clone(noEnd), madeChunk("IEND", "x")...))
	add("with a wrong checksum of IEND", append(bytes.Clone(noEnd), wrongSum(pngEnd)...))
	add("cut in its pixels", whole[:len(noEnd)-30], refused("incomplete"), chromium("blank"))
	add("with bytes behind it", append(bytes.Clone(whole), strings.Repeat("trailing", 99)...))
	add("with another PNG behind it", append(bytes.Clone(whole), whole...))
	add("with empty IDAT chunks", with(func(p *pngPicture) { p.empty, p.pieces = true, 3 }))
	add("in many IDAT chunks", with(func(p *pngPicture) { p.pieces = 40 }))
	add("with texts and times", with(func(p *pngPicture) {
		p.before = madeChunk("tEXt", "Title\x00x") + madeChunk("pHYs", "\x00\x00\x0b\x13\x00\x00\x0b\x13\x01") + madeChunk("bKGD", "\x00\xff\x00\xff\x00\xff")
		p.after = madeChunk("tIME", "\x07\xe9\x01\x01\x00\x00\x00") + madeChunk("zTXt", "k\x00\x00x")
	}))
	add("with a chunk of a private kind", with(func(p *pngPicture) { p.before = madeChunk("prVt", "x") }))
	add("with a wrong checksum of a text", with(func(p *pngPicture) { p.before = wrongSum(madeChunk("tEXt", "Title\x00x")) }))
	add("with a wrong checksum behind the pixels", with(func(p *pngPicture) { p.after = wrongSum(madeChunk("tEXt", "Title\x00x")) }))
	add("with a chunk behind the pixels that is cut", append(bytes.Clone(noEnd), "\x00\x00\x10\x00tEXtTitle"...))
	add("with a palette to choose from", with(func(p *pngPicture) { p.palette = bytes.Repeat([]byte{1, 2, 3}, 40) }))
	grey := pngOfColours(typeGrey, 8, greys)
	grey.palette = []byte{1, 2, 3}
	add("grey with a palette", grey.encode(), func(s *specimen) { s.quarters = greys })
	add("with transparency of another colour type", with(func(p *pngPicture) { p.trns = []byte{0, 0} }))
	full := pngOfColours(typeRGBA, 8, vivid)
	full.trns = []byte{0, 0, 0, 0, 0, 0}
	add("with transparency twice", full.encode())
	few := pngOfColours(typeIndexed, 8, vivid)
	few.trns = bytes.Repeat([]byte{255}, 9)
	add("with transparency of colours that are not there", few.encode())
	add("with two texts of one kind", with(func(p *pngPicture) { p.before = strings.Repeat(madeChunk("tEXt", "Title\x00x"), 2) }))

	// An animation (PNG specification, third edition, section 11.3.6) has more than one frame.
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
	add("animated", with(func(p *pngPicture) {
		p.before, p.after = control(2)+frame(0), frame(1)+data(2)
	}), animated)
	add("animated with one frame", with(func(p *pngPicture) { p.before = control(1) + frame(0) }))
	add("animated, its default image apart", with(func(p *pngPicture) {
		p.before, p.after = control(2), frame(0)+data(1)+frame(2)+data(3)
	}), animated, chromium("other"))
	add("animated with one frame, its default image apart", with(func(p *pngPicture) {
		p.before, p.after = control(1), frame(0)+data(1)
	}), animated, chromium("other"))
	add("animated without frames", with(func(p *pngPicture) { p.before = control(0) }))
	add("said to be animated behind the pixels", with(func(p *pngPicture) { p.after = control(2) }))
	for orientation := 1; orientation <= 8; orientation++ {
		size := image.Pt(24, 16)
		if orientation >= 5 {
			size = image.Pt(16, 24)
		}
		add(fmt.Sprintf("of orientation %d", orientation), with(func(p *pngPicture) {
			p.before = madeChunk("eXIf", exif(binary.BigEndian, orientation))
		}), func(s *specimen) { s.size, s.quarters = size, turned(vivid, orientation) })
	}
	damaged := func(at int) []byte { b := bytes.Clone(whole); b[at] ^= 1; return b }
	add("with a wrong checksum of IHDR", damaged(len(pngSignature)+24), refused("damaged"), chromium("hidden"))
	add("with a wrong checksum of IDAT", damaged(len(noEnd)-1))
	add("with a wrong checksum of its rows", wrongRows(plain, true))
	add("with both checksums of its pixels wrong", wrongRows(plain, false), refused("damaged"))
	add("with surplus rows", surplusRows(plain))
	add("without the checksum of its rows", whole[:len(noEnd)-6])
	add("with texts between its pixels", with(func(p *pngPicture) { p.pieces, p.between = 3, madeChunk("tEXt", "Title\x00x") }), chromium("other"))
	add("with two palettes", with(func(p *pngPicture) { p.palette, p.before = []byte{1, 2, 3}, madeChunk("PLTE", "\x04\x05\x06") }), chromium("hidden"))
	indexed := pngOfColours(typeIndexed, 8, vivid)
	indexed.before = wrongSum(madeChunk("tRNS", "\xff\xff"))
	add("with a wrong checksum of tRNS", indexed.encode())
	indexed.before, indexed.palette = wrongSum(madeChunk("PLTE", string(indexed.palette))), nil
	add("with a wrong checksum of PLTE", indexed.encode(), refused("damaged"), chromium("hidden"))
	indexed.before = ""
	add("indexed, without a palette", indexed.encode(), refused("damaged"), chromium("blank"))
	add("of a depth that there is not", pngOfDepth(3), refused("standard"), chromium("hidden"))
	return all
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
