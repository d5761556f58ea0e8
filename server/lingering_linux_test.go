package server

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"net"
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

// pieces is a set of masked pieces, those that stand at multiples of their length.
type pieces struct {
	filter [1 << 16]bool // by the first two bytes, as they are
	set    map[[pieceBytes]byte]bool
}

func piecesOf(hidden []byte) *pieces {
	p := &pieces{set: make(map[[pieceBytes]byte]bool)}
	for len(hidden) >= pieceBytes {
		p.set[[pieceBytes]byte(hidden)] = true
		p.filter[binary.LittleEndian.Uint16(hidden)^(mask<<8|mask)] = true
		hidden = hidden[pieceBytes:]
	}
	return p
}

// inMemory returns how many of the pieces stand somewhere in the writable memory of this process.
func (p *pieces) inMemory(t *testing.T) int {
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
	buf := make([]byte, 1<<20)
	own := uint64(uintptr(unsafe.Pointer(&buf[0])))
	found := map[[pieceBytes]byte]bool{}
	for line := range strings.Lines(string(maps)) {
		var from, to uint64
		var rights string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &rights); n != 3 || !strings.HasPrefix(rights, "rw") {
			continue
		}
		for at := from; at < to; at += uint64(len(buf) - pieceBytes + 1) {
			n, _ := mem.ReadAt(buf[:min(uint64(len(buf)), to-at)], int64(at))
			for i := 0; i+pieceBytes <= n; i++ {
				if !p.filter[binary.LittleEndian.Uint16(buf[i:])] || at+uint64(i)-own < uint64(len(buf)) {
					continue
				}
				piece := [pieceBytes]byte(buf[i:])
				for j := range piece {
					piece[j] ^= mask
				}
				if p.set[piece] {
					found[piece] = true
				}
			}
		}
	}
	clear(buf)
	return len(found)
}

// exchange sends a request over a connection of its own and leaves the answer in buf. It keeps nothing of either.
func exchange(t *testing.T, address string, request, buf []byte) (head string, body []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(request); err != nil {
		t.Fatal(err)
	}
	n := 0
	for err == nil {
		var more int
		more, err = conn.Read(buf[n:])
		n += more
	}
	if err != io.EOF { //nolint:errorlint // net.Conn's own
		t.Fatal(err)
	}
	end := bytes.Index(buf[:n], []byte("\r\n\r\n"))
	if end < 0 {
		t.Fatalf("no answer in %d bytes", n)
	}
	return string(buf[:end]), buf[end+4 : n]
}

// After the 200 of a delete hardly any bytes of the picture are in the memory of the process: only the last kilobytes that went through
// buffers of the standard library. The picture is uploaded, read and deleted; both its uploaded and its
// stored form are looked for.
func TestLittleLingersInMemory(t *testing.T) {
	f := start(t, nil)
	address := strings.TrimPrefix(f.url, "http://")
	form := bytes.NewBuffer(make([]byte, 0, 1<<20))
	fmt.Fprint(form, "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"p\"\r\n\r\n")
	start := form.Len()
	w := bufio.NewWriterSize(form, 512) // else the encoder takes one of 4 KiB
	if err := jpeg.Encode(w, noise(400), &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	_ = w.Flush()
	w.Reset(io.Discard)
	picture := form.Bytes()[start:form.Len()]
	fmt.Fprint(form, "\r\n--b--\r\n")
	request := make([]byte, 0, 2<<20)
	request = fmt.Appendf(request, "POST /management/v1/users/%s/avatar HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer admin-token-1\r\n"+
		"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n", bob, form.Len())
	request = append(request, form.Bytes()...)

	answer := make([]byte, 2<<20)
	if head, body := exchange(t, address, request, answer); !strings.HasPrefix(head, "HTTP/1.1 200") {
		t.Fatal(head, string(body))
	}
	clear(request)
	uploaded := hide(picture)
	clear(form.Bytes())
	read := fmt.Appendf(nil, "GET /assets/v1/%s/users/%s/avatar HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", acme, bob)
	head, body := exchange(t, address, read, answer)
	if !strings.HasPrefix(head, "HTTP/1.1 200") || len(body) < 100_000 {
		t.Fatal(head, len(body))
	}
	stored := hide(body)
	clear(answer)
	remove := fmt.Appendf(nil, "DELETE /management/v1/users/%s/avatar HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer admin-token-1\r\n\r\n", bob)
	if head, body := exchange(t, address, remove, answer); !strings.HasPrefix(head, "HTTP/1.1 200") {
		t.Fatal(head, string(body))
	}
	for name, hidden := range map[string][]byte{"uploaded": uploaded, "stored": stored} {
		p := piecesOf(hidden)
		left := p.inMemory(t) * pieceBytes
		t.Logf("%s: %d of %d bytes", name, left, len(hidden))
		if left > 32<<10 {
			t.Errorf("%d of the %d bytes of the picture as it was %s are in memory after its end, want less than 32 KiB", left, len(hidden), name)
		}
		p.checkSearch(t, hidden)
	}
}

// checkSearch demands that the search finds a picture that is in memory.
func (p *pieces) checkSearch(t *testing.T, hidden []byte) {
	t.Helper()
	back := make([]byte, len(hidden))
	for i, b := range hidden {
		back[i] = b ^ mask
	}
	if n := p.inMemory(t); n*pieceBytes < len(hidden)-2*pieceBytes {
		t.Errorf("the search finds %d bytes of %d that are there", n*pieceBytes, len(hidden))
	}
	clear(back)
}

// noise returns a square picture of random colours.
func noise(side int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	random := rand.New(rand.NewPCG(1, 2))
	for y := range side {
		for x := range side {
			img.SetRGBA(x, y, color.RGBA{R: byte(random.Uint32()), G: byte(random.Uint32()), B: byte(random.Uint32()), A: 255})
		}
	}
	return img
}
