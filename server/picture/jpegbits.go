package picture

// bitReader reads the coded data of a scan: T.81 section B.1.1.5. It ends at the next marker.
type bitReader struct {
	rest []byte
	held uint32 // the lowest count bits are to come
	have int
}

// fill takes bytes until there are 16 bits or the data ends.
func (r *bitReader) fill() {
	for r.have <= 16 {
		if len(r.rest) == 0 {
			return
		}
		b := r.rest[0]
		switch {
		case b != 0xff:
			r.rest = r.rest[1:]
		case len(r.rest) > 1 && r.rest[1] == 0:
			r.rest = r.rest[2:]
		default:
			return
		}
		r.held, r.have = r.held<<8|uint32(b), r.have+8
	}
}

// take reads up to 16 bits.
func (r *bitReader) take(n int) (int, error) {
	if r.have < n {
		if r.fill(); r.have < n {
			return 0, ErrMalformed
		}
	}
	r.have -= n
	return int(r.held >> r.have & (1<<n - 1)), nil
}

// signed reads a number of n bits whose first one tells its sign: T.81 section F.2.2.1.
func (r *bitReader) signed(n int) (int, error) {
	if n > 15 {
		return 0, ErrMalformed
	}
	v, err := r.take(n)
	if n > 0 && v < 1<<(n-1) {
		v -= 1<<n - 1
	}
	return v, err
}

// symbol reads the value of a Huffman code.
func (r *bitReader) symbol(t *huffmanTable) (byte, error) {
	if r.have < 16 {
		r.fill()
	}
	// Behind the last bit zeros are seen, but not taken.
	var ahead uint32
	if r.have >= 16 {
		ahead = r.held >> (r.have - 16) & 0xffff
	} else {
		ahead = r.held << (16 - r.have) & 0xffff
	}
	for length := 1; length <= 16; length++ {
		if code := ahead >> (16 - length); code < t.end[length] {
			if length > r.have {
				return 0, ErrMalformed
			}
			r.have -= length
			return t.values[(t.offset[length]+int32(code))&0xff], nil
		}
	}
	return 0, ErrMalformed
}

// passRestart goes behind the next restart marker and reports whether one was next.
func (r *bitReader) passRestart() bool {
	rest := r.rest
	for len(rest) > 2 && rest[0] == 0xff && rest[1] == 0xff { // fill bytes
		rest = rest[1:]
	}
	if len(rest) < 2 || rest[0] != 0xff || rest[1] < jpegRST0 || rest[1] > jpegRST7 {
		return false
	}
	*r = bitReader{rest: rest[2:]}
	return true
}

// huffmanTable is one of the tables of T.81 section B.2.4.2. Codes of one length are consecutive (annex C): those of n bits
// that are less than end[n], and of no shorter code, belong to values[offset[n]+code].
type huffmanTable struct {
	end    [17]uint32
	offset [17]int32
	values [256]byte
}

// readHuffmanTables reads a segment of tables and reports whether it is valid.
func (d *ownJPEG) readHuffmanTables(body []byte) bool {
	for len(body) > 0 {
		if len(body) < 17 || body[0]>>4 > 1 || body[0]&15 > 3 {
			return false
		}
		t := &d.tables[body[0]>>4][body[0]&15]
		code, total := uint32(0), int32(0)
		for length := 1; length <= 16; length++ {
			count := uint32(body[length])
			t.offset[length] = total - int32(code)
			code, total = code+count, total+int32(count)
			t.end[length] = code
			if code > 1<<length || total > 256 {
				return false
			}
			code *= 2
		}
		if len(body) < 17+int(total) {
			return false
		}
		copy(t.values[:], body[17:17+total])
		body = body[17+total:]
	}
	return true
}

// readQuantisers reads a segment of quantisation tables (T.81 section B.2.4.1) and reports whether it is valid.
func (d *ownJPEG) readQuantisers(body []byte) bool {
	for len(body) > 0 {
		wide, number := int(body[0]>>4), body[0]&15
		size := 1 + 64<<wide
		if wide > 1 || number > 3 || len(body) < size {
			return false
		}
		for i := range d.quantisers[number] {
			if wide == 0 {
				d.quantisers[number][i] = int32(body[1+i])
			} else {
				d.quantisers[number][i] = int32(body[1+2*i])<<8 | int32(body[2+2*i])
			}
		}
		body = body[size:]
	}
	return true
}
