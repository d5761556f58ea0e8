package picture

import (
	"bytes"
	"encoding/binary"
	"math"
)

// maxProfileBytes bounds a colour profile. Those of the kinds that are understood have less than 10 kB; tables for
// printers, which have more, are not looked at.
const maxProfileBytes = 1 << 20

const (
	profileHeaderBytes = 128
	tagEntryBytes      = 12
)

// parseProfile reads an ICC profile of version 2 or 4 (ICC.1:2022): RGB with primaries and curves, or grey with a curve.
// grey tells which. ok is false for everything else – profiles with lookup tables only, those of inks, broken ones –
// whose pictures are taken for sRGB. Of a profile with both tables and primaries the latter are used.
func parseProfile(data []byte) (space colourSpace, grey, ok bool) {
	p, ok := newProfile(data)
	if !ok {
		return space, false, false
	}
	switch {
	case p.space == "RGB " && p.connection == "XYZ ":
		space, ok = p.rgb()
		return space, false, ok
	case p.space == "GRAY":
		space, ok = p.grey()
		return space, true, ok
	}
	return space, false, false
}

// profile is an ICC profile whose header and tag table lie inside its data.
type profile struct {
	data              []byte
	space, connection string
	tags              []byte
}

// newProfile checks the header: ICC.1:2022 section 7.2.
func newProfile(data []byte) (profile, bool) {
	const versionAt, classAt, spaceAt, connectionAt, signatureAt = 8, 12, 16, 20, 36
	if len(data) < profileHeaderBytes+4 || len(data) > maxProfileBytes || string(data[signatureAt:][:4]) != "acsp" {
		return profile{}, false
	}
	size := binary.BigEndian.Uint32(data)
	if size < profileHeaderBytes+4 || uint64(size) > uint64(len(data)) {
		return profile{}, false
	}
	data = data[:size]
	if data[versionAt] > 4 {
		return profile{}, false
	}
	switch string(data[classAt:][:4]) {
	case "scnr", "mntr", "prtr", "spac": // other classes link devices or name colours, and do not describe pictures
	default:
		return profile{}, false
	}
	tags := data[profileHeaderBytes+4:]
	count := binary.BigEndian.Uint32(data[profileHeaderBytes:])
	if uint64(count)*tagEntryBytes > uint64(len(tags)) {
		return profile{}, false
	}
	return profile{
		data:       data,
		space:      string(data[spaceAt:][:4]),
		connection: string(data[connectionAt:][:4]),
		tags:       tags[:count*tagEntryBytes],
	}, true
}

// tag returns the content of the first tag of a name, nil if there is none or it lies outside.
func (p profile) tag(name string) []byte {
	for entry := p.tags; len(entry) >= tagEntryBytes; entry = entry[tagEntryBytes:] {
		if string(entry[:4]) != name {
			continue
		}
		offset, size := uint64(binary.BigEndian.Uint32(entry[4:])), uint64(binary.BigEndian.Uint32(entry[8:]))
		if offset+size > uint64(len(p.data)) {
			return nil
		}
		return p.data[offset : offset+size]
	}
	return nil
}

// rgb reads a profile with three primaries and curves: ICC.1:2022 section 8.3.2 and annex F.3.
func (p profile) rgb() (colourSpace, bool) {
	curves := make([]curve, 3)
	var toD50 matrix
	for i, channel := range []string{"r", "g", "b"} {
		colour, ok := xyzTag(p.tag(channel + "XYZ"))
		if !ok {
			return colourSpace{}, false
		}
		for row := range toD50 {
			toD50[row][i] = colour[row]
		}
		if curves[i], ok = curveTag(p.tag(channel + "TRC")); !ok {
			return colourSpace{}, false
		}
	}
	if red := p.tag("rTRC"); bytes.Equal(red, p.tag("gTRC")) && bytes.Equal(red, p.tag("bTRC")) {
		curves = curves[:1]
	}
	return colourSpace{curves: curves, toSRGB: fromD50().product(toD50)}, true
}

// grey reads a profile with one curve, which leads to luminance, or to lightness where the connection space is Lab:
// ICC.1:2022 section 8.3.4 and annex F.2.
func (p profile) grey() (colourSpace, bool) {
	c, ok := curveTag(p.tag("kTRC"))
	switch {
	case !ok:
		return colourSpace{}, false
	case p.connection == "XYZ ":
		return oneCurve(c, identity), true
	case p.connection == "Lab ":
		return oneCurve(func(v float64) float64 { return luminance(c(v)) }, identity), true
	}
	return colourSpace{}, false
}

// luminance returns Y of a lightness L* / 100: CIE 15, section 8.2.1.
func luminance(lightness float64) float64 {
	f := (100*lightness + 16) / 116
	if f > 24.0/116 {
		return f * f * f
	}
	return (f - 16.0/116) * 108 / 841
}

// xyzTag reads the first value of an XYZType: ICC.1:2022 section 10.31.
func xyzTag(tag []byte) (v [3]float64, ok bool) {
	const headerBytes = 8
	if len(tag) < headerBytes+12 || string(tag[:4]) != "XYZ " {
		return v, false
	}
	for i := range v {
		v[i] = fixed16(tag[headerBytes+4*i:])
	}
	return v, true
}

// fixed16 reads an s15Fixed16Number: ICC.1:2022 section 4.6.
func fixed16(b []byte) float64 { return float64(int32(binary.BigEndian.Uint32(b))) / 65536 }

// curveTag reads a curveType or a parametricCurveType.
func curveTag(tag []byte) (curve, bool) {
	const headerBytes = 12
	if len(tag) < headerBytes {
		return nil, false
	}
	switch string(tag[:4]) {
	case "curv":
		return sampledCurve(binary.BigEndian.Uint32(tag[8:]), tag[headerBytes:])
	case "para":
		return parametricCurve(binary.BigEndian.Uint16(tag[8:]), tag[headerBytes:])
	}
	return nil, false
}

// sampledCurve reads the entries of a curveType: ICC.1:2022 section 10.6. None mean that values are light, one is an
// exponent, more are samples of a function, between which lies a straight line.
func sampledCurve(count uint32, entries []byte) (curve, bool) {
	if 2*uint64(count) > uint64(len(entries)) {
		return nil, false
	}
	entry := func(i int) float64 { return float64(binary.BigEndian.Uint16(entries[2*i:])) }
	switch count {
	case 0:
		return func(v float64) float64 { return v }, true
	case 1:
		return power(entry(0) / 256), entry(0) > 0
	}
	last := int(count) - 1
	return func(v float64) float64 {
		at := v * float64(last)
		i := min(int(at), last-1)
		part := at - float64(i)
		return (entry(i)*(1-part) + entry(i+1)*part) / 65535
	}, true
}

// parametricCurve reads the function and the parameters of a parametricCurveType: ICC.1:2022 section 10.18, table 68.
func parametricCurve(function uint16, parameters []byte) (curve, bool) {
	counts := [...]int{1, 3, 4, 5, 7}
	if int(function) >= len(counts) || len(parameters) < 4*counts[function] {
		return nil, false
	}
	var p [7]float64
	for i := range counts[function] {
		p[i] = fixed16(parameters[4*i:])
	}
	g, a, b, c, d, e, f := p[0], p[1], p[2], p[3], p[4], p[5], p[6]
	switch function {
	case 0:
		return power(g), true
	case 1: // nothing below -b/a
		d = -b / a
	case 2: // c is added everywhere
		d, e, f, c = -b/a, c, c, 0
	}
	return func(v float64) float64 {
		if v >= d {
			return math.Pow(a*v+b, g) + e
		}
		return c*v + f
	}, true
}
