package picture

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"math"
	"testing"

	"example.org/avatard/server/picture/picturetest"
)

// flat returns a picture in one colour.
func flat(c color.NRGBA) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, 16, 16))
	for i := 0; i < len(img.Pix); i += 4 {
		copy(img.Pix[i:], []byte{c.R, c.G, c.B, c.A})
	}
	return img
}

func withICCP(png, profile []byte) []byte {
	return picturetest.InPNG(png, "iCCP", picturetest.ICCP(profile))
}

// stored normalizes an upload and returns the colour in its middle.
func stored(t *testing.T, data []byte) color.NRGBA {
	t.Helper()
	got, err := New(Config{}).Normalize(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	return color.NRGBAModel.Convert(decoded(t, got).At(got.Width/2, got.Height/2)).(color.NRGBA)
}

// inSRGB converts a colour of a space to sRGB.
func inSRGB(p picturetest.Primaries, c picturetest.Curve, in color.NRGBA) color.NRGBA {
	v := picturetest.ToSRGB(p, c, [3]float64{float64(in.R) / 255, float64(in.G) / 255, float64(in.B) / 255})
	return color.NRGBA{byte(math.Round(v[0])), byte(math.Round(v[1])), byte(math.Round(v[2])), in.A}
}

// Colours of other spaces become those of sRGB, in every kind of file and pixels.
func TestProfilesAreConverted(t *testing.T) {
	sRGB, gamma := picturetest.SRGBCurve(), picturetest.Gamma(2.2)
	for i, row := range []struct {
		about     string
		primaries picturetest.Primaries
		curve     picturetest.Curve
	}{
		{"Display P3", picturetest.DisplayP3, sRGB},
		{"Adobe RGB", picturetest.AdobeRGB, gamma},
		{"ProPhoto RGB", picturetest.ProPhotoRGB, picturetest.Gamma(1.8)},
		{"BT.2020", picturetest.BT2020, picturetest.Table(1024, func(v float64) float64 { return math.Pow(v, 2.4) })},
		{"light of sRGB", picturetest.SRGB, picturetest.Identity()},
	} {
		for _, in := range []color.NRGBA{{117, 251, 76, 255}, {200, 100, 50, 255}, {12, 20, 30, 255}, {128, 128, 128, 255}, {224, 172, 105, 100}} {
			want := inSRGB(row.primaries, row.curve, in)
			opaque := flat(color.NRGBA{in.R, in.G, in.B, 255})
			palette := image.NewPaletted(opaque.Rect, color.Palette{in})
			deep := image.NewNRGBA64(opaque.Rect)
			for i := range deep.Pix {
				deep.Pix[i] = []byte{in.R, in.R, in.G, in.G, in.B, in.B, in.A, in.A}[i%8]
			}
			version := byte(2 + 2*(i%2))
			profile := picturetest.RGBProfile(version, row.primaries, row.curve)
			wantOpaque := want
			wantOpaque.A = 255
			for _, file := range []struct {
				about     string
				data      []byte
				want      color.NRGBA
				tolerance int
			}{
				{"PNG", withICCP(pngOf(t, flat(in)), profile), want, 1},
				{"PNG with a palette", withICCP(pngOf(t, palette), profile), want, 1},
				{"PNG of 16 bits", withICCP(pngOf(t, deep), profile), want, 1},
				{"JPEG", picturetest.InJPEG(jpegOf(t, opaque), profile, 1<<15), wantOpaque, 3},
				{"JPEG with a profile in pieces", picturetest.InJPEG(jpegOf(t, opaque), profile, 200), wantOpaque, 3},
			} {
				if got := stored(t, file.data); !near(got, file.want, file.tolerance) {
					t.Errorf("%s, version %d, %s: %v became %v, want %v", row.about, version, file.about, in, got, file.want)
				}
			}
		}
	}
}

// The green that a browser paints for this colour of a phone's camera is the purest of sRGB.
func TestDisplayP3Green(t *testing.T) {
	green := withICCP(pngOf(t, flat(color.NRGBA{117, 251, 76, 255})), picturetest.RGBProfile(4, picturetest.DisplayP3, picturetest.SRGBCurve()))
	if got, want := stored(t, green), (color.NRGBA{0, 255, 0, 255}); !near(got, want, 3) {
		t.Errorf("Display P3 (117, 251, 76) became %v, want %v", got, want)
	}
}

// A ramp of Adobe RGB comes out within 38 dB of the result of floating point arithmetic.
func TestAdobeRGBRamp(t *testing.T) {
	curve := picturetest.Gamma(563.0 / 256)
	img := image.NewNRGBA(image.Rect(0, 0, 256, 64))
	for i := range img.Rect.Dx() * img.Rect.Dy() {
		x, y := i%256, i/256
		copy(img.Pix[4*i:], []byte{byte(x), byte(4 * y), byte(255 - x), 255})
	}
	profile := picturetest.RGBProfile(2, picturetest.AdobeRGB, curve)
	for about, data := range map[string][]byte{"PNG": withICCP(pngOf(t, img), profile), "JPEG": picturetest.InJPEG(jpegOf(t, img), profile, 1<<15)} {
		e, err := New(Config{}).Normalize(t.Context(), data)
		if err != nil {
			t.Fatal(err)
		}
		got := decoded(t, e)
		sum := 0.0
		for i := 0; i < len(img.Pix); i += 4 {
			v := img.Pix[i:]
			c := color.NRGBAModel.Convert(got.At(i/4%256, i/4/256)).(color.NRGBA)
			want := picturetest.ToSRGB(picturetest.AdobeRGB, curve, [3]float64{float64(v[0]) / 255, float64(v[1]) / 255, float64(v[2]) / 255})
			for channel, have := range [3]byte{c.R, c.G, c.B} {
				d := float64(have) - want[channel]
				sum += d * d
			}
		}
		if psnr := 10 * math.Log10(255*255/(sum/float64(3*256*64))); psnr < 38 {
			t.Errorf("%s: %.1f dB, want 38 or more", about, psnr)
		}
	}
}

func TestWebPProfiles(t *testing.T) {
	profile := picturetest.RGBProfile(4, picturetest.AdobeRGB, picturetest.Gamma(2.2))
	for _, row := range flatWebP {
		data, err := base64.StdEncoding.DecodeString(row.data)
		if err != nil {
			t.Fatal(err)
		}
		src, err := New(Config{}).Open(data)
		if err != nil {
			t.Fatal(err)
		}
		want := inSRGB(picturetest.AdobeRGB, picturetest.Gamma(2.2), row.want)
		if got := stored(t, picturetest.InWebP(data, profile, src.dimensions().X, src.dimensions().Y)); !near(got, want, 3) {
			t.Errorf("lossy %s: %v, want %v", row.about, got, want)
		}
	}
	data := picturetest.InWebP(webpFile(t, "lossless"), profile, 24, 16)
	got, err := New(Config{}).Normalize(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	if c, want := decoded(t, got).At(1, 1), inSRGB(picturetest.AdobeRGB, picturetest.Gamma(2.2), color.NRGBA{R: 220, A: 255}); !near(c, want, 1) {
		t.Errorf("lossless: %v, want %v", c, want)
	}
	chunk := bytes.Index(data, []byte("VP8X")) + chunkHeaderBytes
	data[chunk] &^= 1 << 5 // the header says that there is no profile
	if coloursOf(opened(t, data)) != nil {
		t.Error("a profile that the header does not announce counts")
	}
}

// Grey pictures stay grey, whichever kind of profile they have.
func TestGreyProfiles(t *testing.T) {
	const in = 100
	grey := image.NewGray(image.Rect(0, 0, 16, 16))
	deep := image.NewGray16(grey.Rect)
	seeThrough := flat(color.NRGBA{in, in, in, 128})
	for i := range grey.Pix {
		grey.Pix[i] = in
		copy(deep.Pix[2*i:], []byte{in, in})
	}
	gamma := picturetest.Gamma(1.8)
	want := byte(math.Round(picturetest.GreyToSRGB(gamma, in/255.0)))
	lightness := byte(math.Round(picturetest.GreyToSRGB(picturetest.Table(2, func(v float64) float64 { return math.Pow((100*v+16)/116, 3) }), in/255.0)))
	for _, row := range []struct {
		about string
		data  []byte
		want  color.NRGBA
	}{
		{"PNG", withICCP(pngOf(t, grey), picturetest.GreyProfile(2, gamma)), color.NRGBA{want, want, want, 255}},
		{"PNG, version 4", withICCP(pngOf(t, grey), picturetest.GreyProfile(4, gamma)), color.NRGBA{want, want, want, 255}},
		{"PNG of 16 bits", withICCP(pngOf(t, deep), picturetest.GreyProfile(2, gamma)), color.NRGBA{want, want, want, 255}},
		{"PNG with alpha", withICCP(greyAlphaPNG(seeThrough), picturetest.GreyProfile(2, gamma)), color.NRGBA{want, want, want, 128}},
		{"PNG with a profile for colours", withICCP(pngOf(t, grey), picturetest.RGBProfile(2, picturetest.AdobeRGB, gamma)), color.NRGBA{want, want, want, 255}},
		{"PNG with lightness", withICCP(pngOf(t, grey), picturetest.GreyLabProfile(2, picturetest.Identity())), color.NRGBA{lightness, lightness, lightness, 255}},
		{"JPEG", picturetest.InJPEG(jpegOf(t, grey), picturetest.GreyProfile(2, gamma), 100), color.NRGBA{want, want, want, 255}},
		{"JPEG with a profile for colours", picturetest.InJPEG(jpegOf(t, grey), picturetest.RGBProfile(2, picturetest.AdobeRGB, gamma), 100), color.NRGBA{want, want, want, 255}},
	} {
		got := stored(t, row.data)
		if !near(got, row.want, 1) || got.R != got.G || got.G != got.B {
			t.Errorf("%s: %v, want %v", row.about, got, row.want)
		}
	}
}

// greyAlphaPNG writes a PNG of grey and alpha, which the standard library does not.
func greyAlphaPNG(img *image.NRGBA) []byte {
	size := img.Rect.Size()
	out := appendChunk([]byte(pngSignature), "IHDR", func(b []byte) []byte {
		return append(b, 0, 0, 0, byte(size.X), 0, 0, 0, byte(size.Y), 8, 4, 0, 0, 0)
	})
	out = appendChunk(out, "IDAT", func(b []byte) []byte {
		var rows []byte
		for y := range size.Y {
			rows = append(rows, 0)
			for x := range size.X {
				c := img.NRGBAAt(x, y)
				rows = append(rows, c.R, c.A)
			}
		}
		return appendStored(b, rows)
	})
	return appendChunk(out, "IEND", func(b []byte) []byte { return b })
}

// All 16 bits count until light has become sRGB, where the darkest levels lie close together.
func TestDeepColoursInTheDark(t *testing.T) {
	linear := picturetest.RGBProfile(4, picturetest.SRGB, picturetest.Identity())
	for _, v := range []uint16{20, 60, 128, 200, 400} {
		img := image.NewNRGBA64(image.Rect(0, 0, 2, 2))
		for y := range 2 {
			for x := range 2 {
				img.SetNRGBA64(x, y, color.NRGBA64{R: v, G: v, B: v, A: 0xffff})
			}
		}
		want := byte(math.Round(picturetest.GreyToSRGB(picturetest.Identity(), float64(v)/65535)))
		if got := stored(t, withICCP(pngOf(t, img), linear)); !near(got, color.NRGBA{want, want, want, 255}, 1) {
			t.Errorf("light of %d / 65535 became %v, want %d", v, got, want)
		}
	}
}

// Invisible pixels keep no colour, also under a profile in which black is light.
func TestInvisiblePixelsStayWithoutColour(t *testing.T) {
	light := picturetest.RGBProfile(4, picturetest.SRGB, picturetest.Parametric(2, 1, 0.5, 0, 0.5))
	img := flat(color.NRGBA{A: 255})
	img.SetNRGBA(3, 3, color.NRGBA{R: 9, G: 8, B: 7})
	got, err := New(Config{}).Normalize(t.Context(), withICCP(pngOf(t, img), light))
	if err != nil {
		t.Fatal(err)
	}
	if c := decoded(t, got).At(3, 3); c != (color.NRGBA{}) {
		t.Errorf("the invisible pixel is %v", c)
	}
	if c := decoded(t, got).At(4, 4); !near(c, color.NRGBA{188, 188, 188, 255}, 1) {
		t.Errorf("black is %v, want the half of white's light", c)
	}
}
