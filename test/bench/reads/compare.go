package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"
)

const (
	// httpReaders read at once, each the picture of another user.
	httpReaders = 16
	// httpSlice is how long each is measured in a round.
	httpSlice = 150 * time.Millisecond
	// resizedSide is the size of smaller pictures that are read.
	resizedSide = 64
)

// comparison is one way to read, beside the bare handler that answers the same.
type comparison struct {
	about      string
	ours, bare measured
	least      float64 // of the bare handler's rate; 0 = any

	rates, bares, ratios []float64
	reads                [2]float64 // of ours, and of the bare handler
	cpu                  [2]time.Duration
}

// work is how much of a processor's time the bare handler takes for a read, by what ours takes. Unlike rates it does not depend on what
// else a machine has to do.
func (c *comparison) work() float64 {
	return c.cpu[1].Seconds() / c.reads[1] / (c.cpu[0].Seconds() / c.reads[0])
}

// compare measures in rounds, everything in each: machines change from minute to minute, ratios within a round less.
func compare(ctx context.Context, o options, dir string, stdout io.Writer) (err error) {
	var servers []*served
	defer func() {
		for _, s := range servers {
			err = errors.Join(err, s.stop())
		}
	}()
	begin := func(role string, side, resized int) (*served, error) {
		of := o
		of.side, of.resized = side, resized
		s, err := start(ctx, role, filepath.Join(dir, fmt.Sprint(len(servers))), of)
		if err == nil {
			servers = append(servers, s)
		}
		return s, err
	}
	ours, err1 := begin("avatard", 0, 0)
	making, err2 := begin("avatard", 0, -1)
	bare, err3 := begin("bare", 0, 0)
	bareSmall, err4 := begin("bare", resizedSide, 0)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	all, err := comparisons(ctx, ours, making, bare, bareSmall)
	if err != nil {
		return err
	}
	for round := range o.rounds {
		for _, c := range all {
			if err := c.measure(ctx, round); err != nil {
				return fmt.Errorf("%s: %w", c.about, err)
			}
		}
	}
	for _, c := range all {
		fmt.Fprintf(stdout, "%-40s %8.0f reads/s, bare handler %8.0f, ratio %.2f (%.2f to %.2f), of processor time %.2f (%.0f µs a read)\n", c.about, middle(c.rates), middle(c.bares), middle(c.ratios),
			slices.Min(c.ratios), slices.Max(c.ratios), c.work(), 1e6*c.cpu[0].Seconds()/c.reads[0])
		if ratio := middle(c.ratios); o.check && ratio < c.least {
			err = errors.Join(err, fmt.Errorf("%s: %.2f of the bare handler's rate, at least %.2f wanted", c.about, ratio, c.least))
		}
	}
	return err
}

func comparisons(ctx context.Context, ours, making, bare, bareSmall *served) ([]*comparison, error) {
	whole, small := make([]string, httpReaders), make([]string, httpReaders)
	for i := range httpReaders {
		whole[i], small[i] = path(i, 0), path(i, resizedSide)
	}
	tag, err := ours.tagOf(ctx, whole[0])
	if err != nil {
		return nil, err
	}
	return []*comparison{
		{about: "a stored picture", ours: measured{ours, whole, ""}, bare: measured{bare, whole, ""}, least: 0.5},
		{about: "304", ours: measured{ours, whole[:1], tag}, bare: measured{bare, whole[:1], bareTag}, least: 0.7},
		{about: fmt.Sprintf("a size of %d, from memory", resizedSide), ours: measured{ours, small, ""}, bare: measured{bareSmall, small, ""}},
		{about: fmt.Sprintf("a size of %d, made each time", resizedSide), ours: measured{making, small, ""}, bare: measured{bareSmall, small, ""}},
	}, nil
}

// measure takes turns with which side is first.
func (c *comparison) measure(ctx context.Context, round int) error {
	var rates [2]float64
	sides := [2]measured{c.ours, c.bare}
	for i := range sides {
		side := (i + round) % 2
		before, err1 := cpu(sides[side].pid)
		rate, err2 := sides[side].rate(ctx, httpReaders, httpSlice)
		after, err3 := cpu(sides[side].pid)
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		rates[side] = rate
		c.reads[side] += rate * httpSlice.Seconds()
		c.cpu[side] += after - before
	}
	c.rates, c.bares, c.ratios = append(c.rates, rates[0]), append(c.bares, rates[1]), append(c.ratios, rates[0]/rates[1])
	return nil
}

func middle(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
