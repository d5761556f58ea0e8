package picture

import (
	"context"
	"image"
)

// adam7Passes are first column and row, and steps across and down, of the passes of an interlaced PNG: section 8.2.
var adam7Passes = [7][4]int{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}}

// deinterlace reads all passes into one image, since the last row needs the first as well as the last of them.
func (p *pngRows) deinterlace(ctx context.Context) (*image.NRGBA, error) {
	img := image.NewNRGBA(image.Rectangle{Max: p.pngHead.size})
	defer p.wipe()
	row := make([]byte, 4*img.Rect.Max.X)
	defer clear(row)
	for _, pass := range adam7Passes {
		w := (img.Rect.Max.X - pass[0] + pass[2] - 1) / pass[2]
		if w <= 0 {
			continue
		}
		p.setWidth(w)
		for y := pass[1]; y < img.Rect.Max.Y; y += pass[3] {
			err := ctx.Err()
			if err == nil {
				err = p.next(row[:4*w])
			}
			if err != nil {
				wipe(img)
				return nil, err
			}
			out := img.Pix[y*img.Stride+4*pass[0]:]
			for x := range w {
				copy(out[4*x*pass[2]:][:4], row[4*x:])
			}
		}
	}
	return img, nil
}
