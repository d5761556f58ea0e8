package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math/rand/v2"
	"strings"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

const portraitSide = 240 // pixels

// Initials draws a PNG of at most a few kilobytes for somebody who has no picture: the first letters of the first
// and last word of name over a mirrored pattern, whose shape and colour come from seed. Equal arguments give equal
// bytes. Letters that the font does not have (it has Latin, Greek and Cyrillic ones) are left out. Like a Sample it
// is in stored form. It takes about two milliseconds.
func Initials(name string, seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, 0x696e697469616c)) //nolint:gosec // unpredictability is of no use here
	hue := random.Float64()
	img := image.NewRGBA(image.Rect(0, 0, portraitSide, portraitSide))
	fill(img, img.Rect, shade(hue, 0.80))
	pattern(img, random, shade(hue, 0.68))
	letters(img, initials(name))
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
	const cells, cell = 6, portraitSide / 6
	for y := range cells {
		for x := range cells / 2 {
			if random.IntN(2) == 0 {
				continue
			}
			for _, column := range []int{x, cells - 1 - x} {
				fill(img, image.Rect(column*cell, y*cell, (column+1)*cell, (y+1)*cell), c)
			}
		}
	}
}

// letters writes text in white into the middle of img.
func letters(img *image.RGBA, text string) {
	parsed, err := opentype.Parse(gobold.TTF)
	if err != nil {
		return // the pattern will do
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: portraitSide * 0.45, DPI: 72})
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
	middle := fixed.I(portraitSide / 2)
	pen.Dot = fixed.Point26_6{
		X: middle - (box.Min.X+box.Max.X)/2,
		Y: middle - (box.Min.Y+box.Max.Y)/2,
	}
	pen.DrawString(text)
}

// initials returns the first letter or digit of the first and of the last word, in upper case.
func initials(name string) string {
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
