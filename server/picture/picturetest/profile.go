// Package picturetest makes what tests of colours need: ICC profiles, pictures that carry them, and what such a picture
// shows, computed in floating point from the definitions. It shares no code with package picture, so that it checks it independently.
package picturetest

import (
	"bytes"
	"encoding/binary"
	"math"
)

// A Curve is a tone curve: the tag in a profile, and its meaning.
type Curve struct {
	// Tag is a curveType or parametricCurveType: ICC.1:2022 sections 10.6 and 10.18.
	Tag []byte
	// Linear maps a coded value to light, both 0 to 1.
	Linear func(v float64) float64
}

// Gamma is a power, written as a curve with one entry. It is rounded to 1/256.
func Gamma(g float64) Curve {
	coded := math.Round(g * 256)
	tag := binary.BigEndian.AppendUint32([]byte("curv\x00\x00\x00\x00"), 1)
	return Curve{
		Tag:    binary.BigEndian.AppendUint16(tag, uint16(coded)),
		Linear: func(v float64) float64 { return math.Pow(v, coded/256) },
	}
}

// Table is any function, written as a curve with n entries, at least 2.
func Table(n int, f func(float64) float64) Curve {
	tag := binary.BigEndian.AppendUint32([]byte("curv\x00\x00\x00\x00"), uint32(n))
	for i := range n {
		tag = binary.BigEndian.AppendUint16(tag, uint16(math.Round(65535*f(float64(i)/float64(n-1)))))
	}
	return Curve{Tag: tag, Linear: f}
}

// Identity is a curve without entries: coded values are light.
func Identity() Curve {
	return Curve{
		Tag:    binary.BigEndian.AppendUint32([]byte("curv\x00\x00\x00\x00"), 0),
		Linear: func(v float64) float64 { return v },
	}
}

// Parametric is one of the five functions of ICC.1:2022 table 68, of type 0 to 4, with its parameters in the order g, a, b, c, d, e, f.
func Parametric(kind int, parameters ...float64) Curve {
	tag := append([]byte("para\x00\x00\x00\x00"), 0, byte(kind), 0, 0)
	var p [7]float64
	for i, v := range parameters {
		tag = appendFixed(tag, v)
		p[i] = v
	}
	g, a, b, c, d, e, f := p[0], p[1], p[2], p[3], p[4], p[5], p[6]
	return Curve{Tag: tag, Linear: func(v float64) float64 {
		switch {
		case kind == 0:
			return math.Pow(v, g)
		case kind == 1 && v >= -b/a:
			return math.Pow(a*v+b, g)
		case kind == 1:
			return 0
		case kind == 2 && v >= -b/a:
			return math.Pow(a*v+b, g) + c
		case kind == 2:
			return c
		case kind == 3 && v >= d:
			return math.Pow(a*v+b, g)
		case kind == 4 && v >= d:
			return math.Pow(a*v+b, g) + e
		case kind == 4:
			return c*v + f
		}
		return c * v
	}}
}

// SRGBCurve is that of IEC 61966-2-1, parametric.
func SRGBCurve() Curve { return Parametric(3, 2.4, 1/1.055, 0.055/1.055, 1/12.92, 0.04045) }

// RGBProfile is a display profile with three colorants and one curve for all channels. version is 2 or 4.
func RGBProfile(version byte, p Primaries, c Curve) []byte {
	m := p.toD50()
	tags := []tag{{"wtpt", xyzTag(d50)}}
	for i, name := range []string{"rXYZ", "gXYZ", "bXYZ"} {
		tags = append(tags, tag{name, xyzTag([3]float64{m[0][i], m[1][i], m[2][i]})})
	}
	for _, name := range []string{"rTRC", "gTRC", "bTRC"} {
		tags = append(tags, tag{name, c.Tag})
	}
	return profile(version, "RGB ", "XYZ ", tags...)
}

// GreyProfile is a display profile for pictures of one channel.
func GreyProfile(version byte, c Curve) []byte {
	return profile(version, "GRAY", "XYZ ", tag{"wtpt", xyzTag(d50)}, tag{"kTRC", c.Tag})
}

// GreyLabProfile is one whose curve gives lightness (L* / 100) in place of luminance: ICC.1:2022 section 8.3.4.
func GreyLabProfile(version byte, c Curve) []byte {
	return profile(version, "GRAY", "Lab ", tag{"wtpt", xyzTag(d50)}, tag{"kTRC", c.Tag})
}

// TableProfile is one for RGB that has nothing but a lookup table (A2B0), which makes every colour mid-grey.
func TableProfile() []byte {
	lut := append([]byte("mft1\x00\x00\x00\x00"), 3, 3, 2, 0)
	for i := range 9 {
		lut = appendFixed(lut, [9]float64{0: 1, 4: 1, 8: 1}[i])
	}
	for range 3 {
		lut = append(lut, ramp()...)
	}
	for range 8 { // corners of the cube, L*, a* and b* each
		lut = append(lut, 128, 128, 128)
	}
	for range 3 {
		lut = append(lut, ramp()...)
	}
	return profile(2, "RGB ", "Lab ", tag{"wtpt", xyzTag(d50)}, tag{"A2B0", lut})
}

// CMYKProfile is a header and a white point: enough to be recognised as one for four inks.
func CMYKProfile() []byte { return profile(2, "CMYK", "Lab ", tag{"wtpt", xyzTag(d50)}) }

func ramp() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

type tag struct {
	name string
	body []byte
}

// profile writes header, tag table and tags: ICC.1:2022 section 7.
func profile(version byte, space, connection string, tags ...tag) []byte {
	header := make([]byte, 128)
	header[8] = version
	copy(header[12:], "mntr")
	copy(header[16:], space)
	copy(header[20:], connection)
	copy(header[24:], "\x07\xea\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00") // year, month, day
	copy(header[36:], "acsp")
	copy(header[68:], xyzTag(d50)[8:])
	out := binary.BigEndian.AppendUint32(bytes.Clone(header), uint32(len(tags)))
	offset := len(out) + 12*len(tags)
	var bodies []byte
	for _, t := range tags {
		out = append(out, t.name...)
		out = binary.BigEndian.AppendUint32(out, uint32(offset+len(bodies)))
		out = binary.BigEndian.AppendUint32(out, uint32(len(t.body)))
		bodies = append(bodies, t.body...)
		for len(bodies)%4 != 0 {
			bodies = append(bodies, 0)
		}
	}
	out = append(out, bodies...)
	binary.BigEndian.PutUint32(out, uint32(len(out)))
	return out
}

func xyzTag(v [3]float64) []byte {
	b := []byte("XYZ \x00\x00\x00\x00")
	for _, x := range v {
		b = appendFixed(b, x)
	}
	return b
}

// appendFixed appends an s15Fixed16Number: ICC.1:2022 section 4.6.
func appendFixed(b []byte, v float64) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(int32(math.Round(v*65536))))
}
