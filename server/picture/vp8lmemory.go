package picture

import (
	"encoding/binary"
	"fmt"
	"image"
)

const (
	// vp8lMostGroups is how many groups of prefix codes the decoder takes, and the most that libwebp writes.
	vp8lMostGroups = 2600
	// vp8lMostBlocks bounds the image that tells which group is used where, at a hundred times what libwebp writes: that image alone is
	// decoded before it is known what the picture takes.
	vp8lMostBlocks = 1 << 18
)

// vp8lReader reads a lossless bit stream (RFC 9649 section 3) up to its pixels, to learn how much memory the decoder takes: a
// small file can have codes that take hundreds of times its size.
type vp8lReader struct {
	vp8lCodeReader
	group [5]prefixCode
}

// webpMemory is the memory that the decoder takes for the lossless parts of a picture, in bytes: for its pixels or for its alpha. It walks
// the chunks as the decoder does, and like it reads a chunk that is cut off as far as it goes.
func webpMemory(data []byte, size image.Point) (int, error) {
	chunks := data[riffHeaderBytes:]
	if _, animated, _ := webpCanvas(data); animated {
		frame, _ := webpChunk(chunks, "ANMF")
		if len(frame) < frameHeaderBytes {
			return 0, ErrMalformed
		}
		canvas := size
		size = image.Pt(uint24(frame[6:])+1, uint24(frame[9:])+1)
		if size.X > canvas.X || size.Y > canvas.Y {
			return 0, ErrMalformed
		}
		chunks = frame[frameHeaderBytes:]
		if alpha, from := webpChunk(chunks, "ALPH"); alpha != nil {
			chunks = from
		}
	}
	taken := 0
	for len(chunks) >= chunkHeaderBytes {
		name, length := string(chunks[:4]), uint64(binary.LittleEndian.Uint32(chunks[4:]))
		content := chunks[chunkHeaderBytes:]
		content = content[:min(length, uint64(len(content)))]
		switch {
		case name == "VP8 ":
			return taken, nil
		case name == "VP8L":
			more, err := vp8lMemory(content, size)
			return taken + more, err
		case name == "ALPH" && len(content) > 0:
			taken += size.X * size.Y
			if content[0]&3 == 1 { // compressed, without a header
				r := vp8lReader{vp8lCodeReader: vp8lCodeReader{vp8lBits: vp8lBits{data: content[1:]}}}
				more, err := r.memory(size)
				if err != nil {
					return 0, err
				}
				taken += more
			}
		}
		chunks = chunks[min(uint64(len(chunks)), chunkHeaderBytes+length+length%2):]
	}
	return taken, nil
}

// vp8lMemory is the memory that the decoder takes for a stream, in bytes. The stream's header has to name the size given.
func vp8lMemory(data []byte, size image.Point) (int, error) {
	r := vp8lReader{vp8lCodeReader: vp8lCodeReader{vp8lBits: vp8lBits{data: data}}}
	signature, width, height := r.get(8), r.get(14)+1, r.get(14)+1
	r.get(1) // whether alpha is used
	if version := r.get(3); r.err != nil || signature != 0x2f || version != 0 || size != image.Pt(width, height) {
		return 0, ErrMalformed
	}
	return r.memory(size)
}

// memory reads the transforms, the groups of codes, and the codes. It returns the memory for them and for the pixels, in bytes.
func (r *vp8lReader) memory(size image.Point) (int, error) {
	const predictor, colour, subtractGreen, palette = 0, 1, 2, 3
	var seen [4]bool
	coded := size // narrower when indices into a palette share a pixel
	for r.get(1) == 1 && r.err == nil {
		transform := r.get(2)
		if seen[transform] {
			return 0, ErrMalformed
		}
		seen[transform] = true
		switch transform {
		case predictor, colour:
			r.image(vp8lBlocks(coded, r.get(3)+2), nil)
		case palette:
			colours := r.get(8) + 1
			r.image(image.Pt(colours, 1), nil)
			r.taken += 4 * 256
			for _, most := range []int{16, 4, 2} {
				if colours <= most {
					coded.X = (coded.X + 1) / 2
				}
			}
			if colours <= 16 {
				r.taken += 4 * size.X * size.Y // brought back to full width beside the indices
			}
		case subtractGreen:
		}
	}
	r.taken += 4 * coded.X * coded.Y
	cache := r.cache()
	groups, err := r.groups(coded)
	if err != nil {
		return 0, err
	}
	for range groups {
		for i, alphabet := range vp8lAlphabets {
			if i == 0 {
				alphabet += cache
			}
			if r.code(nil, alphabet); r.err != nil {
				return 0, ErrMalformed
			}
		}
	}
	return r.taken, r.err
}

