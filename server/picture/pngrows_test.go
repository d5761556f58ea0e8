package picture

import (
	"bytes"
	"image"
	"image/png"
	"math/rand/v2"
	"testing"
)

// Every kind of PNG is read as image/png reads it, whatever the filters of its rows.
func TestPNGRowsAreThoseOfTheLibrary(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 9))
	compared := 0
	for colour, depths := range map[byte][]int{pngGreyType: {1, 2, 4, 8, 16}, pngColour: {8, 16}, pngPalette: {1, 2, 4, 8}, pngGreyAlpha: {8, 16}, pngColourAlpha: {8, 16}} {
		for _, depth := range depths {
			for _, interlaced := range []bool{false, true} {
				for filter := range byte(5) {
					size := image.Pt(1+random.IntN(40), 1+random.IntN(20))
					upload := pngWith(pngHead{size, depth, colour, interlaced}, filter, func(row []byte) {
						for i := range row {
							row[i] = byte(random.Uint32())
						}
					})
					for _, transparency := range []string{"", "\x00\x01", "\x00\x01\x00\x02\x00\x03", "\x00\x80\x07"} {
						data := upload
						if transparency != "" {
							at := bytes.Index(upload, []byte("IDAT")) - 4
							data = appendChunk(bytes.Clone(upload[:at]), "tRNS", func(b []byte) []byte { return append(b, transparency...) })
							data = append(data, upload[at:]...)
						}
						want, err := png.Decode(bytes.NewReader(data))
						if err != nil {
							continue // no transparency of this kind
						}
						src, err := New(Config{}).Open(data)
						if err != nil {
							t.Fatal(err)
						}
						got, _, err := src.read(t.Context(), MaxStoredPixelsPerSide)
						if err != nil {
							t.Fatalf("colour %d, depth %d, interlaced %t, filter %d: %v", colour, depth, interlaced, filter, err)
						}
						from, _ := newImageRows(want)
						expected, err := reduce(t.Context(), from, MaxPixelsPerSide)
						if err != nil || !bytes.Equal(got.Pix, expected.Pix) {
							t.Errorf("colour %d, depth %d, interlaced %t, filter %d, transparency %q: other pixels", colour, depth, interlaced, filter, transparency)
						}
						compared++
					}
				}
			}
		}
	}
	if compared < 250 {
		t.Errorf("only %d pictures compared", compared)
	}
}
