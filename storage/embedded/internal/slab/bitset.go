package slab

import "math/bits"

// Bitset is a set of numbers from 0 on, one bit each.
type Bitset []uint64

// Add puts a number in.
func (b *Bitset) Add(n int64) {
	for int64(len(*b)) <= n/64 {
		*b = append(*b, make([]uint64, len(*b)+1)...)
	}
	(*b)[n/64] |= 1 << (n % 64)
}

func (b Bitset) remove(n int64) {
	if n/64 < int64(len(b)) {
		b[n/64] &^= 1 << (n % 64)
	}
}

// Has reports whether a number is in the set.
func (b Bitset) Has(n int64) bool {
	return n/64 < int64(len(b)) && b[n/64]&(1<<(n%64)) != 0
}

// first returns the lowest number, -1 when there is none.
func (b Bitset) first() int64 {
	for i, word := range b {
		if word != 0 {
			return int64(i*64 + bits.TrailingZeros64(word))
		}
	}
	return -1
}

// last returns the highest number, -1 when there is none.
func (b Bitset) last() int64 {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != 0 {
			return int64(i*64 + 63 - bits.LeadingZeros64(b[i]))
		}
	}
	return -1
}
