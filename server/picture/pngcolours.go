package picture

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// Fields of IHDR, the first chunk of every PNG: PNG specification, third edition, section 11.2.1.
const (
	pngDepthAt = len(pngSignature) + 8 + 8
	pngTypeAt  = pngDepthAt + 1
)

// pngGrey reports whether a PNG has no colour.
func pngGrey(data []byte) bool {
	const colourUsed = 1 << 1
	return data[pngTypeAt]&colourUsed == 0
}

// pngDeep reports whether a PNG has 16 bits a channel.
func pngDeep(data []byte) bool { return data[pngDepthAt] == 16 }

// pngColours returns the colour space of a PNG; ok is false where it is sRGB or not known. Of these chunks the first that is there and
// understood counts: cICP, iCCP, sRGB, then gAMA with cHRM (section 4.3).
func pngColours(data []byte, grey bool) (space colourSpace, ok bool) {
	if space, ok := cicpColours(pngColourChunk(data, "cICP")); ok {
		return space, true
	}
	if space, ok := profileFor(pngProfile(pngColourChunk(data, "iCCP")), grey); ok {
		return space, true
	}
	if pngColourChunk(data, "sRGB") != nil {
		return colourSpace{}, false
	}
	return gammaColours(pngColourChunk(data, "gAMA"), pngColourChunk(data, "cHRM"))
}

// pngColourChunk returns the content of the first chunk of a type before palette and pixels, where chunks about colours have to stand
// (section 5.6); nil if there is none or its checksum is wrong.
func pngColourChunk(data []byte, name string) []byte {
	body := pngChunkBefore(data, name, "PLTE", "IDAT")
	if body == nil {
		return nil
	}
	sum := crc32.Update(crc32.ChecksumIEEE([]byte(name)), crc32.IEEETable, body)
	if sum != binary.BigEndian.Uint32(body[len(body):len(body)+4]) { // the chunk was there as a whole
		return nil
	}
	return body
}

// cHRM and gAMA hold numbers times 100,000: sections 11.3.2.1 and 11.3.2.2.
const pngNumberOne = 100000

// gammaColours reads gAMA and cHRM. Without cHRM the primaries are those of sRGB. With those, 1/2.2 means sRGB, which had no chunk of
// its own once, and not exactly that power, which is darker in the dark.
func gammaColours(gama, chrm []byte) (space colourSpace, ok bool) {
	const ofSRGB, rounding = 1 / 2.2, 0.005
	if len(gama) != 4 {
		return colourSpace{}, false
	}
	gamma := float64(binary.BigEndian.Uint32(gama)) / pngNumberOne
	if gamma < 0.01 || gamma > 100 {
		return colourSpace{}, false
	}
	p, ok := pngPrimaries(chrm)
	if !ok || p.nearly(primariesSRGB) {
		return oneCurve(power(1/gamma), identity), math.Abs(gamma-ofSRGB) > rounding
	}
	toSRGB, ok := p.toSRGB()
	return oneCurve(power(1/gamma), toSRGB), ok
}

// pngPrimaries reads cHRM.
func pngPrimaries(chrm []byte) (p primaries, ok bool) {
	if len(chrm) != 32 {
		return p, false
	}
	for i, c := range [...]*[2]float64{&p.white, &p.red, &p.green, &p.blue} {
		for axis := range c {
			c[axis] = float64(binary.BigEndian.Uint32(chrm[8*i+4*axis:])) / pngNumberOne
		}
	}
	_, ok = p.toSRGB()
	return p, ok
}

// nearly reports whether two sets are the same but for rounding, which differs between writers.
func (p primaries) nearly(q primaries) bool {
	const rounding = 0.002
	a, b := [...][2]float64{p.red, p.green, p.blue, p.white}, [...][2]float64{q.red, q.green, q.blue, q.white}
	for i := range a {
		for axis, v := range a[i] {
			if d := v - b[i][axis]; d > rounding || d < -rounding {
				return false
			}
		}
	}
	return true
}
