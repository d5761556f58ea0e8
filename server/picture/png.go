package picture

import (
	"compress/flate"
	"encoding/binary"
	"hash"
	"hash/adler32"
	"hash/crc32"
	"image"
	"image/png"
	"io"
)

// pngStream writes a PNG anew while it is read: only what the pixels need, with right checksums and an end. Browsers
// show files whose end is missing, whose texts have wrong checksums or whose pixels go on behind the last row, and
// image/png refuses them. Nothing is added: a file whose pixels end before the last row fails.
//
// Of the two checksums over the pixels, that of the chunks and that of the rows, one may be wrong, for programs are met
// that get one wrong; what was damaged on its way has two.
type pngStream struct {
	idat    idatReader
	rows    io.Reader   // decompressed
	left    int64       // bytes of rows to come
	sum     hash.Hash32 // Adler-32 of those that came
	started bool
	ended   bool
	out     []byte // not read yet
	buffer  []byte
	block   [pngStep]byte
}

const (
	// pngHeadBytes are signature and IHDR.
	pngHeadBytes = len(pngSignature) + 25
	// pngStep is how many bytes of rows become one chunk.
	pngStep = 16 << 10
)

// newPNGStream returns ErrMalformed when the file has no right header.
func newPNGStream(data []byte) (*pngStream, error) {
	if len(data) < pngHeadBytes || string(data[8:16]) != "\x00\x00\x00\x0dIHDR" ||
		crc32.ChecksumIEEE(data[12:29]) != binary.BigEndian.Uint32(data[29:]) {
		return nil, ErrMalformed
	}
	p := &pngStream{idat: idatReader{rest: data[pngHeadBytes:]}, left: pngRowBytes(data[16:29]), sum: adler32.New()}
	p.buffer = make([]byte, 0, pngStep+64)
	p.out = append(p.buffer, data[:pngHeadBytes]...)
	palette, transparency := pngChunkBefore(data, "PLTE", "IDAT"), pngChunkBefore(data, "tRNS", "IDAT")
	// Other colours than were meant are damage; with transparency browsers are not as strict.
	if palette != nil && crc32.ChecksumIEEE(append([]byte("PLTE"), palette...)) != binary.BigEndian.Uint32(palette[len(palette):len(palette)+4]) {
		return nil, ErrMalformed
	}
	// What does not fit the colour type says nothing about pixels: PNG specification, sections 11.2.2 and 11.3.1.1.
	switch kind := data[pngTypeAt]; {
	case kind == 3:
		p.out = appendPNGChunk(p.out, "PLTE", palette)
		p.out = appendPNGChunk(p.out, "tRNS", transparency[:min(len(transparency), len(palette)/3)])
	case kind == 0 && len(transparency) == 2, kind == 2 && len(transparency) == 6:
		p.out = appendPNGChunk(p.out, "tRNS", transparency)
	}
	return p, nil
}

// appendPNGChunk appends a chunk unless it has no content.
func appendPNGChunk(b []byte, name string, body []byte) []byte {
	if len(body) == 0 {
		return b
	}
	return appendChunk(b, name, func(b []byte) []byte { return append(b, body...) })
}

// pngRowBytes returns how many bytes the decompressed rows of all passes have, 0 when the header is not one that the
// specification knows: sections 7.2 and 8.
func pngRowBytes(head []byte) int64 {
	channels := map[byte]int64{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[head[9]]
	w, h := int64(binary.BigEndian.Uint32(head)), int64(binary.BigEndian.Uint32(head[4:]))
	bits := channels * int64(head[8])
	if bits == 0 || bits > 64 || w > 1<<31 || h > 1<<31 {
		return 0
	}
	size := func(w, h int64) int64 {
		if w <= 0 || h <= 0 {
			return 0
		}
		return h * (1 + (w*bits+7)/8)
	}
	if head[12] == 0 {
		return size(w, h)
	}
	total := int64(0)
	for _, p := range [7][4]int64{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}} {
		total += size((w-p[0]+p[2]-1)/p[2], (h-p[1]+p[3]-1)/p[3])
	}
	return total
}

// wipe overwrites the pixels that went through.
func (p *pngStream) wipe() {
	clear(p.block[:])
	clear(p.buffer[:cap(p.buffer)])
}

// decodePNG decodes the picture that every program shows: of an animation its default image.
func decodePNG(data []byte, limited func(io.Reader) io.Reader) (image.Image, error) {
	stream, err := newPNGStream(data)
	if err != nil {
		return nil, err
	}
	defer stream.wipe()
	return png.Decode(limited(stream))
}