// groups reads how many groups of codes there are: the highest number of one in an image of blocks, and one.
func (r *vp8lReader) groups(size image.Point) (int, error) {
	if r.get(1) == 0 {
		return 1, r.err
	}
	blocks := vp8lBlocks(size, r.get(3)+2)
	if r.err != nil {
		return 0, ErrMalformed
	}
	if blocks.X*blocks.Y > vp8lMostBlocks {
		return 0, fmt.Errorf("%w: of WebP only such with at most %d blocks that choose their prefix codes", ErrUnsupported, vp8lMostBlocks)
	}
	numbers := make([]uint32, blocks.X*blocks.Y)
	r.image(blocks, numbers)
	most := 0
	for _, argb := range numbers {
		most = max(most, int(argb>>8&0xffff))
	}
	if most >= vp8lMostGroups {
		return 0, fmt.Errorf("%w: of WebP only such with at most %d groups of prefix codes", ErrUnsupported, vp8lMostGroups)
	}
	return most + 1, r.err
}

func vp8lBlocks(size image.Point, bits int) image.Point {
	side := 1 << bits
	return image.Pt((size.X+side-1)/side, (size.Y+side-1)/side)
}

// cache reads how many colours the cache has.
func (r *vp8lReader) cache() int {
	if r.get(1) == 0 {
		return 0
	}
	bits := r.get(4)
	if bits < 1 || bits > vp8lMostCache {
		r.err = ErrMalformed
		return 0
	}
	r.taken += 4 << bits
	return 1 << bits
}

// image reads an image with one group of codes. Its pixels are kept if there is where.
func (r *vp8lReader) image(size image.Point, pixels []uint32) {
	r.taken += 4 * size.X * size.Y
	cache := r.cache()
	for i, alphabet := range vp8lAlphabets {
		if i == 0 {
			alphabet += cache
		}
		r.code(&r.group[i], alphabet)
	}
	colours := vp8lCache{}
	if pixels != nil {
		colours = make(vp8lCache, cache)
	}
	green, red, blue, alpha, distance := &r.group[0], &r.group[1], &r.group[2], &r.group[3], &r.group[4]
	keep := func(at int, argb uint32) {
		if pixels != nil {
			pixels[at] = argb
			colours.add(argb)
		}
	}
	for at, end := 0, size.X*size.Y; at < end && r.err == nil; at++ {
		symbol := green.next(&r.vp8lBits)
		switch {
		case symbol < vp8lLiterals:
			red, blue, alpha := red.next(&r.vp8lBits), blue.next(&r.vp8lBits), alpha.next(&r.vp8lBits)
			keep(at, uint32(alpha<<24|red<<16|symbol<<8|blue))
		case symbol < vp8lLiterals+vp8lLengths:
			length := r.number(symbol - vp8lLiterals)
			back := vp8lDistance(size.X, r.number(distance.next(&r.vp8lBits)))
			if back > at || length > end-at {
				r.err = ErrMalformed
				return
			}
			if pixels != nil {
				for i := at; i < at+length; i++ {
					keep(i, pixels[i-back])
				}
			}
			at += length - 1
		case pixels != nil:
			keep(at, colours[symbol-vp8lLiterals-vp8lLengths])
		}
	}
}

// vp8lCache are colours that were seen lately, by their hash: RFC 9649 section 3.6.2.3. Their number is a power of two.
type vp8lCache []uint32

func (c vp8lCache) add(argb uint32) {
	if len(c) > 0 {
		c[uint64(argb*0x1e35a7bd)*uint64(len(c))>>32] = argb
	}
}
