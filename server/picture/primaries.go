package picture

import "math"

// primaries are the chromaticities (CIE 1931 x, y) of red, green, blue and white of a colour space.
type primaries struct{ red, green, blue, white [2]float64 }

// whiteD65 is daylight, the white of screens.
var whiteD65 = [2]float64{0.3127, 0.3290}

// primariesSRGB are those of sRGB and of BT.709.
var primariesSRGB = primaries{[2]float64{0.64, 0.33}, [2]float64{0.30, 0.60}, [2]float64{0.15, 0.06}, whiteD65}

// matrix maps three values to three.
type matrix [3][3]float64

var identity = matrix{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}

// whiteD50 is the white of the connection space of profiles, in XYZ: ICC.1:2022 section 7.2.16.
var whiteD50 = [3]float64{0.9642, 1, 0.8249}

// bradford leads from XYZ to responses like those of the eye's cones, in which one white is exchanged for another: ICC.1:2022 annex E.
var bradford = matrix{{0.8951, 0.2664, -0.1614}, {-0.7502, 1.7135, 0.0367}, {0.0389, -0.0685, 1.0296}}

// toD50 returns the matrix from light of the three primaries to XYZ with D50 as white; ok is false when they span no
// colours or lie where no light is.
func (p primaries) toD50() (m matrix, ok bool) {
	for i, c := range [...][2]float64{p.red, p.green, p.blue} {
		v := xyz(c)
		for row := range m {
			m[row][i] = v[row]
		}
	}
	inverse, ok := m.inverse()
	if !ok {
		return m, false
	}
	white := xyz(p.white)
	share := inverse.times(white) // of each primary in white
	from, to := bradford.times(white), bradford.times(whiteD50)
	var adapt matrix
	for i := range adapt {
		adapt[i][i] = to[i] / from[i]
		for row := range m {
			m[row][i] *= share[i]
		}
	}
	back, _ := bradford.inverse()
	m = back.product(adapt).product(bradford).product(m)
	return m, m.finite()
}

// toSRGB returns the matrix from light of the three primaries to light of sRGB's.
func (p primaries) toSRGB() (m matrix, ok bool) {
	m, ok = p.toD50()
	return fromD50().product(m), ok
}

// fromD50 returns the matrix from XYZ with D50 as white to light of sRGB's primaries.
func fromD50() matrix {
	m, _ := primariesSRGB.toD50()
	m, _ = m.inverse()
	return m
}

// xyz returns the colour of a chromaticity whose luminance is 1.
func xyz(c [2]float64) [3]float64 { return [3]float64{c[0] / c[1], 1, (1 - c[0] - c[1]) / c[1]} }

func (m matrix) times(v [3]float64) (out [3]float64) {
	for row := range m {
		out[row] = m[row][0]*v[0] + m[row][1]*v[1] + m[row][2]*v[2]
	}
	return out
}

func (m matrix) product(n matrix) (out matrix) {
	for column := range n {
		v := m.times([3]float64{n[0][column], n[1][column], n[2][column]})
		for row := range out {
			out[row][column] = v[row]
		}
	}
	return out
}

// inverse returns the inverse by cofactors; ok is false when there is none.
func (m matrix) inverse() (out matrix, ok bool) {
	cofactor := func(row, column int) float64 {
		a, b, c, d := (row+1)%3, (row+2)%3, (column+1)%3, (column+2)%3
		return m[a][c]*m[b][d] - m[a][d]*m[b][c]
	}
	determinant := m[0][0]*cofactor(0, 0) + m[0][1]*cofactor(0, 1) + m[0][2]*cofactor(0, 2)
	for row := range m {
		for column := range m {
			out[row][column] = cofactor(column, row) / determinant
		}
	}
	return out, out.finite()
}

// finite reports whether every element is a number of moderate size.
func (m matrix) finite() bool {
	for _, row := range m {
		for _, v := range row {
			if math.IsNaN(v) || math.Abs(v) > 1e6 {
				return false
			}
		}
	}
	return true
}
