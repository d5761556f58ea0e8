package picture

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"math/bits"
	"strings"
	"testing"

	"example.org/avatard/storage"
)

// vp8l codes four quarters without loss (RFC 9649 section 3): no transform, and each value in its own eight bits.
func vp8l(size image.Point, q [4]color.NRGBA) string {
	w := &lowBits{}
	w.put(0x2f, 8)
	w.put(uint(size.X-1), 14)
	w.put(uint(size.Y-1), 14)
	opaque := uint(1)
	for _, c := range q {
		opaque &= uint(c.A) / 255
	}
	w.put(1-opaque, 1)
	w.put(0, 3+1+1+1)                                   // version, no transform, no colour cache, one group of codes
	for _, symbols := range []int{280, 256, 256, 256} { // green with lengths, red, blue, alpha
		w.put(0, 1)
		w.put(12-4, 4)
		for i := range 12 { // lengths are 0 or 8, one bit each
			length := uint(0)
			if i == 2 || i == 11 {
				length = 1
			}
			w.put(length, 3)
		}
		w.put(0, 1)
		for i := range symbols {
			if i < 256 {
				w.put(1, 1)
			} else {
				w.put(0, 1)
			}
		}
	}
	w.put(1, 4) // distances: one symbol of one bit, 0
	for y := range size.Y {
		for x := range size.X {
			c := q[quarter(x, y, size)]
			for _, v := range [4]uint8{c.G, c.R, c.B, c.A} {
				w.put(uint(bits.Reverse8(v)), 8)
			}
		}
	}
	w.put(0, 7)
	return string(w.out)
}

// lowBits collects bits from the lowest one of each byte on.
type lowBits struct {
	out        []byte
	held, used uint
}

func (w *lowBits) put(v, n uint) {
	for i := range n {
		w.held |= v >> i & 1 << w.used
		if w.used++; w.used == 8 {
			w.out, w.held, w.used = append(w.out, byte(w.held)), 0, 0
		}
	}
}

// riffChunk makes a chunk of a WebP file: RFC 9649 section 2.3.
func riffChunk(name, body string) string {
	head := binary.LittleEndian.AppendUint32([]byte(name), uint32(len(body)))
	return string(head) + body + strings.Repeat("\x00", len(body)%2)
}

func webpOf(chunks ...string) []byte {
	return []byte(riffChunk("RIFF", "WEBP"+strings.Join(chunks, "")))
}

// Flags of the extended header: RFC 9649 section 2.7.1.
const webpAnimation, webpEXIFFlag, webpAlpha = 2, 8, 16

func vp8x(flags byte, size image.Point) string {
	body := make([]byte, 10)
	body[0] = flags
	putUint24(body[4:], size.X-1)
	putUint24(body[7:], size.Y-1)
	return riffChunk("VP8X", string(body))
}

func webpFrame(at, size image.Point, chunks string) string {
	body := make([]byte, 16)
	putUint24(body, at.X/2)
	putUint24(body[3:], at.Y/2)
	putUint24(body[6:], size.X-1)
	putUint24(body[9:], size.Y-1)
	body[12] = 100
	return riffChunk("ANMF", string(body)+chunks)
}

// webpSize is the size of most WebP specimens, and webpStill the chunk with their pixels.
var (
	webpSize  = image.Pt(24, 16)
	webpStill = riffChunk("VP8L", vp8l(webpSize, vivid))
)

// webpSpecimens are pictures with and without alpha, animations, and what editors and transfers do to them.
func webpSpecimens(t testing.TB) []specimen {
	t.Helper()
	c := &collection{base: specimen{name: "WebP ", size: webpSize, quarters: vivid, format: storage.PNG}}
	addWebPStills(c)
	c.addOrientations("", func(orientation int) []byte {
		return webpOf(vp8x(webpEXIFFlag, webpSize), webpStill, riffChunk("EXIF", exif(binary.LittleEndian, orientation)))
	})
	for i := range c.all {
		if _, orientation, ok := strings.Cut(c.all[i].name, "of orientation "); ok && orientation != "1" {
			c.all[i].chromium = "other" // it does not turn WebP
		}
	}
	addWebPAnimations(c)
	addWebPDamage(c)
	addLossyWebP(t, c)
	return c.all
}

