package picture

import (
	"context"
)

// ownJPEG decodes the JPEGs that image/jpeg does not take, or of which it keeps copies (see direct): baseline and progressive with Huffman
// codes and 8 bits, any sampling factors and any number of scans. It is short rather than fast.
type ownJPEG struct {
	jpegFrame
	ctx        context.Context
	quantisers [4][64]int32 // in zigzag order
	tables     [2][4]huffmanTable
	interval   int // MCUs between restarts
	bits       bitReader
	endRun     int // blocks that have no further coefficients in this scan
}

// jpegScanHead is the header of a scan: T.81 section B.2.3.
type jpegScanHead struct {
	components          []scanComponent
	from, to, high, low int
}

type scanComponent struct {
	*jpegComponent
	dc, ac byte // numbers of Huffman tables
}

// readScanHead checks everything that the decoding of the scan relies on; ok is false when something is wrong. Of two
// components with the same id, which some programs write, the first that the scan has not yet is meant.
func (f *jpegFrame) readScanHead(body []byte) (s jpegScanHead, ok bool) {
	n := len(body)/2 - 2
	if n < 1 || n > len(f.components) || len(body) != 2*n+4 || int(body[0]) != n {
		return s, false
	}
	blocks, taken := 0, [4]bool{}
	for i := range n {
		id, tables := body[1+2*i], body[2+2*i]
		at := 0
		for at < len(f.components) && (taken[at] || f.components[at].id != id) {
			at++
		}
		if at == len(f.components) || tables>>4 > 3 || tables&15 > 3 {
			return s, false
		}
		taken[at] = true
		c := &f.components[at]
		blocks += c.h * c.v
		s.components = append(s.components, scanComponent{c, tables >> 4, tables & 15})
	}
	s.from, s.to, s.high, s.low = 0, 63, 0, 0
	if f.progressive {
		tail := body[2*n+1:]
		s.from, s.to, s.high, s.low = int(tail[0]), int(tail[1]), int(tail[2]>>4), int(tail[2]&15)
	}
	wrong := n > 1 && blocks > 10 || s.from > s.to || s.to > 63 || s.low > 13 || s.high != 0 && s.high != s.low+1 ||
		f.progressive && s.from == 0 && s.to != 0 || s.from > 0 && n > 1 // T.81 sections B.2.3 and G.1.1.1.1
	return s, !wrong
}

// scan decodes one scan and returns the bytes behind it.
func (d *ownJPEG) scan(head jpegScanHead, data []byte) ([]byte, error) {
	d.bits = bitReader{rest: data}
	d.restart()
	for _, c := range head.components {
		if c.seen && !d.progressive {
			return nil, ErrMalformed // a second time
		}
		c.seen = true
	}
	mcus := d.mcus()
	first := head.components[0].jpegComponent
	if len(head.components) == 1 {
		mcus.X, mcus.Y = first.inside, first.below
	}
	number := 0
	for y := range mcus.Y {
		if err := d.ctx.Err(); err != nil {
			return nil, err
		}
		for x := range mcus.X {
			if d.interval > 0 && number > 0 && number%d.interval == 0 {
				if !d.bits.passRestart() {
					return nil, ErrMalformed
				}
				d.restart()
			}
			number++
			for i := range head.components {
				c := &head.components[i]
				if len(head.components) == 1 {
					if err := d.block(&head, c, y*c.across+x); err != nil {
						return nil, err
					}
					continue
				}
				for k := range c.h * c.v {
					if err := d.block(&head, c, (y*c.v+k/c.h)*c.across+x*c.h+k%c.h); err != nil {
						return nil, err
					}
				}
			}
		}
	}
	return d.bits.rest, nil
}

// restart forgets what earlier intervals left.
func (d *ownJPEG) restart() {
	for i := range d.components {
		d.components[i].prediction = 0
	}
	d.endRun = 0
}

