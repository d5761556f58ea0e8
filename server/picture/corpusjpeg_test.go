package picture

import (
	"image"
	"image/color"
	"math"
	"math/bits"
)

// jpegPicture is a JPEG of four quarters with any sampling factors, coded in any scans (ITU-T T.81). The standard
// library writes baseline with 4:2:0 only.
type jpegPicture struct {
	size     image.Point
	sof      byte       // marker of the frame, 0xc0 by default
	sampling []byte     // one for each component: horizontal factor in the high four bits, vertical in the low ones
	values   [4][]byte  // of the components, in each quarter
	ids      []byte     // of the components, 1, 2, 3 … by default
	scans    []jpegScan // one with all components by default
	restart  int        // MCUs in a restart interval
	segments string     // between SOI and the tables
	marker   string     // is put before each marker behind the first two
	lines    bool       // the height stands in a DNL segment behind the first scan
}

// jpegScan is one pass: which components, which coefficients, and which bits of them (T.81 section G.1.2).
type jpegScan struct {
	components          []int
	from, to, high, low int
}

// segment makes a marker segment.
func segment(marker byte, body string) string {
	n := len(body) + 2
	return string([]byte{0xff, marker, byte(n >> 8), byte(n)}) + body
}

// plane holds the quantised coefficients of a component, in zigzag order.
type plane struct {
	h, v          int
	across, down  int // blocks, with those that only fill the last MCUs
	inside, below int // blocks that a scan of this component alone has
	blocks        [][64]int
}

// jpegQuantiser divides every coefficient.
const jpegQuantiser = 2

func (j jpegPicture) encode() []byte {
	if j.sof == 0 {
		j.sof = 0xc0
	}
	n := len(j.sampling)
	if j.ids == nil {
		j.ids = []byte{1, 2, 3, 4}[:n]
	}
	planes, across, down := j.planes()
	out := "\xff\xd8" + j.segments
	table := make([]byte, 65)
	for i := range table[1:] {
		table[i+1] = jpegQuantiser
	}
	height := j.size.Y
	if j.lines {
		height = 0
	}
	frame := []byte{8, byte(height >> 8), byte(height), byte(j.size.X >> 8), byte(j.size.X), byte(n)}
	for i, hv := range j.sampling {
		frame = append(frame, j.ids[i], hv, 0)
	}
	out += j.marker + segment(0xdb, string(table)) + j.marker + segment(j.sof, string(frame)) + jpegTables(j.marker)
	if j.restart > 0 {
		out += segment(0xdd, string([]byte{byte(j.restart >> 8), byte(j.restart)}))
	}
	scans := j.scans
	if scans == nil {
		all := jpegScan{to: 63}
		for i := range n {
			all.components = append(all.components, i)
		}
		scans = []jpegScan{all}
	}
	for i, s := range scans {
		head := []byte{byte(len(s.components))}
		for _, c := range s.components {
			head = append(head, j.ids[c], 0)
		}
		head = append(head, byte(s.from), byte(s.to), byte(s.high<<4|s.low))
		w := &jpegBits{}
		s.write(w, planes, across, down, j.restart, j.sof == 0xc2)
		out += j.marker + segment(0xda, string(head)) + string(w.out)
		if i == 0 && j.lines {
			out += segment(0xdc, string([]byte{byte(j.size.Y >> 8), byte(j.size.Y)}))
		}
	}
	return []byte(out + j.marker + "\xff\xd9")
}

// jpegTables writes Huffman tables in which a symbol's code is the symbol itself: DC categories in four bits, the rest in eight.
func jpegTables(marker string) string {
	var dcCounts, acCounts [17]byte
	dcCounts[4], acCounts[0], acCounts[8] = 12, 0x10, 255
	var symbols [255]byte
	for i := range symbols {
		symbols[i] = byte(i)
	}
	return marker + segment(0xc4, string(dcCounts[:])+string(symbols[:12])) + marker + segment(0xc4, string(acCounts[:])+string(symbols[:]))
}

// planes samples and transforms the components, and returns the number of MCUs across and down as well.
func (j jpegPicture) planes() (planes []plane, across, down int) {
	most := image.Pt(1, 1)
	for _, hv := range j.sampling {
		most.X, most.Y = max(most.X, int(hv>>4)), max(most.Y, int(hv&15))
	}
	single := len(j.sampling) == 1
	if single {
		most = image.Pt(1, 1)
	}
	across, down = (j.size.X+8*most.X-1)/(8*most.X), (j.size.Y+8*most.Y-1)/(8*most.Y)
	for c, hv := range j.sampling {
		p := plane{h: int(hv >> 4), v: int(hv & 15)}
		if single {
			p.h, p.v = 1, 1
		}
		p.across, p.down = across*p.h, down*p.v
		p.inside = ((j.size.X*p.h+most.X-1)/most.X + 7) / 8
		p.below = ((j.size.Y*p.v+most.Y-1)/most.Y + 7) / 8
		for by := range p.down {
			for bx := range p.across {
				var samples [64]float64
				for i := range samples {
					x := min((2*(bx*8+i%8)+1)*most.X/(2*p.h), j.size.X-1)
					y := min((2*(by*8+i/8)+1)*most.Y/(2*p.v), j.size.Y-1)
					samples[i] = float64(j.values[quarter(x, y, j.size)][c]) - 128
				}
				p.blocks = append(p.blocks, transform(samples))
			}
		}
		planes = append(planes, p)
	}
	return planes, across, down
}

