package picture

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"math"
	"runtime"
	"testing"

	"example.org/avatard/server/picture/picturetest"
)

// Every kind of curve means what the specification says, at each of the 256 values and between them.
func TestCurves(t *testing.T) {
	for about, c := range map[string]picturetest.Curve{
		"identity":          picturetest.Identity(),
		"gamma":             picturetest.Gamma(1.8),
		"two entries":       picturetest.Table(2, func(v float64) float64 { return v }),
		"falling":           picturetest.Table(2, func(v float64) float64 { return 1 - v }),
		"4096 entries":      picturetest.Table(4096, picturetest.SRGBCurve().Linear),
		"parametric type 0": picturetest.Parametric(0, 2.2),
		"parametric type 1": picturetest.Parametric(1, 2.2, 1.1, -0.1),
		"parametric type 2": picturetest.Parametric(2, 2.2, 0.9, -0.1, 0.1),
		"parametric type 3": picturetest.SRGBCurve(),
		"parametric type 4": picturetest.Parametric(4, 2.4, 0.94, 0.05, 0.08, 0.04, 0.01, 0.02),
	} {
		got, ok := curveTag(c.Tag)
		if !ok {
			t.Errorf("%s: not understood", about)
			continue
		}
		for i := range 1024 {
			v := float64(i) / 1023
			if d := got(v) - c.Linear(v); math.Abs(d) > 1e-4 || math.IsNaN(d) {
				t.Errorf("%s: %g gives %g, want %g", about, v, got(v), c.Linear(v))
				break
			}
		}
	}
}

// A picture whose profile is broken, or of a kind that is not understood, is neither refused nor changed.
func TestProfilesThatAreIgnored(t *testing.T) {
	good := picturetest.RGBProfile(4, picturetest.AdobeRGB, picturetest.Gamma(1.8))
	changed := func(at int, b string) []byte {
		p := bytes.Clone(good)
		copy(p[at:], b)
		return p
	}
	red := bytes.Index(good, []byte("rTRC"))
	matrix := bytes.Index(good, []byte("gXYZ"))
	curve := int(binary.BigEndian.Uint32(good[red+4:]))
	rows := map[string][]byte{
		"empty":                    {},
		"a header":                 good[:128],
		"cut short":                good[:len(good)-1],
		"without a signature":      changed(36, "abcd"),
		"larger than it is":        changed(0, "\x00\x01\x00\x00"),
		"smaller than a header":    changed(0, "\x00\x00\x00\x64"),
		"version 5":                changed(8, "\x05"),
		"linking devices":          changed(12, "link"),
		"with tags without end":    changed(128, "\xff\xff\xff\xff"),
		"with no tag":              changed(128, "\x00\x00\x00\x00"),
		"with a tag outside":       changed(red+4, "\xff\xff\xff\xf0"),
		"without green":            changed(matrix, "gABC"),
		"with a curve of no type":  changed(curve, "abcd"),
		"with a curve too long":    changed(curve+8, "\xff\xff\xff\xff"),
		"with an exponent of zero": changed(curve+12, "\x00\x00"),
		"for pictures in Lab":      changed(16, "Lab "),
		"for inks":                 picturetest.CMYKProfile(),
		"with a table only":        picturetest.TableProfile(),
		"for grey":                 picturetest.GreyProfile(2, picturetest.Gamma(1)),
		"with a curve of no value": picturetest.RGBProfile(4, picturetest.SRGB, picturetest.Parametric(3, 0.5, -1, 0, 0, 0)),
	}
	img := flat(color.NRGBA{200, 100, 50, 255})
	plain, err := New(Config{}).Normalize(t.Context(), pngOf(t, img))
	if err != nil {
		t.Fatal(err)
	}
	for about, profile := range rows {
		got, err := New(Config{}).Normalize(t.Context(), withICCP(pngOf(t, img), profile))
		if err != nil || !bytes.Equal(got.Data, plain.Data) {
			t.Errorf("a profile %s: %v, and another picture than without: %t", about, err, !bytes.Equal(got.Data, plain.Data))
		}
	}
	deflated := picturetest.ICCP(good)
	for about, body := range map[string][]byte{
		"without a name":            bytes.Repeat([]byte{1}, 20),
		"compressed in another way": append([]byte("a\x00\x01"), deflated[6:]...),
		"not compressed":            append([]byte("a\x00\x00"), good...),
		"with a wrong sum":          append(deflated[:len(deflated)-1:len(deflated)-1], deflated[len(deflated)-1]+1),
	} {
		if coloursOf(opened(t, picturetest.InPNG(pngOf(t, img), "iCCP", body))) != nil {
			t.Errorf("a profile %s counts", about)
		}
	}
}

