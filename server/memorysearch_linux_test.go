package server

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"
)

// mask hides the test's copies of the picture from the search.
const mask = 0xa5

// pieceBytes is the length of the pieces of a picture that are searched for.
const pieceBytes = 16

// hide returns a masked copy of data and overwrites data.
func hide(data []byte) []byte {
	hidden := make([]byte, len(data))
	for i, b := range data {
		hidden[i] = b ^ mask
	}
	clear(data)
	return hidden
}

// hiddenForm is a picture in one of its forms, masked.
type hiddenForm struct {
	name   string
	hidden []byte
}

// placesOfForm is at how many places of a form a piece is taken.
const placesOfForm = 500

// pieces is a set of masked pieces of forms.
type pieces struct {
	filter [1 << filterBits]bool    // by their beginning, as it is; most memory does not pass
	set    map[[pieceBytes]byte]int // the form that each is of
	forms  []hiddenForm
}

const filterBits = 20

// slot is where in the filter a piece with this beginning is.
func slot(start uint32) uint32 { return start * 0x9e3779b1 >> (32 - filterBits) }

func piecesOf(forms ...hiddenForm) *pieces {
	p := &pieces{set: make(map[[pieceBytes]byte]int), forms: forms}
	for i, f := range forms {
		for at := 0; at+pieceBytes <= len(f.hidden); at += stride(f) {
			p.set[[pieceBytes]byte(f.hidden[at:])] = i
			start := binary.LittleEndian.Uint32(f.hidden[at:]) ^ (mask<<24 | mask<<16 | mask<<8 | mask)
			p.filter[slot(start)] = true
		}
	}
	return p
}

// stride is the distance between two pieces of a form.
func stride(f hiddenForm) int { return max(pieceBytes, len(f.hidden)/placesOfForm) }

// inMemory returns about how many bytes of each form stand somewhere in the writable memory of this process.
func (p *pieces) inMemory(t *testing.T) []int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	buf, zeros := make([]byte, 1<<20), make([]byte, 4<<10)
	own := uint64(uintptr(unsafe.Pointer(&buf[0])))
	found := map[[pieceBytes]byte]bool{}
	left := make([]int, len(p.forms))
	for line := range strings.Lines(string(maps)) {
		var from, to uint64
		var rights string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &rights); n != 3 || !strings.HasPrefix(rights, "rw") {
			continue
		}
		for at := from; at < to; at += uint64(len(buf) - pieceBytes + 1) {
			n, _ := mem.ReadAt(buf[:min(uint64(len(buf)), to-at)], int64(at))
			for i := 0; i+pieceBytes <= n; i++ {
				if i%len(zeros) == 0 && i+len(zeros) <= n && bytes.Equal(buf[i:i+len(zeros)], zeros) { // most memory
					i += len(zeros) - 1
					continue
				}
				if !p.filter[slot(binary.LittleEndian.Uint32(buf[i:]))] || at+uint64(i)-own < uint64(len(buf)) {
					continue
				}
				piece := [pieceBytes]byte(buf[i:])
				for j := range piece {
					piece[j] ^= mask
				}
				if of, ok := p.set[piece]; ok && !found[piece] {
					found[piece] = true
					left[of] += stride(p.forms[of])
				}
			}
		}
	}
	clear(buf)
	return left
}

// checkSearch demands that the search finds each form that is in memory.
func (p *pieces) checkSearch(t *testing.T) {
	t.Helper()
	var back [][]byte
	for _, f := range p.forms {
		shown := make([]byte, len(f.hidden))
		for i, b := range f.hidden {
			shown[i] = b ^ mask
		}
		back = append(back, shown)
	}
	for i, n := range p.inMemory(t) {
		if want := len(back[i]) * 9 / 10; n < want {
			t.Errorf("%s: the search finds %d bytes of %d that are there", p.forms[i].name, n, len(back[i]))
		}
		clear(back[i])
	}
}
