package storage

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A bound belongs to the bucket that it ends; a copy stands still.
func TestDistribution(t *testing.T) {
	d := NewDistribution(1, 2, 4)
	for _, value := range []float64{0, 1, 1.5, 2, 2.5, 4, 4.5, 100} {
		d.Observe(value)
	}
	kept := d.Clone()
	d.Observe(1)
	want := Distribution{Bounds: []float64{1, 2, 4}, Counts: []uint64{2, 2, 2, 2}, Sum: 115.5}
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Errorf("distribution (-want +got):\n%s", diff)
	}
	if d.Counts[0] != 3 || d.Sum != 116.5 {
		t.Errorf("after one more: %+v", d)
	}
}
