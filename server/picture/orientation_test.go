package picture

import (
	"encoding/binary"
	"image"
	"image/color"
	"testing"
)

// TestOrientation looks at the corners of a picture that was stored turned or mirrored in every way. What counts
// is what EXIF says about the stored picture: where its first row and its first column are to be seen.
func TestOrientation(t *testing.T) {
	// The corners of the stored picture, from its first row to its last.
	corners := [4]color.RGBA{{R: 255, A: 255}, {G: 255, A: 255}, {B: 255, A: 255}, {R: 255, G: 255, B: 255, A: 255}}
	const red, green, blue, white = 0, 1, 2, 3
	for orientation, want := range map[int][4]int{ // as seen: top left, top right, bottom left, bottom right
		1: {red, green, blue, white}, // row 0 top, column 0 left
		2: {green, red, white, blue}, // row 0 top, column 0 right
		3: {white, blue, green, red}, // row 0 bottom, column 0 right
		4: {blue, white, red, green}, // row 0 bottom, column 0 left
		5: {red, blue, green, white}, // row 0 left, column 0 top
		6: {blue, red, white, green}, // row 0 right, column 0 top
		7: {white, green, blue, red}, // row 0 right, column 0 bottom
		8: {green, white, red, blue}, // row 0 left, column 0 bottom
	} {
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
				got, err := New(Config{}).Normalize(t.Context(), data)
				if err != nil {
					t.Fatalf("%s, orientation %d: %v", about, orientation, err)
				}
				w, h := 48, 32
				if orientation >= 5 {
					w, h = h, w
				}
				if got.Width != w || got.Height != h {
					t.Fatalf("%s, orientation %d: %d × %d, want %d × %d", about, orientation, got.Width, got.Height, w, h)
				}
				img := decoded(t, got)
				for i, at := range []image.Point{{2, 2}, {w - 3, 2}, {2, h - 3}, {w - 3, h - 3}} {
					wanted := color.Color(corners[want[i]])
					switch about {
					case "PNG":
						c := corners[want[i]]
						wanted = color.NRGBA{R: c.R, G: c.G, B: c.B, A: alpha}
					case "JPEG": // was encoded on black
						c := corners[want[i]]
						wanted = color.RGBA{R: min(c.R, alpha), G: min(c.G, alpha), B: min(c.B, alpha), A: 255}
					default:
						wanted = color.GrayModel.Convert(wanted)
					}
					if c := img.At(at.X, at.Y); !near(c, wanted, 6) {
						t.Errorf("%s, orientation %d: %v at %v, want %v", about, orientation, c, at, wanted)
					}
				}
			}
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
