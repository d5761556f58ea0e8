package picture

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"io"

	"golang.org/x/image/webp"
)

// A WebP file is a RIFF container (RFC 9649 section 2.7): "RIFF", size, "WEBP", then chunks of a four-letter name, a
// size and content, padded to an even length.
const (
	riffHeaderBytes  = 12
	chunkHeaderBytes = 8
	frameHeaderBytes = 16 // of an ANMF chunk: place, size, duration, flags
)

// isWebP reports whether data begins like a WebP file.
func isWebP(data []byte) bool {
	return len(data) >= riffHeaderBytes && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP"
}

// webpChunk returns the content of the first chunk of a name, and where it and all behind it begin; nil if there is none.
func webpChunk(chunks []byte, name string) (content, from []byte) {
	for rest := chunks; len(rest) >= chunkHeaderBytes; {
		size := uint64(binary.LittleEndian.Uint32(rest[4:]))
		if size > uint64(len(rest)-chunkHeaderBytes) {
			return nil, nil
		}
		if string(rest[:4]) == name {
			return rest[chunkHeaderBytes : chunkHeaderBytes+size], rest
		}
		rest = rest[min(uint64(len(rest)), chunkHeaderBytes+size+size%2):]
	}
	return nil, nil
}

// webpCanvas returns the size that an extended header (VP8X) declares; ok is false for a file without one.
func webpCanvas(data []byte) (size image.Point, animated, ok bool) {
	head, _ := webpChunk(data[riffHeaderBytes:], "VP8X")
	if len(head) < 10 {
		return image.Point{}, false, false
	}
	const animationFlag = 1 << 1
	return image.Pt(uint24(head[4:])+1, uint24(head[7:])+1), head[0]&animationFlag != 0, true
}

// webpConfig returns the dimensions of the picture as a whole.
func webpConfig(data []byte) (image.Config, error) {
	if size, animated, ok := webpCanvas(data); ok && animated {
		return image.Config{Width: size.X, Height: size.Y}, nil
	}
	return webp.DecodeConfig(bytes.NewReader(data))
}

// webpAnimated reports whether a file has more than one frame.
func webpAnimated(data []byte) bool {
	if _, animated, _ := webpCanvas(data); !animated {
		return false
	}
	_, from := webpChunk(data[riffHeaderBytes:], "ANMF")
	if len(from) < chunkHeaderBytes {
		return false
	}
	size := uint64(binary.LittleEndian.Uint32(from[4:]))
	second, _ := webpChunk(from[min(uint64(len(from)), chunkHeaderBytes+size+size%2):], "ANMF")
	return second != nil
}

// decodeWebP decodes a still picture, or the first frame of an animation on an empty canvas. The library decodes still
// pictures only, so it gets a frame as a file of its own.
func decodeWebP(data []byte, limited func(io.Reader) io.Reader) (image.Image, error) {
	canvas, animated, _ := webpCanvas(data)
	if !animated {
		return decodeStillWebP(limited(bytes.NewReader(data)))
	}
	frame, _ := webpChunk(data[riffHeaderBytes:], "ANMF")
	if len(frame) < frameHeaderBytes {
		return nil, ErrMalformed
	}
	at := image.Pt(2*uint24(frame), 2*uint24(frame[3:]))
	size := image.Pt(uint24(frame[6:])+1, uint24(frame[9:])+1)
	place := image.Rectangle{Min: at, Max: at.Add(size)}
	if !place.In(image.Rectangle{Max: canvas}) {
		return nil, ErrMalformed
	}
	still := stillWebP(frame[frameHeaderBytes:], size)
	defer clear(still)
	cfg, err := webp.DecodeConfig(bytes.NewReader(still))
	if err != nil || cfg.Width != size.X || cfg.Height != size.Y {
		return nil, ErrMalformed
	}
	img, err := decodeStillWebP(limited(bytes.NewReader(still)))
	if err != nil {
		return nil, err
	}
	return onCanvas(img, place, canvas), nil
}

func decodeStillWebP(r io.Reader) (image.Image, error) {
	buffers := &readBuffers{from: r}
	img, err := webp.Decode(buffers)
	buffers.wipe(img)
	if err != nil {
		return nil, err
	}
	fullRange(img)
	return img, nil
}

// stillWebP makes a file of the chunks of one frame: the alpha, if there is one, and the bit stream.
func stillWebP(chunks []byte, size image.Point) []byte {
	const extended = chunkHeaderBytes + 10 // VP8X, which a picture with alpha needs
	file := append(make([]byte, 0, riffHeaderBytes+extended+len(chunks)), "RIFF\x00\x00\x00\x00WEBP"...)
	if alpha, from := webpChunk(chunks, "ALPH"); alpha != nil {
		const alphaFlag = 1 << 4
		head := make([]byte, extended)
		copy(head, "VP8X")
		binary.LittleEndian.PutUint32(head[4:], 10)
		head[8] = alphaFlag
		putUint24(head[12:], size.X-1)
		putUint24(head[15:], size.Y-1)
		file, chunks = append(file, head...), from
	}
	file = append(file, chunks...)
	binary.LittleEndian.PutUint32(file[4:], uint32(len(file)-chunkHeaderBytes))
	return file
}

// webpEXIF returns the content of the EXIF chunk, nil if there is none. Some writers keep JPEG's prefix.
func webpEXIF(data []byte) []byte {
	exif, _ := webpChunk(data[riffHeaderBytes:], "EXIF")
	return bytes.TrimPrefix(exif, []byte("Exif\x00\x00"))
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

func putUint24(b []byte, v int) { b[0], b[1], b[2] = byte(v), byte(v>>8), byte(v>>16) }

// onCanvas puts a frame that covers a part of the picture in its place, transparent around it.
func onCanvas(frame image.Image, place image.Rectangle, size image.Point) image.Image {
	if place == (image.Rectangle{Max: size}) {
		return frame
	}
	defer wipe(frame)
	canvas := image.NewNRGBA(image.Rectangle{Max: size})
	from := frame.Bounds().Min
	for y := range place.Dy() {
		for x := range place.Dx() {
			c := color.NRGBAModel.Convert(frame.At(from.X+x, from.Y+y)).(color.NRGBA)
			canvas.SetNRGBA(place.Min.X+x, place.Min.Y+y, c)
		}
	}
	return canvas
}
