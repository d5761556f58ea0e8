package picture

import "encoding/binary"

// deepColours hold the light of values of 16 bits: in eight bits, several dark colours of a space close to light would become one.
type deepColours struct{ light [3][1 << 16]int32 }

func newDeepColours(curves []curve) *deepColours {
	d := new(deepColours)
	for i, curve := range curves {
		fillLight(d.light[i][:], curve)
	}
	if len(curves) == 1 {
		d.light[1], d.light[2] = d.light[0], d.light[0]
	}
	return d
}

// isDeep reports whether c is for pictures of 16 bits a channel, whose pixels convertDeep converts and convert leaves alone.
func (c *colours) isDeep() bool { return c != nil && c.deep != nil }

// convertDeep turns pixels as image.NRGBA64 has them into pixels as image.NRGBA has them, in sRGB.
func (c *colours) convertDeep(pixels, deep []byte) {
	levels := sRGBLevels()
	light := &c.deep.light
	for ; len(pixels) >= 4; pixels, deep = pixels[4:], deep[8:] {
		p := pixels[:4:4]
		r, g, b := binary.BigEndian.Uint16(deep), binary.BigEndian.Uint16(deep[2:]), binary.BigEndian.Uint16(deep[4:])
		c.put(p, levels, int(light[0][r]), int(light[1][g]), int(light[2][b]))
		p[3] = deep[6]
	}
}