// block decodes one block of a scan; of a progressive frame, the bits that the scan adds to it.
func (d *ownJPEG) block(s *jpegScanHead, c *scanComponent, at int) error {
	if !d.progressive {
		var b [64]int16
		if err := d.first(s, c, &b); err != nil {
			return err
		}
		c.render(&b, at, &d.quantisers[c.quantiser])
		return nil
	}
	b := (*[64]int16)(c.amplitudes[64*at:])
	if s.high == 0 {
		return d.first(s, c, b)
	}
	if s.from == 0 {
		bit, err := d.bits.take(1)
		b[0] |= int16(bit << s.low)
		return err
	}
	return d.refine(s, c, b)
}

// first decodes the coefficients from s.from to s.to but for their s.low lowest bits: T.81 sections F.2.2 and G.2.
func (d *ownJPEG) first(s *jpegScanHead, c *scanComponent, b *[64]int16) error {
	k := s.from
	if k == 0 {
		size, err := d.bits.symbol(&d.tables[0][c.dc])
		if err != nil {
			return err
		}
		difference, err := d.bits.signed(int(size))
		if err != nil {
			return err
		}
		c.prediction += difference
		b[0] = int16(c.prediction << s.low)
		k = 1
	}
	if d.endRun > 0 {
		d.endRun--
		return nil
	}
	for ; k <= s.to; k++ {
		symbol, err := d.bits.symbol(&d.tables[1][c.ac])
		if err != nil {
			return err
		}
		run, size := int(symbol>>4), int(symbol&15)
		switch {
		case size > 0:
			if k += run; k > s.to {
				return ErrMalformed
			}
			value, err := d.bits.signed(size)
			if err != nil {
				return err
			}
			b[k] = int16(value << s.low)
		case run == 15:
			k += 15
		default:
			return d.endOfBand(run)
		}
	}
	return nil
}

// endOfBand reads how many blocks have ended, this one left out: 2^n - 1 and n further bits.
func (d *ownJPEG) endOfBand(n int) error {
	more, err := d.bits.take(n)
	d.endRun = 1<<n - 1 + more
	if !d.progressive && n > 0 {
		return ErrMalformed
	}
	return err
}

// correct adds a bit to a coefficient that is not zero, away from zero.
func (d *ownJPEG) correct(coefficient *int16, step int16) error {
	bit, err := d.bits.take(1)
	if bit == 1 && *coefficient&step == 0 && *coefficient > 0 {
		*coefficient += step
	} else if bit == 1 && -*coefficient&step == 0 && *coefficient < 0 {
		*coefficient -= step
	}
	return err
}

// refine adds one bit to the coefficients that are not zero, and finds those that become one: T.81 section G.2.3.
func (d *ownJPEG) refine(s *jpegScanHead, c *scanComponent, b *[64]int16) error {
	step := int16(1 << s.low)
	correct := func(k int) error { return d.correct(&b[k], step) }
	k := s.from
	for d.endRun == 0 && k <= s.to {
		symbol, err := d.bits.symbol(&d.tables[1][c.ac])
		if err != nil {
			return err
		}
		run, value := int(symbol>>4), int16(0)
		switch symbol & 15 {
		case 0:
			if run < 15 {
				if err := d.endOfBand(run); err != nil {
					return err
				}
				d.endRun++ // this block as well
			}
		case 1:
			bit, err := d.bits.take(1)
			if err != nil {
				return err
			}
			if value = -step; bit == 1 {
				value = step
			}
		default:
			return ErrMalformed
		}
		if d.endRun > 0 {
			break
		}
		for ; k <= s.to; k++ { // over run zeros, to the place of the new value
			if b[k] != 0 {
				if err := correct(k); err != nil {
					return err
				}
				continue
			}
			if run == 0 {
				b[k] = value
				k++
				break
			}
			run--
		}
	}
	if d.endRun > 0 {
		d.endRun--
		for ; k <= s.to; k++ {
			if b[k] != 0 {
				if err := correct(k); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