// A JPEG's profile counts when all of its pieces are there, whatever their order.
func TestJPEGProfilePieces(t *testing.T) {
	profile := picturetest.RGBProfile(4, picturetest.AdobeRGB, picturetest.Gamma(1.8))
	whole := picturetest.InJPEG(jpegOf(t, flat(color.NRGBA{200, 100, 50, 255})), profile, 100)
	piece := 2 + 2 + 12 + 2 + 100
	first, second, rest := whole[2:2+piece], whole[2+piece:2+2*piece], whole[2+2*piece:]
	join := func(parts ...[]byte) []byte { return bytes.Join(append([][]byte{whole[:2]}, parts...), nil) }
	otherCount := bytes.Clone(second)
	otherCount[2+2+12+1]++
	for _, row := range []struct {
		about string
		data  []byte
		want  bool
	}{
		{"in order", whole, true},
		{"in another order", join(second, first, rest), true},
		{"one missing", join(first, rest), false},
		{"one twice", join(first, second, second, rest), false},
		{"with another count", join(first, otherCount, rest), false},
		{"for four inks", picturetest.InJPEG(flatJPEG(0xc0, 1, []byte{1, 2, 3, 4}, 0), profile, 1000), false},
	} {
		if c := coloursOf(opened(t, row.data)); (c != nil) != row.want {
			t.Errorf("%s: the profile counts: %t, want %t", row.about, !row.want, row.want)
		}
	}
}

// A profile that is sRGB in effect costs nothing and changes no byte, whatever its name and form.
func TestProfilesThatAreSRGB(t *testing.T) {
	curve := picturetest.SRGBCurve()
	plain, err := New(Config{}).Normalize(t.Context(), pngOf(t, photo(64, 64)))
	if err != nil {
		t.Fatal(err)
	}
	for about, profile := range map[string][]byte{
		"version 2, a table of 1,024": picturetest.RGBProfile(2, picturetest.SRGB, picturetest.Table(1024, curve.Linear)),
		"version 4, parametric":       picturetest.RGBProfile(4, picturetest.SRGB, curve),
		"a small table":               picturetest.RGBProfile(2, picturetest.SRGB, picturetest.Table(64, curve.Linear)),
	} {
		data := withICCP(pngOf(t, photo(64, 64)), profile)
		if coloursOf(opened(t, data)) != nil {
			t.Errorf("%s: it is converted", about)
		}
		if got, err := New(Config{}).Normalize(t.Context(), data); err != nil || !bytes.Equal(got.Data, plain.Data) {
			t.Errorf("%s: %v, and the picture differs: %t", about, err, !bytes.Equal(got.Data, plain.Data))
		}
	}
	grey := withICCP(pngOf(t, image.NewGray(image.Rect(0, 0, 2, 2))), picturetest.GreyProfile(2, curve))
	if coloursOf(opened(t, grey)) != nil {
		t.Error("grey: it is converted")
	}
}

// Sizes that a profile declares take no memory unless its data has them.
func TestProfileMemory(t *testing.T) {
	huge := picturetest.RGBProfile(4, picturetest.SRGB, picturetest.Gamma(1))
	binary.BigEndian.PutUint32(huge[128:], 0x10000000) // tags
	bomb := picturetest.ICCP(make([]byte, 64<<20))
	for about, work := range map[string]func(){
		"tags":       func() { parseProfile(huge) },
		"compressed": func() { pngProfile(bomb) },
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		work()
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
			t.Errorf("%s: %d bytes allocated", about, got)
		}
	}
}

// FuzzProfile reads any bytes as a profile, and converts with the result.
func FuzzProfile(f *testing.F) {
	for _, version := range []byte{2, 4} {
		f.Add(picturetest.RGBProfile(version, picturetest.AdobeRGB, picturetest.Gamma(2.2)))
		f.Add(picturetest.RGBProfile(version, picturetest.DisplayP3, picturetest.Table(5, math.Sqrt)))
	}
	for kind := range 5 {
		f.Add(picturetest.RGBProfile(4, picturetest.SRGB, picturetest.Parametric(kind, 2.4, 0.9, 0.1, 0.1, 0.04, 0, 0)))
	}
	f.Add(picturetest.GreyProfile(4, picturetest.Gamma(1)))
	f.Add(picturetest.GreyLabProfile(2, picturetest.Identity()))
	f.Add(picturetest.TableProfile())
	f.Add(picturetest.CMYKProfile())
	f.Fuzz(func(t *testing.T, data []byte) {
		space, grey, ok := parseProfile(data)
		if !ok {
			return
		}
		pixels := []byte{0, 0, 0, 255, 1, 128, 255, 255, 9, 9, 9, 0}
		newColours(space, grey, false).convert(pixels)
		if pixels[3] != 255 || pixels[7] != 255 || !bytes.Equal(pixels[8:], []byte{9, 9, 9, 0}) {
			t.Fatalf("alpha or an invisible pixel changed: %v", pixels)
		}
	})
}
