package picturetest

import "math"

// Primaries are the chromaticities (CIE 1931 x, y) of a colour space.
type Primaries struct{ Red, Green, Blue, White [2]float64 }

var d65 = [2]float64{0.3127, 0.3290}

// Colour spaces that pictures come in.
var (
	SRGB        = Primaries{[2]float64{0.64, 0.33}, [2]float64{0.30, 0.60}, [2]float64{0.15, 0.06}, d65}
	DisplayP3   = Primaries{[2]float64{0.68, 0.32}, [2]float64{0.265, 0.69}, [2]float64{0.15, 0.06}, d65}
	AdobeRGB    = Primaries{[2]float64{0.64, 0.33}, [2]float64{0.21, 0.71}, [2]float64{0.15, 0.06}, d65}
	BT2020      = Primaries{[2]float64{0.708, 0.292}, [2]float64{0.17, 0.797}, [2]float64{0.131, 0.046}, d65}
	ProPhotoRGB = Primaries{[2]float64{0.734699, 0.265301}, [2]float64{0.159597, 0.840403}, [2]float64{0.036598, 0.000105}, [2]float64{0.345704, 0.358540}}
)

// d50 is the white of the profile connection space: ICC.1:2022 section 7.2.16.
var d50 = [3]float64{0.9642, 1, 0.8249}

// ToSRGB converts a coded colour (0 to 1) of a colour space to sRGB, 0 to 255, not rounded. Values outside of sRGB are
// cut off channel by channel.
func ToSRGB(p Primaries, c Curve, rgb [3]float64) [3]float64 {
	for i, v := range rgb {
		rgb[i] = c.Linear(v)
	}
	light := SRGB.toD50().inverse().times(p.toD50().times(rgb))
	for i, v := range light {
		light[i] = 255 * encoded(v)
	}
	return light
}

// GreyToSRGB does the same for a grey value whose light is luminance.
func GreyToSRGB(c Curve, v float64) float64 { return 255 * encoded(c.Linear(v)) }

// encoded is the transfer function of IEC 61966-2-1.
func encoded(v float64) float64 {
	v = min(max(v, 0), 1)
	if v <= 0.0031308 {
		return 12.92 * v
	}
	return 1.055*math.Pow(v, 1/2.4) - 0.055
}

type matrix [3][3]float64

// toD50 returns the matrix from light of the three primaries to XYZ, adapted to D50 by Bradford's method (ICC.1:2022 annex E).
func (p Primaries) toD50() matrix {
	bradford := matrix{{0.8951, 0.2664, -0.1614}, {-0.7502, 1.7135, 0.0367}, {0.0389, -0.0685, 1.0296}}
	var m matrix
	for i, c := range [3][3]float64{xyz(p.Red), xyz(p.Green), xyz(p.Blue)} {
		for row := range m {
			m[row][i] = c[row]
		}
	}
	white := xyz(p.White)
	amount := m.inverse().times(white)
	from, to := bradford.times(white), bradford.times(d50)
	var scale matrix
	for i := range scale {
		scale[i][i] = to[i] / from[i]
	}
	adapt := bradford.inverse().product(scale.product(bradford))
	for row := range m {
		for i := range m[row] {
			m[row][i] *= amount[i]
		}
	}
	return adapt.product(m)
}

// xyz returns the colour of chromaticity c whose Y is 1.
func xyz(c [2]float64) [3]float64 { return [3]float64{c[0] / c[1], 1, (1 - c[0] - c[1]) / c[1]} }

func (m matrix) times(v [3]float64) (out [3]float64) {
	for row := range m {
		out[row] = m[row][0]*v[0] + m[row][1]*v[1] + m[row][2]*v[2]
	}
	return out
}

func (m matrix) product(n matrix) (out matrix) {
	for row := range m {
		for column := range m {
			for i := range m {
				out[row][column] += m[row][i] * n[i][column]
			}
		}
	}
	return out
}

// inverse is by cofactors.
func (m matrix) inverse() (out matrix) {
	cofactor := func(row, column int) float64 {
		a, b, c, d := (row+1)%3, (row+2)%3, (column+1)%3, (column+2)%3
		return m[a][c]*m[b][d] - m[a][d]*m[b][c]
	}
	det := m[0][0]*cofactor(0, 0) + m[0][1]*cofactor(0, 1) + m[0][2]*cofactor(0, 2)
	for row := range m {
		for column := range m {
			out[row][column] = cofactor(column, row) / det
		}
	}
	return out
}