// cosines are those of the transform, with its factors: [frequency][place].
var cosines = func() (c [8][8]float64) {
	for u := range c {
		for x := range c[u] {
			c[u][x] = math.Cos(float64(2*x+1)*float64(u)*math.Pi/16) / 2
			if u == 0 {
				c[u][x] /= math.Sqrt2
			}
		}
	}
	return c
}()

// transform is the discrete cosine transform with quantisation: T.81 section A.3.3.
func transform(samples [64]float64) (out [64]int) {
	var rows [64]float64
	for i := range rows { // frequency i%8 of row i/8
		for x, c := range cosines[i%8] {
			rows[i] += samples[i/8*8+x] * c
		}
	}
	for k, at := range zigzag {
		sum := 0.0
		for y, c := range cosines[at/8] {
			sum += rows[y*8+at%8] * c
		}
		out[k] = int(math.Round(sum / jpegQuantiser))
	}
	return out
}

// jpegBits collects entropy-coded bits with byte stuffing.
type jpegBits struct {
	out        []byte
	held, free uint
	dc         [4]int
	endRun     int // blocks without further coefficients that are not written yet
}

func (w *jpegBits) put(v, n uint) {
	for ; n > 0; n-- {
		w.held, w.free = w.held<<1|v>>(n-1)&1, w.free+1
		if w.free == 8 {
			if w.out = append(w.out, byte(w.held)); byte(w.held) == 0xff {
				w.out = append(w.out, 0)
			}
			w.held, w.free = 0, 0
		}
	}
}

// flush fills the last byte with ones and begins anew.
func (w *jpegBits) flush() {
	w.end()
	for w.free != 0 {
		w.put(1, 1)
	}
	w.dc = [4]int{}
}

// value writes a signed number of so many bits.
func (w *jpegBits) value(v, n int) {
	if v < 0 {
		v += 1<<n - 1
	}
	w.put(uint(v), uint(n))
}

// end writes the run of blocks that have ended.
func (w *jpegBits) end() {
	if w.endRun > 0 {
		n := bits.Len(uint(w.endRun)) - 1
		w.put(uint(n<<4), 8)
		w.put(uint(w.endRun-1<<n), uint(n))
		w.endRun = 0
	}
}

func category(v int) int { return bits.Len(uint(max(v, -v))) }

// write codes one scan.
func (s jpegScan) write(w *jpegBits, planes []plane, across, down, restart int, progressive bool) {
	units := across * down
	first := planes[s.components[0]]
	alone := len(s.components) == 1
	if alone {
		units = first.inside * first.below
	}
	for unit := range units {
		if restart > 0 && unit > 0 && unit%restart == 0 {
			w.flush()
			w.out = append(w.out, 0xff, 0xd0+byte((unit/restart-1)%8))
		}
		if alone {
			s.block(w, s.components[0], first.blocks[unit/first.inside*first.across+unit%first.inside], progressive)
			continue
		}
		for _, c := range s.components {
			p := planes[c]
			for i := range p.h * p.v {
				x, y := unit%across*p.h+i%p.h, unit/across*p.v+i/p.h
				s.block(w, c, p.blocks[y*p.across+x], progressive)
			}
		}
	}
	w.flush()
}

func (s jpegScan) block(w *jpegBits, component int, b [64]int, progressive bool) {
	if s.high > 0 {
		s.refine(w, b)
		return
	}
	from := s.from
	if from == 0 {
		dc := b[0] >> s.low
		diff := dc - w.dc[component]
		w.dc[component] = dc
		w.put(uint(category(diff)), 4)
		w.value(diff, category(diff))
		from = 1
	}
	run := 0
	for k := from; k <= s.to; k++ {
		v := b[k] / (1 << s.low)
		if v == 0 {
			run++
			continue
		}
		w.end()
		for ; run > 15; run -= 16 {
			w.put(0xf0, 8)
		}
		w.put(uint(run<<4|category(v)), 8)
		w.value(v, category(v))
		run = 0
	}
	if run > 0 {
		if w.endRun++; !progressive || w.endRun == 1<<15-1 {
			w.end()
		}
	}
}

// refine writes one more bit of each coefficient: T.81 section G.1.2.3.
func (s jpegScan) refine(w *jpegBits, b [64]int) {
	if s.from == 0 {
		w.put(uint(b[0]>>s.low&1), 1)
		return
	}
	last := 0 // coefficient that becomes one other than zero here
	for k := s.from; k <= s.to; k++ {
		if abs := max(b[k], -b[k]) >> s.low; abs == 1 {
			last = k
		}
	}
	var held []uint
	release := func() {
		for _, bit := range held {
			w.put(bit, 1)
		}
		held = nil
	}
	run := 0
	for k := s.from; k <= s.to; k++ {
		abs := max(b[k], -b[k]) >> s.low
		switch {
		case abs == 0:
			run++
			continue
		case run > 15 && k <= last:
			for ; run > 15; run -= 16 {
				w.put(0xf0, 8)
				release()
			}
		}
		if abs > 1 {
			held = append(held, uint(abs&1))
			continue
		}
		w.put(uint(run<<4|1), 8)
		w.value(b[k]/max(b[k], -b[k]), 1)
		release()
		run = 0
	}
	if run > 0 || len(held) > 0 {
		w.put(0, 8)
		release()
	}
}

// jpegOfColours returns a JPEG of quarters in YCbCr with the given sampling factors, as JFIF defines it.
func jpegOfColours(q [4]color.NRGBA, sampling ...byte) jpegPicture {
	j := jpegPicture{size: image.Pt(96, 64), sampling: sampling}
	for i, c := range q {
		y, cb, cr := color.RGBToYCbCr(c.R, c.G, c.B)
		j.values[i] = []byte{y, cb, cr}[:min(3, len(sampling))]
	}
	return j
}