// addWebPStills adds pictures without loss, in both kinds of file.
func addWebPStills(c *collection) {
	see := [4]color.NRGBA{red, {20, 160, 60, 128}, blue, nothing}
	glass := func(s *specimen) { s.quarters = see }
	seeThrough := riffChunk("VP8L", vp8l(webpSize, see))
	c.add("lossless", webpOf(webpStill))
	c.add("lossless with alpha", webpOf(seeThrough), glass)
	c.add("lossless with an extended header", webpOf(vp8x(0, webpSize), webpStill))
	c.add("lossless with alpha and an extended header", webpOf(vp8x(webpAlpha, webpSize), seeThrough), glass)
	c.add("lossless with alpha, its header silent about it", webpOf(vp8x(0, webpSize), seeThrough), glass, chromium("other"))
	c.add("lossless without alpha, its header speaking of it", webpOf(vp8x(webpAlpha, webpSize), webpStill))
	c.add("with metadata behind the pixels", webpOf(vp8x(4, webpSize), webpStill, riffChunk("XMP ", "<x/>")))
	c.add("with an unknown chunk", webpOf(vp8x(0, webpSize), riffChunk("junk", "whatever"), webpStill, riffChunk("junk", "odd")))
	for _, n := range []image.Point{{1, 1}, {7, 3}} {
		one := [4]color.NRGBA{blue, blue, blue, blue}
		c.add(fmt.Sprintf("lossless, %d × %d", n.X, n.Y), webpOf(riffChunk("VP8L", vp8l(n, one))),
			func(s *specimen) { s.size, s.quarters = n, one })
	}
}

// addWebPAnimations adds animations, and files whose headers say so and whose frames do not.
func addWebPAnimations(c *collection) {
	other := riffChunk("VP8L", vp8l(webpSize, greys))
	anim := riffChunk("ANIM", "\xff\xff\xff\xff\x00\x00")
	frame := webpFrame(image.Point{}, webpSize, webpStill)
	c.add("animated", webpOf(vp8x(webpAnimation, webpSize), anim, frame, webpFrame(image.Point{}, webpSize, other)), animated)
	c.add("animated with one frame", webpOf(vp8x(webpAnimation, webpSize), anim, frame))
	c.add("animated with one small frame", webpOf(vp8x(webpAnimation|webpAlpha, image.Pt(48, 32)), anim, webpFrame(image.Pt(24, 16), webpSize, webpStill)),
		func(s *specimen) {
			s.size, s.quarters = image.Pt(48, 32), [4]color.NRGBA{nothing, nothing, nothing, red}
		})
	c.add("animated without frames", webpOf(vp8x(webpAnimation, webpSize), anim), refused("damaged"), chromium("hidden"))
	c.add("still, said to be animated", webpOf(vp8x(webpAnimation, webpSize), webpStill), refused("damaged"), chromium("hidden"))
	c.add("not animated, with a frame", webpOf(vp8x(0, webpSize), frame), refused("damaged"), chromium("hidden"))
}

// addWebPDamage adds files with wrong sizes, missing bytes and surplus ones.
func addWebPDamage(c *collection) {
	whole := webpOf(webpStill)
	sized := func(size uint32) []byte {
		b := bytes.Clone(whole)
		binary.LittleEndian.PutUint32(b[4:], size)
		return b
	}
	c.add("with bytes behind it", append(bytes.Clone(whole), strings.Repeat("trailing", 9)...))
	c.add("said to be longer", sized(uint32(len(whole)+92)), chromium("other"))
	c.add("said to be shorter", sized(uint32(len(whole)-28)), refused("incomplete"), chromium("hidden"))
	c.add("without a size", sized(0), refused("damaged"), chromium("hidden"))
	c.add("without its padding", bytes.TrimSuffix(webpOf(vp8x(4, webpSize), webpStill, riffChunk("XMP ", "<x>")), []byte{0}), chromium("other"))
	c.add("cut in its pixels", whole[:len(whole)*3/4], refused("incomplete"), chromium("blank"))
	c.add("of another size than its header says", webpOf(vp8x(0, image.Pt(48, 32)), webpStill), refused("damaged"), chromium("hidden"))
}

// addLossyWebP adds lossy pictures. The tests cannot write them, so they are kept as they are.
func addLossyWebP(t testing.TB, c *collection) {
	t.Helper()
	for _, f := range flatWebP {
		data, err := base64.StdEncoding.DecodeString(f.data)
		if err != nil {
			t.Fatal(err)
		}
		c.add("lossy, "+f.about, data, func(s *specimen) {
			s.size, s.quarters, s.format = image.Pt(16, 16), [4]color.NRGBA{f.want, f.want, f.want, f.want}, 0
			if strings.Contains(f.about, "64") {
				s.size = image.Pt(64, 64)
			}
		})
	}
	for _, name := range []string{"lossy-alpha", "animated-lossy"} {
		c.add("in a file, "+name, webpFile(t, name), func(s *specimen) {
			s.quarters = [4]color.NRGBA{{220, 0, 0, 255}, {0, 180, 0, 255}, {0, 0, 220, 255}, nothing}
			s.format, s.animated = 0, name == "animated-lossy"
		})
	}
}
