package picture

import (
	"bytes"
	"image"
	"image/color"
	"math"
	"testing"

	"example.org/avatard/server/picture/picturetest"
)

// Chunks about colours count in the order of the specification: cICP, iCCP, sRGB, then gAMA and cHRM.
func TestPNGColours(t *testing.T) {
	in := color.NRGBA{200, 100, 50, 255}
	p3 := inSRGB(picturetest.DisplayP3, picturetest.SRGBCurve(), in)
	adobe := inSRGB(picturetest.AdobeRGB, picturetest.Gamma(2.2), in)
	power := func(g float64) picturetest.Curve {
		return picturetest.Curve{Linear: func(v float64) float64 { return math.Pow(v, g) }}
	}
	type chunk struct {
		name string
		body []byte
	}
	profile := picturetest.ICCP(picturetest.RGBProfile(2, picturetest.AdobeRGB, picturetest.Gamma(2.2)))
	broken := picturetest.ICCP(picturetest.RGBProfile(2, picturetest.AdobeRGB, picturetest.Gamma(2.2))[:300])
	light := chunk{"gAMA", picturetest.GAMA(1)}
	lightIn := inSRGB(picturetest.SRGB, picturetest.Identity(), in)
	for _, row := range []struct {
		about  string
		chunks []chunk
		want   color.NRGBA
	}{
		{"nothing", nil, in},
		{"cICP of sRGB", []chunk{{"cICP", picturetest.CICP(1, 13)}}, in},
		{"cICP of Display P3", []chunk{{"cICP", picturetest.CICP(12, 13)}}, p3},
		{"cICP of P3 in cinemas", []chunk{{"cICP", picturetest.CICP(11, 13)}}, inSRGB(picturetest.Primaries{Red: [2]float64{0.68, 0.32},
			Green: [2]float64{0.265, 0.69}, Blue: [2]float64{0.15, 0.06}, White: [2]float64{0.314, 0.351}}, picturetest.SRGBCurve(), in)},
		{"cICP of BT.2020", []chunk{{"cICP", picturetest.CICP(9, 14)}}, inSRGB(picturetest.BT2020, power(2.4), in)},
		{"cICP of BT.2020 with sRGB's curve", []chunk{{"cICP", picturetest.CICP(9, 13)}}, inSRGB(picturetest.BT2020, picturetest.SRGBCurve(), in)},
		{"cICP of BT.709", []chunk{{"cICP", picturetest.CICP(1, 1)}}, inSRGB(picturetest.SRGB, power(2.4), in)},
		{"cICP with 2.2", []chunk{{"cICP", picturetest.CICP(1, 4)}}, inSRGB(picturetest.SRGB, power(2.2), in)},
		{"cICP of light", []chunk{{"cICP", picturetest.CICP(1, 8)}}, lightIn},
		{"cICP before iCCP", []chunk{{"iCCP", profile}, {"cICP", picturetest.CICP(12, 13)}}, p3},
		{"cICP of sRGB before iCCP", []chunk{{"iCCP", profile}, {"cICP", picturetest.CICP(1, 13)}}, in},
		{"cICP that is unspecified", []chunk{{"iCCP", profile}, {"cICP", picturetest.CICP(2, 2)}}, adobe},
		{"cICP in narrow range", []chunk{{"iCCP", profile}, {"cICP", []byte{12, 13, 0, 0}}}, adobe},
		{"cICP with a matrix", []chunk{{"iCCP", profile}, {"cICP", []byte{12, 13, 1, 1}}}, adobe},
		{"iCCP before sRGB", []chunk{{"iCCP", profile}, {"sRGB", []byte{0}}, light}, adobe},
		{"broken iCCP, then sRGB", []chunk{{"iCCP", broken}, {"sRGB", []byte{0}}, light}, in},
		{"broken iCCP, then gAMA", []chunk{{"iCCP", broken}, light}, lightIn},
		{"sRGB before gAMA", []chunk{{"sRGB", []byte{0}}, light}, in},
		{"gAMA of light", []chunk{light}, lightIn},
		{"gAMA of 1 / 1.8", []chunk{{"gAMA", picturetest.GAMA(1 / 1.8)}}, inSRGB(picturetest.SRGB, power(1.8), in)},
		{"gAMA of 1 / 2.2", []chunk{{"gAMA", picturetest.GAMA(1 / 2.2)}}, in},
		{"gAMA of 1 / 2.2 with sRGB's cHRM", []chunk{{"gAMA", picturetest.GAMA(1 / 2.2)}, {"cHRM", picturetest.CHRM(picturetest.SRGB)}}, in},
		{"gAMA with cHRM", []chunk{{"gAMA", picturetest.GAMA(1 / 2.2)}, {"cHRM", picturetest.CHRM(picturetest.AdobeRGB)}}, adobe},
		{"cHRM alone", []chunk{{"cHRM", picturetest.CHRM(picturetest.AdobeRGB)}}, in},
		{"gAMA of zero", []chunk{{"gAMA", []byte{0, 0, 0, 0}}}, in},
		{"gAMA cut short", []chunk{{"gAMA", []byte{0, 1, 1}}}, in},
		{"cHRM of one colour", []chunk{light, {"cHRM", bytes.Repeat([]byte{0, 0, 0x50, 0}, 8)}}, lightIn},
	} {
		data := pngOf(t, flat(in))
		for _, c := range row.chunks {
			data = picturetest.InPNG(data, c.name, c.body)
		}
		if got := stored(t, data); !near(got, row.want, 1) {
			t.Errorf("%s: %v, want %v", row.about, got, row.want)
		}
	}
}