func (p *pngStream) Read(b []byte) (int, error) {
	if len(p.out) == 0 {
		if p.ended {
			return 0, io.EOF
		}
		if err := p.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, p.out)
	p.out = p.out[n:]
	return n, nil
}

// next makes one more IDAT chunk: a stored block of rows (RFC 1951 section 3.2.4), with the beginning of the zlib
// stream (RFC 1950) before the first and its end and that of the file behind the last.
func (p *pngStream) next() error {
	if !p.started {
		var head [2]byte
		if _, err := io.ReadFull(&p.idat, head[:]); err != nil || head[0]&15 != 8 || head[1]&0x20 != 0 {
			return ErrMalformed
		}
		p.rows = flate.NewReader(&p.idat)
	}
	rows := p.block[:min(p.left, pngStep)]
	if _, err := io.ReadFull(p.rows, rows); err != nil {
		return ErrMalformed
	}
	p.left -= int64(len(rows))
	_, _ = p.sum.Write(rows) // never fails
	last := p.left == 0
	if last && !p.sumsMatch() {
		return ErrMalformed
	}
	p.out = appendChunk(p.buffer[:0], "IDAT", func(b []byte) []byte {
		final := byte(0)
		if !p.started {
			b = append(b, 0x78, 1)
		}
		if last {
			final = 1
		}
		b = append(b, final)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(rows)))
		b = binary.LittleEndian.AppendUint16(b, ^uint16(len(rows)))
		b = append(b, rows...)
		if last {
			b = p.sum.Sum(b)
		}
		return b
	})
	p.started = true
	if last {
		p.ended = true
		p.out = appendChunk(p.out, "IEND", func(b []byte) []byte { return b })
	}
	return nil
}

// sumsMatch reports whether one of the checksums over the pixels is right, as far as they are there.
func (p *pngStream) sumsMatch() bool {
	var one [1]byte
	rowsRight := true
	// With more rows than the picture has, their sum is that of others.
	if n, err := p.rows.Read(one[:]); n == 0 && err == io.EOF {
		var sum [4]byte
		if _, err := io.ReadFull(&p.idat, sum[:]); err == nil {
			rowsRight = binary.BigEndian.Uint32(sum[:]) == p.sum.Sum32()
		}
	}
	return rowsRight || !p.idat.wrong
}

// idatReader reads the content of the IDAT chunks one after the other, up to the end of the file.
type idatReader struct {
	rest    []byte // chunks to come
	content []byte // of the present chunk
	wrong   bool   // a checksum was wrong
}

// advance goes to the next IDAT chunk that has content, and reports whether there is one.
func (r *idatReader) advance() bool {
	for len(r.content) == 0 {
		if len(r.rest) < 8 || string(r.rest[4:8]) == "IEND" {
			return false
		}
		size := uint64(binary.BigEndian.Uint32(r.rest))
		content := r.rest[8:]
		whole := size+4 <= uint64(len(content))
		content = content[:min(size, uint64(len(content)))]
		if string(r.rest[4:8]) == "IDAT" {
			r.content = content
			sum := r.rest[8+len(content):]
			r.wrong = r.wrong || whole && crc32.ChecksumIEEE(r.rest[4:8+size]) != binary.BigEndian.Uint32(sum)
		}
		r.rest = r.rest[min(8+size+4, uint64(len(r.rest))):]
	}
	return true
}

func (r *idatReader) Read(p []byte) (int, error) {
	if len(r.content) == 0 && !r.advance() {
		return 0, io.EOF
	}
	n := copy(p, r.content)
	r.content = r.content[n:]
	return n, nil
}

// ReadByte keeps compress/flate from reading ahead.
func (r *idatReader) ReadByte() (byte, error) {
	if len(r.content) == 0 && !r.advance() {
		return 0, io.EOF
	}
	b := r.content[0]
	r.content = r.content[1:]
	return b, nil
}

// pngAnimated reports whether a PNG has more pictures than the one that programs show which know nothing of
// animations: PNG specification, third edition, section 11.3.6. That one need not be the first frame.
func pngAnimated(data []byte) bool {
	control := pngChunkBefore(data, "acTL", "IDAT")
	if len(control) < 4 {
		return false
	}
	frames := binary.BigEndian.Uint32(control)
	apart := pngChunkBefore(data, "fcTL", "IDAT") == nil
	return frames > 1 || frames == 1 && apart
}
