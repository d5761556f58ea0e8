package picture

import "math"

// A curve maps a coded value to light, both 0 to 1. Its result may lie outside, and may be NaN.
type curve func(v float64) float64

// colourSpace gives the values of a picture their meaning: each channel is light by its curve, of primaries that the matrix
// relates to those of sRGB. One curve is for all channels.
type colourSpace struct {
	curves []curve // one or three
	toSRGB matrix
}

// sRGBLight is the curve of sRGB, and sRGBValue its inverse: IEC 61966-2-1.
func sRGBLight(v float64) float64 {
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

func sRGBValue(light float64) float64 {
	if light <= 0.0031308 {
		return 12.92 * light
	}
	return 1.055*math.Pow(light, 1/2.4) - 0.055
}

// power returns the curve vᵍ.
func power(g float64) curve {
	return func(v float64) float64 { return math.Pow(v, g) }
}

// oneCurve returns the space whose channels share a curve.
func oneCurve(c curve, toSRGB matrix) colourSpace {
	return colourSpace{curves: []curve{c}, toSRGB: toSRGB}
}