// A chunk about colours whose checksum is wrong does not count, and one behind palette or pixels comes too late.
func TestPNGColoursThatDoNotCount(t *testing.T) {
	data := withICCP(pngOf(t, flat(color.NRGBA{200, 100, 50, 255})), picturetest.RGBProfile(2, picturetest.AdobeRGB, picturetest.Gamma(1)))
	from := bytes.Index(data, []byte("iCCP")) - 4
	to := bytes.Index(data, []byte("IDAT")) - 4
	end := len(data) - 12
	late := append(bytes.Clone(data[:from]), data[to:end]...)
	late = append(append(late, data[from:to]...), data[end:]...)
	if coloursOf(opened(t, late)) != nil {
		t.Error("a profile behind the pixels counts")
	}
	damaged := bytes.Clone(data)
	damaged[to-1]++
	if coloursOf(opened(t, damaged)) != nil {
		t.Error("a profile with a wrong checksum counts")
	}
	if coloursOf(opened(t, data)) == nil {
		t.Error("the profile does not count where it should")
	}
}

// In pictures for bright screens paper keeps its lightness of about three quarters, the brightest highlight is white, and black is black.
func TestBrightSignals(t *testing.T) {
	for _, row := range []struct {
		about           string
		transfer        byte
		signal, want, d float64 // d is the tolerance
	}{
		{"PQ, black", 16, 0, 0, 0}, {"PQ, paper", 16, 0.5807, 191, 2}, {"PQ, 1,000 cd/m²", 16, 0.7518, 255, 1}, {"PQ, 10,000 cd/m²", 16, 1, 255, 0},
		{"HLG, black", 18, 0, 0, 0}, {"HLG, paper", 18, 0.75, 191, 2}, {"HLG, 1,000 cd/m²", 18, 1, 255, 1},
	} {
		v := byte(math.Round(255 * row.signal))
		img := image.NewGray(image.Rect(0, 0, 4, 4))
		for i := range img.Pix {
			img.Pix[i] = v
		}
		got := stored(t, picturetest.InPNG(pngOf(t, img), "cICP", picturetest.CICP(9, row.transfer)))
		if math.Abs(float64(got.R)-row.want) > row.d || got.R != got.B {
			t.Errorf("%s: %v, want %v", row.about, got, row.want)
		}
	}
}
