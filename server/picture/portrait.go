package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math/rand/v2"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// Initials draws a Portrait with the Monogram of name.
func Initials(name string, seed uint64) []byte { return Portrait(Monogram(name), seed, 240) }

// Portrait draws a PNG for somebody who has no picture, side pixels wide and high: text, two letters at most, over a mirrored pattern
// whose shape and colour come from seed. Equal arguments give equal bytes, up to 256 pixels a few kilobytes of them. Letters that the font
// does not have (it has Latin, Greek and Cyrillic ones) are left out. Like a Sample it is in stored form. It takes two milliseconds or less up
// to 256 pixels.
func Portrait(text string, seed uint64, side int) []byte {
	random := rand.New(rand.NewPCG(seed, 0x696e697469616c)) //nolint:gosec // unpredictability is of no use here
	hue := random.Float64()
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	fill(img, img.Rect, shade(hue, 0.80))
	pattern(img, random, shade(hue, 0.68))
	if text != "" {
		letters(img, text)
	}
	var drawn image.Image = img
	if few := paletted(img); few != nil {
		drawn = few
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, drawn); err != nil {
		panic(err) // neither the buffer nor the encoder of a picture of this size can fail
	}
	return buf.Bytes()
}

// pattern fills about half of the cells of a grid that is the same on the left and on the right.
func pattern(img *image.RGBA, random *rand.Rand, c color.Color) {
	const cells = 6
	side := img.Rect.Dx()
	edge := func(i int) int { return i * side / cells }
	for y := range cells {
		for x := range cells / 2 {
			if random.IntN(2) == 0 {
				continue
			}
			for _, column := range []int{x, cells - 1 - x} {
				fill(img, image.Rect(edge(column), edge(y), edge(column+1), edge(y+1)), c)
			}
		}
	}
}

var letterFont = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(gobold.TTF) })

// letters writes text in white into the middle of img.
func letters(img *image.RGBA, text string) {
	side := img.Rect.Dx()
	parsed, err := letterFont()
	if err != nil {
		return // the pattern will do
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: float64(side) * 0.45, DPI: 72})
	if err != nil {
		return
	}
	text = strings.Map(func(r rune) rune {
		if _, ok := face.GlyphAdvance(r); !ok {
			return -1
		}
		return r
	}, text)
	pen := font.Drawer{Dst: img, Src: image.White, Face: face}
	box, _ := pen.BoundString(text)
	middle := fixed.I(side) / 2
	pen.Dot = fixed.Point26_6{
		X: middle - (box.Min.X+box.Max.X)/2,
		Y: middle - (box.Min.Y+box.Max.Y)/2,
	}
	pen.DrawString(text)
}

// Monogram returns the first letter or digit of the first and of the last word of a name, in upper case.
func Monogram(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	var text []rune
	for i, word := range words {
		if i == 0 || i == len(words)-1 {
			text = append(text, unicode.ToUpper([]rune(word)[0]))
		}
	}
	return string(text)
}

func fill(img *image.RGBA, r image.Rectangle, c color.Color) {
	draw.Draw(img, r, image.NewUniform(c), image.Point{}, draw.Src)
}

// shade returns the pastel of a hue at a brightness of 0 to 1.
func shade(hue, brightness float64) color.Color {
	c := pastel(hue)
	for i := range c {
		c[i] = byte(float64(c[i]) * brightness)
	}
	return color.RGBA{R: c[0], G: c[1], B: c[2], A: 255}
}
