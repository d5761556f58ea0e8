package picture

import (
	"compress/flate"
	"context"
	"encoding/binary"
	"hash"
	"hash/adler32"
	"hash/crc32"
	"io"
)

// pngFile holds the parts of a PNG that its pixels depend on.
type pngFile struct {
	pngHead
	palette, transparency []byte // contents of PLTE and tRNS
	data                  []byte // behind the header
}

const (
	// pngHeadBytes are signature and IHDR.
	pngHeadBytes = len(pngSignature) + 25
	// pngStep is how many bytes of rows are looked at at once.
	pngStep = 16 << 10
)

// readPNG reads the parts that matter. It returns ErrMalformed when the header is damaged, and ErrUnsupported for one that is not in the
// specification.
func readPNG(data []byte) (f pngFile, err error) {
	if len(data) < pngHeadBytes || string(data[8:16]) != "\x00\x00\x00\x0dIHDR" ||
		crc32.ChecksumIEEE(data[12:29]) != binary.BigEndian.Uint32(data[29:]) {
		return f, ErrMalformed
	}
	if f.pngHead, err = readPNGHead(data[16:29]); err != nil {
		return f, err
	}
	f.data = data[pngHeadBytes:]
	f.palette, f.transparency = pngChunkBefore(data, "PLTE", "IDAT"), pngChunkBefore(data, "tRNS", "IDAT")
	// Wrong colours are damage. Browsers accept transparency that is missing.
	if body := f.palette; body != nil {
		sum := crc32.Update(crc32.ChecksumIEEE([]byte("PLTE")), crc32.IEEETable, body)
		if sum != binary.BigEndian.Uint32(body[len(body):len(body)+4]) {
			return f, ErrMalformed
		}
	}
	return f, nil
}

// rows returns the rows of the picture that every program shows: of an animation its default image. Those of pictures with 16 bits a
// sample are brought into sRGB, where colours says how.
func (f pngFile) rows(ctx context.Context, colours *colours) (rows, error) {
	p, err := newPNGRows(f, &pngPixels{ctx: ctx, idat: idatReader{rest: f.data}, left: f.rowBytes(), sum: adler32.New()})
	if err != nil {
		return nil, err
	}
	if colours.isDeep() {
		p.deep = colours
	}
	if !f.interlaced {
		return p, nil
	}
	img, err := p.deinterlace(ctx)
	if err != nil {
		return nil, err
	}
	return newImageRows(img)
}

// pngPixels are the decompressed rows of a PNG. Browsers show files whose end is missing, whose texts have wrong checksums or whose
// pixels go on behind the last row, and so do we. A file whose pixels end before the last row fails.
//
// Of the two checksums over the pixels, that of the chunks and that of the rows, one may be wrong, since some programs write one wrongly.
// In a file that was damaged on its way both are wrong.
type pngPixels struct {
	ctx  context.Context
	idat idatReader
	rows io.Reader   // decompressed, nil = nothing was read yet
	left int64       // bytes of rows to come
	sum  hash.Hash32 // Adler-32 of those that came
}

func (p *pngPixels) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	if p.rows == nil { // RFC 1950
		var head [2]byte
		if _, err := io.ReadFull(&p.idat, head[:]); err != nil || head[0]&15 != 8 || head[1]&0x20 != 0 {
			return 0, ErrMalformed
		}
		p.rows = flate.NewReader(&p.idat)
	}
	b = b[:min(int64(len(b)), p.left, pngStep)]
	if _, err := io.ReadFull(p.rows, b); err != nil {
		return 0, ErrMalformed
	}
	p.left -= int64(len(b))
	_, _ = p.sum.Write(b) // never fails
	if p.left == 0 && !p.sumsMatch() {
		return 0, ErrMalformed
	}
	return len(b), nil
}

// sumsMatch reports whether one of the checksums over the pixels is right, as far as they are there.
func (p *pngPixels) sumsMatch() bool {
	var one [1]byte
	rowsRight := true
	// The sum of a file with more rows than its header says is over all of them.
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

// pngAnimated reports whether a PNG has more pictures than the one for programs without animations: PNG specification, third edition,
// section 11.3.6. That one need not be the first frame.
func pngAnimated(data []byte) bool {
	control := pngChunkBefore(data, "acTL", "IDAT")
	if len(control) < 4 {
		return false
	}
	frames := binary.BigEndian.Uint32(control)
	apart := pngChunkBefore(data, "fcTL", "IDAT") == nil
	return frames > 1 || frames == 1 && apart
}
