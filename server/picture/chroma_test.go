package picture

import (
	"image"
	"image/color"
	"testing"
)

// Between two samples of colour lie pixels of mixed colour, and at the borders pixels of the nearest one.
func TestColoursBetweenSamples(t *testing.T) {
	img := image.NewNYCbCrA(image.Rect(0, 0, 5, 3), image.YCbCrSubsampleRatio420)
	for i := range img.Y {
		img.Y[i], img.A[i] = 128, 200
	}
	copy(img.Cb, []uint8{128, 144, 128, 128, 144, 176}) // two rows of samples
	copy(img.Cr, []uint8{128, 128, 128, 128, 128, 128})
	// A pixel has three quarters of its own sample and one of the next, sideways and then up or down.
	want := [3][5]uint8{
		{128, 132, 140, 140, 132},
		{128, 132, 140, 143, 141},
		{128, 132, 140, 149, 159},
	}
	r, err := newImageRows(img)
	if err != nil {
		t.Fatal(err)
	}
	for y := range 3 {
		row := make([]byte, 4*5)
		if err := r.next(row); err != nil {
			t.Fatal(err)
		}
		for x := range 5 {
			red, green, blue := color.YCbCrToRGB(128, want[y][x], 128)
			if got, want := [4]byte(row[4*x:]), [4]byte{red, green, blue, 200}; got != want {
				t.Errorf("pixel %d, %d is %v, want %v", x, y, got, want)
			}
		}
	}
}
