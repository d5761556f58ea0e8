package picture

import (
	"context"
	"image"
)

var webpFormat = format{recognises: isWebP, open: openWebP}

type webpUpload struct {
	size image.Point
	data []byte
	// losslessBytes is the memory for the lossless parts until they are decoded.
	losslessBytes int
}

func openWebP(data []byte) (upload, error) {
	cfg, err := webpConfig(data)
	if err != nil {
		return nil, err
	}
	return &webpUpload{size: image.Pt(cfg.Width, cfg.Height), data: data}, nil
}

func (u *webpUpload) dimensions() image.Point { return u.size }

// check reads the prefix codes of lossless parts, which no header tells the size of.
func (u *webpUpload) check() (err error) {
	u.losslessBytes, err = webpMemory(u.data, u.size)
	return err
}

// need is the memory for NRGBA with indices into a palette beside it, or for what the lossless bit stream declares; and for the canvas
// of an animation.
func (u *webpUpload) need() need {
	pixels := u.size.X * u.size.Y
	n := need{decoding: max(6*pixels, u.losslessBytes), decoded: 4 * pixels}
	if _, animated, _ := webpCanvas(u.data); animated {
		n.decoding += 4 * pixels
	}
	return n
}

func (u *webpUpload) memoryReason() string {
	if u.losslessBytes > 6*u.size.X*u.size.Y {
		return ", and the prefix codes of its lossless WebP take much; one that is encoded with a lower effort, or as PNG, takes less"
	}
	return ""
}

func (u *webpUpload) exif() []byte   { return webpEXIF(u.data) }
func (u *webpUpload) animated() bool { return webpAnimated(u.data) }
func (u *webpUpload) lossless() bool { return true }

func (u *webpUpload) space() (space colourSpace, grey, deep, ok bool) {
	space, ok = profileFor(webpProfile(u.data), false)
	return space, false, false, ok
}

func (u *webpUpload) decode(ctx context.Context, _ *colours) (rows, error) {
	img, err := decodeWebP(u.data, until(ctx))
	if err != nil {
		return nil, err
	}
	return newImageRows(img)
}

// webpProfile returns the content of the chunk ICCP, nil if there is none or the header does not announce it.
func webpProfile(data []byte) []byte {
	const profileFlag = 1 << 5
	chunks := data[riffHeaderBytes:]
	if head, _ := webpChunk(chunks, "VP8X"); len(head) == 0 || head[0]&profileFlag == 0 {
		return nil
	}
	profile, _ := webpChunk(chunks, "ICCP")
	return profile
}
