package picture

import (
	"bytes"
	"errors"
	"image"
	"io"
	"math/bits"
	"strings"
	"testing"

	"golang.org/x/image/webp"
)

// all makes a code in which each of 256 bytes has eight bits, with an alphabet of as many symbols or more.
func (w *bitWriter) all(alphabet int) {
	w.put(0, 1)
	w.put(9-4, 4)
	w.put(0, 3*8)
	w.put(1, 3) // of the code of lengths there is only the symbol that repeats the last one, which is 8 at first
	if alphabet == 256 {
		w.put(0, 1)
	} else {
		w.put(1, 1)
		w.put(2, 3)
		w.put(43-2, 6) // symbols, then the rest does not occur
	}
	for range 42 {
		w.put(6-3, 2)
	}
	w.put(4-3, 2)
}

// most makes the largest code of green there is: 280 symbols and 2,048 colours, 1,768 with 11 bits and 560 with 12.
func (w *bitWriter) most() {
	w.put(0, 1)
	w.put(16-4, 4)
	w.put(0, 3*8)
	w.put(1, 3) // repeat: one bit, 0
	w.put(0, 3*5)
	w.put(2, 3) // 11: two bits, 10
	w.put(2, 3) // 12: two bits, 11
	w.put(0, 1)
	repeated := func(code uint64, explicit, sixes, threes int) {
		for range explicit {
			w.put(code, 2)
		}
		for range sixes {
			w.put(0, 1)
			w.put(6-3, 2)
		}
		for range threes {
			w.put(0, 1)
			w.put(0, 2)
		}
	}
	repeated(1, 1, 294, 1)
	repeated(3, 2, 93, 0)
}

// none makes a code of one symbol, which is 0.
func (w *bitWriter) none() { w.put(1, 4) }

// manyGroups is a bit stream with so many groups of the largest codes, all of them used, and without pixels.
func manyGroups(groups int) *bitWriter {
	across := 1
	for across*across < groups {
		across++
	}
	w := newWebP(image.Pt(4*across, 4*across))
	w.put(0, 1)  // no transforms
	w.put(1, 1)  // a cache
	w.put(11, 4) // of 2,048 colours
	w.put(1, 1)  // many groups
	w.put(0, 3)  // blocks of 4 × 4
	w.put(0, 1)  // no cache
	w.all(280)
	w.all(256)
	w.none()
	w.none()
	w.none()
	for i := range across * across {
		group := min(i, groups-1)
		w.put(uint64(bits.Reverse8(uint8(group))), 8)
		w.put(uint64(bits.Reverse8(uint8(group>>8))), 8)
	}
	for range groups {
		w.most()
		w.all(256)
		w.all(256)
		w.all(256)
		w.none()
	}
	return w
}

// asAlpha makes the stream the alpha of a lossy picture, as a still one or as the frame of an animation.
func asAlpha(stream []byte, size image.Point, animated bool) []byte {
	alpha := riffChunk("ALPH", "\x01"+string(stream[5:]))
	if animated {
		return webpOf(vp8x(webpAnimation|webpAlpha, size), webpFrame(image.Point{}, size, alpha))
	}
	return webpOf(vp8x(webpAlpha, size), alpha)
}

// Half a megabyte of codes of a lossless WebP takes far more memory than any number of pixels that it can have. It is refused before it
// is decoded.
func TestCodesOfWebPAreCounted(t *testing.T) {
	stream, size := manyGroups(2600), image.Pt(204, 204)
	file := stream.file()
	if len(file) > DefaultUploadBytes {
		t.Fatalf("%d bytes", len(file))
	}
	cut := file[:len(file)-9] // without its end the decoder takes as much
	for about, data := range map[string][]byte{
		"still": file, "cut": cut, "alpha": asAlpha(stream.bytes, size, false),
		"animated":              webpOf(vp8x(webpAnimation, size), webpFrame(image.Point{}, size, string(file[riffHeaderBytes:]))),
		"alpha of an animation": asAlpha(stream.bytes, size, true),
	} {
		var err error
		if got := allocated(func() { _, err = New(Config{}).Normalize(t.Context(), data) }); got > 1<<20 {
			t.Errorf("%s: %d bytes allocated", about, got)
		}
		if about == "cut" && errors.Is(err, ErrMalformed) {
			continue
		}
		if !errors.Is(err, ErrMemory) || !strings.Contains(err.Error(), "prefix codes") {
			t.Errorf("%s: %v, want %v", about, err, ErrMemory)
		}
	}
}

// webpMemory is at least the memory that the library takes for a lossless WebP.
func TestMemoryOfWebPIsAsSaid(t *testing.T) {
	for _, groups := range []int{1, 2, 300, 1100, 2600} {
		data := manyGroups(groups).file()
		cfg, err := webp.DecodeConfig(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		said, err := webpMemory(data, image.Pt(cfg.Width, cfg.Height))
		got := allocated(func() { _, _ = webp.Decode(bytes.NewReader(data)) })
		if err != nil || got > said+smallBytes || got < said*3/4 {
			t.Errorf("%d groups: %d bytes allocated, %d said, %v", groups, got, said, err)
		}
	}
}

// More groups than the decoder takes are refused with a message of their own.
func TestTooManyGroupsOfWebP(t *testing.T) {
	_, err := New(Config{MaxUploadBytes: MostUploadBytes}).Open(manyGroups(2601).file())
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "2600") {
		t.Errorf("%v, want %v", err, ErrUnsupported)
	}
}

// webpMemory returns no error for a file that the library decodes.
func TestWebPThatIsDecodedIsCounted(t *testing.T) {
	uploads := []sizedPicture{{"noise", noisyWebP(image.Pt(400, 400))}, {"plain", plainWebP(image.Pt(401, 399), 7)}, {"wide", plainWebP(image.Pt(16384, 1), 7)}}
	for _, s := range webpSpecimens(t) {
		uploads = append(uploads, sizedPicture{s.name, s.data})
	}
	for _, u := range uploads {
		compareWithLibrary(t, u.about, u.data)
	}
}

func compareWithLibrary(t *testing.T, about string, data []byte) {
	t.Helper()
	cfg, err := webpConfig(data)
	if err != nil {
		return
	}
	if _, err = decodeWebP(data, func(r io.Reader) io.Reader { return r }); err != nil {
		return
	}
	if _, err := webpMemory(data, image.Pt(cfg.Width, cfg.Height)); err != nil {
		t.Errorf("%s: %v", about, err)
	}
}
