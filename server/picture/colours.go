package picture

import (
	"math"
	"sync"
)

// colours turn the pixels of one picture into sRGB. Light outside of sRGB is cut off channel by channel, as browsers do on
// screens of sRGB. The methods of a nil pointer change nothing.
type colours struct {
	grey  bool          // the picture has no colour, and gets none
	light [3][256]int32 // of a coded value, in units of 1 / lightOne
	mix   [3][3]int     // from light to light of sRGB, in units of 1 / mixOne
	deep  *deepColours  // for pictures of 16 bits a channel, else nil
}

const (
	lightOne = 1 << 16
	mixOne   = 1 << 14
	// lightSteps is the number of steps of light at the end. In the dark, where sRGB is steepest, a step is a fifth of a level.
	lightSteps = 1 << 14
	stepShift  = 16 // lightOne × mixOne >> stepShift = lightSteps
)

// sRGBLevels holds the value in sRGB of each step of light.
var sRGBLevels = sync.OnceValue(func() *[lightSteps + 1]uint8 {
	levels := new([lightSteps + 1]uint8)
	for i := range levels {
		levels[i] = uint8(math.Round(255 * sRGBValue(float64(i)/lightSteps)))
	}
	return levels
})

// newColours prepares for pictures of a space; nil when its curves are not functions, or when its pixels are as good as sRGB
// already, by whatever name.
func newColours(space colourSpace, grey, deep bool) *colours {
	c := &colours{grey: grey}
	for row := range c.mix {
		for column := range c.mix[row] {
			c.mix[row][column] = int(math.Round(space.toSRGB[row][column] * mixOne))
		}
	}
	if grey {
		c.mix = luminanceOnly(c.mix)
	}
	for i, curve := range space.curves {
		if !fillLight(c.light[i][:], curve) {
			return nil
		}
	}
	if len(space.curves) == 1 {
		c.light[1], c.light[2] = c.light[0], c.light[0]
	}
	if c.changesNothing() {
		return nil
	}
	if deep {
		c.deep = newDeepColours(space.curves)
	}
	return c
}

// luminanceOnly gives all channels the luminance of the result: ITU-R BT.709. A grey picture with the profile of coloured ones
// stays grey.
func luminanceOnly(mix [3][3]int) (out [3][3]int) {
	for column := range out {
		y := 0.2126*float64(mix[0][column]) + 0.7152*float64(mix[1][column]) + 0.0722*float64(mix[2][column])
		for row := range out {
			out[row][column] = int(math.Round(y))
		}
	}
	return out
}

// fillLight tabulates a curve; it reports whether the curve has a value everywhere.
func fillLight(table []int32, c curve) bool {
	last := float64(len(table) - 1)
	for i := range table {
		light := c(float64(i) / last)
		if math.IsNaN(light) {
			return false
		}
		table[i] = int32(math.Round(lightOne * min(max(light, 0), 1)))
	}
	return true
}

// changesNothing tries all greys and a grid of colours. One level either way is what rounding does.
func (c *colours) changesNothing() bool {
	for v := range 256 {
		if !c.keeps(v, v, v) {
			return false
		}
	}
	const step = 15
	for r := 0; r < 256 && !c.grey; r += step {
		for g := 0; g < 256; g += step {
			for b := 0; b < 256; b += step {
				if !c.keeps(r, g, b) {
					return false
				}
			}
		}
	}
	return true
}

func (c *colours) keeps(r, g, b int) bool {
	before := [3]int{r, g, b}
	after := [4]byte{byte(r), byte(g), byte(b), 0xff}
	c.convert(after[:])
	for i, v := range before {
		if d := v - int(after[i]); d < -1 || d > 1 {
			return false
		}
	}
	return true
}

// convert changes pixels as image.NRGBA has them, in place. Invisible ones stay as they are.
func (c *colours) convert(pixels []byte) {
	if c == nil || c.isDeep() {
		return
	}
	levels := sRGBLevels()
	for ; len(pixels) >= 4; pixels = pixels[4:] {
		p := pixels[:4:4]
		if p[3] == 0 {
			continue
		}
		c.put(p, levels, int(c.light[0][p[0]]), int(c.light[1][p[1]]), int(c.light[2][p[2]]))
	}
}

// put writes the colour of a light.
func (c *colours) put(p []byte, levels *[lightSteps + 1]uint8, r, g, b int) {
	m := &c.mix
	_ = p[2]
	p[0] = levels[step(m[0][0]*r+m[0][1]*g+m[0][2]*b)]
	p[1] = levels[step(m[1][0]*r+m[1][1]*g+m[1][2]*b)]
	p[2] = levels[step(m[2][0]*r+m[2][1]*g+m[2][2]*b)]
}

// step rounds the light of a mix to a step that sRGB has.
func step(light int) int {
	const half = 1 << (stepShift - 1)
	return min(max((light+half)>>stepShift, 0), lightSteps)
}

// coloursOf returns the conversion of a picture's decoded pixels to sRGB; nil where they are sRGB already, or say nothing else that is understood.
func coloursOf(up upload) *colours {
	space, grey, deep, ok := up.space()
	if !ok {
		return nil
	}
	return newColours(space, grey, deep)
}
