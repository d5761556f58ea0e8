package picture

import (
	"image"
	"image/color"

	"example.org/avatard/server/picture/picturetest"
)

// colourSpecimens are pictures with a colour space, in every format that can name one.
func colourSpecimens() []specimen {
	var all []specimen
	size := image.Pt(24, 16)
	plain := pngOfColours(typeRGB, 8, vivid).encode()
	sampled := jpegOfColours(vivid, 0x11, 0x11, 0x11)
	rare := jpegOfColours(vivid, 0x14, 0x11, 0x11)
	lossless := webpOf(riffChunk("VP8L", vp8l(size, vivid)))
	for _, space := range []struct {
		name      string
		primaries picturetest.Primaries
		curve     picturetest.Curve
	}{
		{"sRGB", picturetest.SRGB, picturetest.SRGBCurve()},
		{"Display P3", picturetest.DisplayP3, picturetest.SRGBCurve()},
		{"Adobe RGB", picturetest.AdobeRGB, picturetest.Gamma(2.2)},
	} {
		var q [4]color.NRGBA
		for i, c := range vivid {
			q[i] = inSRGB(space.primaries, space.curve, c)
		}
		profile := picturetest.RGBProfile(4, space.primaries, space.curve)
		add := func(name string, data []byte, size image.Point) {
			all = append(all, specimen{name: name + " in " + space.name, data: data, size: size, quarters: q})
		}
		add("PNG", withICCP(plain, profile), size)
		add("JPEG", picturetest.InJPEG(sampled.encode(), profile, 1<<15), sampled.size)
		add("JPEG, its profile in pieces,", picturetest.InJPEG(sampled.encode(), profile, 150), sampled.size)
		add("JPEG of rare sampling", picturetest.InJPEG(rare.encode(), profile, 1<<15), rare.size)
		add("WebP", picturetest.InWebP(lossless, profile, size.X, size.Y), size)
	}
	in := func(p picturetest.Primaries, c picturetest.Curve) (q [4]color.NRGBA) {
		for i, v := range vivid {
			q[i] = inSRGB(p, c, v)
		}
		return q
	}
	withChunks := func(names string, bodies ...[]byte) []byte {
		data := plain
		for i, body := range bodies {
			data = picturetest.InPNG(data, names[4*i:4*i+4], body)
		}
		return data
	}
	gamma := picturetest.GAMA(1)
	for _, row := range []struct {
		name string
		data []byte
		q    [4]color.NRGBA
	}{
		{"of light", withChunks("gAMA", gamma), in(picturetest.SRGB, picturetest.Identity())},
		{"of the usual gamma", withChunks("gAMA", picturetest.GAMA(1/2.2)), vivid},
		{"of primaries and gamma", withChunks("gAMAcHRM", picturetest.GAMA(1/2.2), picturetest.CHRM(picturetest.AdobeRGB)), in(picturetest.AdobeRGB, picturetest.Gamma(2.2))},
		{"of sRGB, which counts more than gamma", withChunks("gAMAsRGB", gamma, []byte{0}), vivid},
		{"of a coding-independent code point", withChunks("cICP", picturetest.CICP(12, 13)), in(picturetest.DisplayP3, picturetest.SRGBCurve())},
		{"with a broken profile", withChunks("iCCP", []byte("x\x00\x00broken")), vivid},
	} {
		all = append(all, specimen{name: "PNG " + row.name, data: row.data, size: size, quarters: row.q})
	}
	return all
}
