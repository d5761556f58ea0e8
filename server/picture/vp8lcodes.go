package picture

import (
	"cmp"
	"slices"
	"sync"
)

// Prefix codes of lossless WebP: RFC 9649 section 3.7.2. Numbers of symbols by what they stand for.
const (
	vp8lLiterals  = 256
	vp8lLengths   = 24
	vp8lDistances = 40
	vp8lMostCache = 11 // bits
)

// vp8lAlphabets are the sizes of the five codes of a group: green with lengths, to which colours in the cache come; red, blue, alpha, distances.
var vp8lAlphabets = [5]int{vp8lLiterals + vp8lLengths, vp8lLiterals, vp8lLiterals, vp8lLiterals, vp8lDistances}

// vp8lBits reads bits from the lowest of each byte on. Behind the end there are zeros, and err is set.
type vp8lBits struct {
	data []byte
	held uint64
	bits int
	err  error
}

func (r *vp8lBits) get(n int) int {
	for r.bits < n {
		if len(r.data) == 0 {
			r.err = ErrMalformed
			return 0
		}
		r.held |= uint64(r.data[0]) << r.bits
		r.data, r.bits = r.data[1:], r.bits+8
	}
	v := int(r.held & (1<<n - 1))
	r.held, r.bits = r.held>>n, r.bits-n
	return v
}

// prefixCode is a canonical code: how many codes there are of each length, and the symbols by length and value.
type prefixCode struct {
	counts  [16]int
	symbols []uint16
}

// set makes the code from the length of each symbol's code, 0 for one that does not occur.
func (c *prefixCode) set(lengths []uint8) {
	c.counts, c.symbols = [16]int{}, c.symbols[:0]
	for length := uint8(1); length < 16; length++ {
		for symbol, l := range lengths {
			if l == length {
				c.counts[length]++
				c.symbols = append(c.symbols, uint16(symbol))
			}
		}
	}
}

// next reads a symbol. A code with one symbol takes no bits.
func (c *prefixCode) next(r *vp8lBits) int {
	if len(c.symbols) == 1 {
		return int(c.symbols[0])
	}
	value, first, index := 0, 0, 0
	for _, count := range c.counts[1:] {
		value |= r.get(1)
		if value-first < count {
			return int(c.symbols[index+value-first])
		}
		index += count
		value, first = value<<1, (first+count)<<1
	}
	r.err = ErrMalformed
	return 0
}

// vp8lCodeReader reads codes and counts the memory that the decoder takes for them.
type vp8lCodeReader struct {
	vp8lBits
	taken   int // bytes
	lengths [vp8lLiterals + vp8lLengths + 1<<vp8lMostCache]uint8
	coding  prefixCode // of lengths
}

// Bytes that golang.org/x/image/vp8l takes for a code: a table of 128 entries beside a slice; for each symbol its length and its code while it is
// read, four bytes each, and, if it occurs, two nodes of a tree, eight bytes each; and the same for the code of the lengths. Go's allocator
// rounds up, the nodes by a quarter at most.
const (
	vp8lTableBytes    = 4*128 + 24
	vp8lAlphabetBytes = 9
	vp8lSymbolBytes   = 20
	vp8lLengthsBytes  = vp8lTableBytes + 19*(vp8lAlphabetBytes+vp8lSymbolBytes)
)

// code reads a code of so many symbols. With a nil code it is only counted.
func (r *vp8lCodeReader) code(c *prefixCode, alphabet int) {
	r.taken += vp8lTableBytes
	if r.get(1) == 1 {
		r.simpleCode(c, alphabet)
		return
	}
	var order = [19]int{17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	var coded [19]uint8
	count := r.get(4) + 4
	if count > len(order) {
		r.err = ErrMalformed
		return
	}
	for _, symbol := range order[:count] {
		coded[symbol] = uint8(r.get(3))
	}
	r.coding.set(coded[:])
	lengths := r.lengths[:alphabet]
	used := r.codeLengths(lengths)
	r.taken += vp8lLengthsBytes + alphabet*vp8lAlphabetBytes + used*vp8lSymbolBytes
	if c != nil {
		c.set(lengths)
		if len(c.symbols) == 0 {
			r.err = ErrMalformed
		}
	}
}

// simpleCode reads a code of one or two symbols.
func (r *vp8lCodeReader) simpleCode(c *prefixCode, alphabet int) {
	r.taken += 2 * vp8lSymbolBytes
	symbols := make([]uint16, 1+r.get(1), 2)
	symbols[0] = uint16(r.get(1 + 7*r.get(1)))
	if len(symbols) == 2 {
		symbols[1] = uint16(r.get(8))
	}
	if c == nil {
		return
	}
	if int(slices.Max(symbols)) >= alphabet {
		r.err = ErrMalformed
		return
	}
	c.counts = [16]int{1: len(symbols)}
	c.symbols = append(c.symbols[:0], symbols...)
}

// codeLengths reads the length of each symbol's code, and returns how many symbols occur.
func (r *vp8lCodeReader) codeLengths(lengths []uint8) (used int) {
	clear(lengths)
	most := len(lengths)
	if r.get(1) == 1 {
		if most = 2 + r.get(2+2*r.get(3)); most > len(lengths) {
			r.err = ErrMalformed
		}
	}
	previous := uint8(8)
	for at := 0; at < len(lengths) && most > 0 && r.err == nil; most-- {
		symbol := r.coding.next(&r.vp8lBits)
		if symbol < 16 {
			if lengths[at] = uint8(symbol); symbol != 0 {
				previous = uint8(symbol)
				used++
			}
			at++
			continue
		}
		repeat := [3]int{3, 3, 11}[symbol-16] + r.get([3]int{2, 3, 7}[symbol-16])
		if repeat > len(lengths)-at {
			r.err = ErrMalformed
			return used
		}
		if symbol == 16 {
			used += repeat
			for i := range repeat {
				lengths[at+i] = previous
			}
		}
		at += repeat
	}
	return used
}

// number reads what follows the symbol of a length or a distance: RFC 9649 section 3.6.2.2.
func (r *vp8lBits) number(symbol int) int {
	if symbol < 4 {
		return symbol + 1
	}
	extra := (symbol - 2) >> 1
	return (2+symbol&1)<<extra + r.get(extra) + 1
}

// vp8lNear are the offsets of pixels around that have a short code: 120 of them, by distance, then by how far they are to the side, the left before the right.
var vp8lNear = sync.OnceValue(func() [][2]int {
	var near [][2]int
	for y := range 8 {
		for x := -7; x <= 8; x++ {
			if y > 0 || x > 0 {
				near = append(near, [2]int{x, y})
			}
		}
	}
	slices.SortFunc(near, func(a, b [2]int) int {
		return cmp.Or(cmp.Compare(a[0]*a[0]+a[1]*a[1], b[0]*b[0]+b[1]*b[1]), cmp.Compare(a[0]*a[0], b[0]*b[0]), cmp.Compare(b[0], a[0]))
	})
	return near
})

// vp8lDistance is how many pixels back a distance code points in an image of a width.
func vp8lDistance(width, code int) int {
	near := vp8lNear()
	if code > len(near) {
		return code - len(near)
	}
	return max(1, near[code-1][0]+near[code-1][1]*width)
}
