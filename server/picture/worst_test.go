//go:build unix

package picture

import (
	"image"
	"syscall"
	"testing"
	"time"
)

// heavy are the most expensive pictures within the default limits that are known: the largest of each kind, and those that are hard to encode.
func heavy(t testing.TB) []sizedPicture {
	most := image.Pt(4080, 3060)
	noisyPNG := func(bits uint, alpha bool, side int) []byte { return pngOf(t, grainy(side, side, bits, alpha)) }
	all := kinds(t, most)
	return append(all,
		sizedPicture{"progressive JPEG 4:2:0, as many scans as may be", wideJPEG(0xc2, most, []byte{0x22, 0x11, 0x11}, maxScans(most.X*most.Y)-1)},
		sizedPicture{"JPEG of unusual sampling", wideJPEG(0xc0, most, []byte{0x11, 0x22, 0x22}, 0)},
		sizedPicture{"progressive JPEG of unusual sampling, as many scans as may be", wideJPEG(0xc2, image.Pt(2980, 2980), []byte{0x11, 0x22, 0x22}, maxScans(2980*2980)-1)},
		sizedPicture{"2048: progressive JPEG of unusual sampling, as many scans as may be", wideJPEG(0xc2, image.Pt(2048, 2048), []byte{0x11, 0x22, 0x22}, maxScans(2048*2048)-1)},
		sizedPicture{"PNG with alpha, 16384 × 762", pngWith(pngHead{image.Pt(16384, 762), 16, pngColourAlpha, false}, 4, flatRows)},
		sizedPicture{"PNG with alpha, 762 × 16384", pngWith(pngHead{image.Pt(762, 16384), 16, pngColourAlpha, true}, 4, flatRows)},
		sizedPicture{"2048: WebP with alpha and grain", noisyWebP(image.Pt(2040, 2040))},
		sizedPicture{"2048: PNG of grain, 1 bit", noisyPNG(1, true, 700)},
		sizedPicture{"2048: PNG of grain, 2 bits", noisyPNG(2, true, 600)},
		sizedPicture{"2048: PNG with a random bit a sample", randomBits(900)},
		sizedPicture{"2048: PNG of noise", noisyPNG(8, false, 400)},
		sizedPicture{"2048: PNG with alpha, 16 bits, interlaced", pngWith(pngHead{image.Pt(2048, 2048), 16, pngColourAlpha, true}, 4, flatRows)},
		sizedPicture{"2048: progressive JPEG, as many scans as may be", wideJPEG(0xc2, image.Pt(2048, 2048), []byte{0x11, 0x11, 0x11}, maxScans(2048*2048)-1)},
		sizedPicture{"2048: WebP with alpha", plainWebP(image.Pt(2048, 2048), 128)},
	)
}

// BenchmarkHeavy measures the cost of the heaviest pictures: task bench:pictures.
func BenchmarkHeavy(b *testing.B) {
	n := New(Config{})
	for _, u := range heavy(b) {
		opened, err := n.Open(u.data)
		if err != nil {
			continue // refused for the memory it would take
		}
		b.Run(u.about, func(b *testing.B) {
			b.ReportAllocs()
			before := processorTime(b)
			for b.Loop() {
				if _, err := opened.Normalize(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((processorTime(b)-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(opened.Memory())/1e6, "MB-said")
		})
	}
}

// processorTime is the processor time that this process has used so far, the collector included. Unlike the time that passes it does not
// depend on other processes.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
