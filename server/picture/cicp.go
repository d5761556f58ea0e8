package picture

import "math"

// cicpColours reads the four numbers of ITU-T H.273 that a PNG chunk cICP holds: primaries, transfer function, matrix and
// range (PNG specification, third edition, section 11.3.2.6). ok is false for numbers that are not understood: anything but RGB in full
// range, and transfer functions that are unspecified or for film.
func cicpColours(chunk []byte) (space colourSpace, ok bool) {
	const rgb, fullRange = 0, 1
	if len(chunk) != 4 || chunk[2] != rgb || chunk[3] != fullRange {
		return colourSpace{}, false
	}
	p, ok := cicpPrimaries(chunk[0])
	if !ok {
		return colourSpace{}, false
	}
	c := cicpCurve(chunk[1])
	if c == nil {
		return colourSpace{}, false
	}
	toSRGB, ok := p.toSRGB()
	return oneCurve(c, toSRGB), ok
}

// cicpPrimaries returns the primaries of a number in table 2 of H.273.
func cicpPrimaries(number byte) (primaries, bool) {
	switch number {
	case 1: // BT.709, sRGB
		return primariesSRGB, true
	case 5: // BT.601 with 625 lines
		return primaries{[2]float64{0.64, 0.33}, [2]float64{0.29, 0.60}, [2]float64{0.15, 0.06}, whiteD65}, true
	case 6, 7: // BT.601 with 525 lines
		return primaries{[2]float64{0.63, 0.34}, [2]float64{0.31, 0.595}, [2]float64{0.155, 0.07}, whiteD65}, true
	case 9: // BT.2020
		return primaries{[2]float64{0.708, 0.292}, [2]float64{0.17, 0.797}, [2]float64{0.131, 0.046}, whiteD65}, true
	case 11: // P3 of cinemas
		return primaries{[2]float64{0.68, 0.32}, [2]float64{0.265, 0.69}, [2]float64{0.15, 0.06}, [2]float64{0.314, 0.351}}, true
	case 12: // P3 of screens
		return primaries{[2]float64{0.68, 0.32}, [2]float64{0.265, 0.69}, [2]float64{0.15, 0.06}, whiteD65}, true
	}
	return primaries{}, false
}

// cicpCurve returns the curve of a number in table 3 of H.273, nil for one that is not understood.
func cicpCurve(number byte) curve {
	switch number {
	case 1, 6, 14, 15: // BT.709, BT.601, BT.2020: cameras code so for screens of the exponent 2.4 (BT.1886)
		return power(2.4)
	case 4:
		return power(2.2)
	case 5:
		return power(2.8)
	case 8:
		return power(1)
	case 13:
		return sRGBLight
	case 16:
		return perceptualQuantizer
	case 18:
		return hybridLogGamma
	}
	return nil
}

// The two curves below have light brighter than paper, which sRGB cannot show. ITU-R BT.2408 puts paper at 203 cd/m². Chromium and others
// make it darker, to have room for highlights up to 1,000 cd/m²; so does this package, for each channel by itself.
const (
	paperWhite   = 203.0 // cd/m²
	highlight    = 1000 / paperWhite
	highlightMap = 1 / (highlight * highlight)
)

// toneMapped brings light, 1 being paper, down so that the highlights become 1 (Reinhard's extended operator).
func toneMapped(light float64) float64 { return light * (1 + highlightMap*light) / (1 + light) }

// perceptualQuantizer is PQ: SMPTE ST 2084, ITU-R BT.2100 table 4.
func perceptualQuantizer(v float64) float64 {
	const (
		m1, m2     = 2610.0 / 16384, 2523.0 / 4096 * 128
		c1, c2, c3 = 3424.0 / 4096, 2413.0 / 4096 * 32, 2392.0 / 4096 * 32
		peak       = 10000 // cd/m²
	)
	e := math.Pow(v, 1/m2)
	return toneMapped(math.Pow(max(e-c1, 0)/(c2-c3*e), 1/m1) * peak / paperWhite)
}

// hybridLogGamma is HLG on a screen of 1,000 cd/m², where paper is at three quarters of the signal: ITU-R BT.2100 table 5. The
// screen's exponent is taken of each channel by itself, which is exact for greys.
func hybridLogGamma(v float64) float64 {
	const a, b, c = 0.17883277, 0.28466892, 0.55991073
	const screen = 1.2
	scene := v * v / 3
	if v > 0.5 {
		scene = (math.Exp((v-c)/a) + b) / 12
	}
	return toneMapped(math.Pow(scene, screen) * highlight)
}
