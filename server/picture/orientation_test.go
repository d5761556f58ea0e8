package picture

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"testing"
)

// corners are the corners of the stored picture, from its first row to its last.
var corners = [4]color.RGBA{{R: 255, A: 255}, {G: 255, A: 255}, {B: 255, A: 255}, {R: 255, G: 255, B: 255, A: 255}}

// shownCorners has for each EXIF orientation the corners as they are to be seen: top left, top right, bottom left, bottom right.
var shownCorners = func() map[int][4]int {
	const red, green, blue, white = 0, 1, 2, 3
	return map[int][4]int{
		1: {red, green, blue, white}, // row 0 top, column 0 left
		2: {green, red, white, blue}, // row 0 top, column 0 right
		3: {white, blue, green, red}, // row 0 bottom, column 0 right
		4: {blue, white, red, green}, // row 0 bottom, column 0 left
		5: {red, blue, green, white}, // row 0 left, column 0 top
		6: {blue, red, white, green}, // row 0 right, column 0 top
		7: {white, green, blue, red}, // row 0 right, column 0 bottom
		8: {green, white, red, blue}, // row 0 left, column 0 bottom
	}
}()

// TestOrientation looks at the corners of a picture that was stored turned or mirrored in every way. EXIF says about the stored
// picture where its first row and its first column are to be seen.
func TestOrientation(t *testing.T) {
	for orientation, want := range shownCorners {
		for _, alpha := range []uint8{255, 200} {
			stored := image.NewNRGBA(image.Rect(0, 0, 48, 32))
			grey := image.NewGray(stored.Rect)
			for y := range 32 {
				for x := range 48 {
					c := corners[x/24+y/16*2]
					stored.SetNRGBA(x, y, color.NRGBA{R: c.R, G: c.G, B: c.B, A: alpha})
					grey.Set(x, y, c)
				}
			}
			big, little := exif(binary.BigEndian, orientation), exif(binary.LittleEndian, orientation)
			for about, data := range map[string][]byte{
				"PNG":       withChunk(pngOf(t, stored), "eXIf", big),
				"grey PNG":  withChunk(pngOf(t, grey), "eXIf", little),
				"JPEG":      withSegment(jpegOf(t, stored), 0xe1, "Exif\x00\x00"+big),
				"grey JPEG": withSegment(jpegOf(t, grey), 0xe1, "Exif\x00\x00"+little),
			} {
				var wanted [4]color.Color
				for i, corner := range want {
					wanted[i] = storedAs(about, corners[corner], alpha)
				}
				size := image.Pt(48, 32)
				if orientation >= 5 {
					size = image.Pt(32, 48)
				}
				checkCorners(t, fmt.Sprintf("%s, orientation %d", about, orientation), data, size, wanted)
			}
		}
	}
}

// storedAs returns a colour as it is after it was stored with alpha in a format.
func storedAs(format string, c color.RGBA, alpha uint8) color.Color {
	switch format {
	case "PNG":
		return color.NRGBA{R: c.R, G: c.G, B: c.B, A: alpha}
	case "JPEG": // was encoded on black
		return color.RGBA{R: min(c.R, alpha), G: min(c.G, alpha), B: min(c.B, alpha), A: 255}
	}
	return color.GrayModel.Convert(c)
}

// checkCorners demands the size of a normalized picture, and the colours of its corners.
func checkCorners(t *testing.T, about string, data []byte, size image.Point, want [4]color.Color) {
	t.Helper()
	got, err := New(Config{}).Normalize(t.Context(), data)
	if err != nil {
		t.Fatalf("%s: %v", about, err)
	}
	if got.Width != size.X || got.Height != size.Y {
		t.Fatalf("%s: %d × %d, want %v", about, got.Width, got.Height, size)
	}
	img := decoded(t, got)
	for i, at := range []image.Point{{2, 2}, {size.X - 3, 2}, {2, size.Y - 3}, {size.X - 3, size.Y - 3}} {
		if c := img.At(at.X, at.Y); !near(c, want[i], 6) {
			t.Errorf("%s: %v at %v, want %v", about, c, at, want[i])
		}
	}
}

func TestOrientationOfOddMetadata(t *testing.T) {
	tiff := exif(binary.BigEndian, 6)
	changed := func(at int, b byte) string { return tiff[:at] + string([]byte{b}) + tiff[at+1:] }
	jpeg := func(segments ...string) []byte {
		data := []byte("\xff\xd8\xff\xd9")
		for i := len(segments) - 1; i >= 0; i-- {
			data = withSegment(data, segments[i][0], segments[i][1:])
		}
		return data
	}
	png := pngOf(t, image.NewGray(image.Rect(0, 0, 1, 1)))
	for _, row := range []struct {
		about string
		data  []byte
		want  int
	}{
		{"one segment", jpeg("\xe1Exif\x00\x00" + tiff), 6},
		{"after others", jpeg("\xe0JFIF\x00", "\xe1http://ns.adobe.com/xap/1.0/\x00", "\xe1Exif\x00\x00"+tiff), 6},
		{"the first of two counts", jpeg("\xe1Exif\x00\x00"+exif(binary.LittleEndian, 3), "\xe1Exif\x00\x00"+tiff), 3},
		{"fill bytes between segments", append([]byte("\xff\xd8\xff\xff\xff"), jpeg("\xe1Exif\x00\x00" + tiff)[2:]...), 6},
		{"not in that segment", jpeg("\xe2Exif\x00\x00" + tiff), 1},
		{"behind the scan", append([]byte("\xff\xd8\xff\xda\x00\x02"), jpeg("\xe1Exif\x00\x00" + tiff)[2:]...), 1},
		{"value 0", jpeg("\xe1Exif\x00\x00" + exif(binary.BigEndian, 0)), 1},
		{"value 9", jpeg("\xe1Exif\x00\x00" + exif(binary.BigEndian, 9)), 1},
		{"neither byte order", jpeg("\xe1Exif\x00\x00" + changed(0, 'X')), 1},
		{"directory far outside", jpeg("\xe1Exif\x00\x00" + changed(4, 0xff)), 1},
		{"more entries than there are", jpeg("\xe1Exif\x00\x00" + changed(9, 0xff)[:22]), 1},
		{"another type", jpeg("\xe1Exif\x00\x00" + changed(25, 4)), 1},
		{"two values", jpeg("\xe1Exif\x00\x00" + changed(29, 2)), 1},
		{"empty", jpeg("\xe1Exif\x00\x00"), 1},
		{"segment longer than the file", []byte("\xff\xd8\xff\xe1\xff\xffExif\x00\x00" + tiff), 1},
		{"segment shorter than its length", []byte("\xff\xd8\xff\xe1\x00\x01Exif\x00\x00" + tiff), 1},
		{"PNG", withChunk(png, "eXIf", tiff), 6},
		{"PNG without", png, 1},
		{"PNG with a chunk longer than the file", append([]byte(pngSignature), "\xff\xff\xff\xffeXIf"+tiff...), 1},
		{"PNG, behind its end", append(png[:len(png):len(png)], withChunk(png, "eXIf", tiff)[33:]...), 1},
	} {
		exif := (&jpegUpload{data: row.data}).exif
		if recognise(row.data) == &pngFormat {
			exif = pngUpload{data: row.data}.exif
		}
		if got := orientation(exif()); got != row.want {
			t.Errorf("%s: orientation %d, want %d", row.about, got, row.want)
		}
	}
}
