package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"example.org/avatard/storage/cluster"
	"example.org/avatard/test/proof/testbed"
)

// controlLasts is within which time a control has to be found out.
const controlLasts = 2 * time.Minute

// controls returns the wrong steps.
func controls() []string { return cluster.WrongSteps() }

// runControls runs the storm on builds with a wrong step. It is an error when one of them is not found out.
func runControls(ctx context.Context, o options, pictures *testbed.PictureSet, out io.Writer, steps []string) error {
	binary, err := testbed.Build(ctx, o.dir, "failpoints")
	if err != nil {
		return err
	}
	for _, step := range steps {
		if !slices.Contains(controls(), step) {
			return fmt.Errorf("no control %q; there are %v", step, controls())
		}
		under := o
		under.lasts, under.dir = controlLasts, filepath.Join(o.dir, "control-"+step)
		if err := os.MkdirAll(under.dir, 0o700); err != nil {
			return err
		}
		if err := runControl(ctx, under, pictures, out, binary, step); err != nil {
			return fmt.Errorf("control %s: %w", step, err)
		}
		if err := os.RemoveAll(under.dir); err != nil {
			return err
		}
	}
	return nil
}

func runControl(ctx context.Context, o options, pictures *testbed.PictureSet, out io.Writer, binary, step string) error {
	w, err := newWorld(ctx, o, binary, pictures, []string{"WRONG_STEP=" + step})
	if err != nil {
		return err
	}
	defer w.close()
	began := time.Now()
	k, err := w.last(ctx, o, false)
	if err != nil {
		return err
	}
	first, ok := w.violations.broken()
	if !ok {
		return fmt.Errorf("%d kills in %v, and nothing noticed: these checks are blind", k.all(), controlLasts)
	}
	fmt.Fprintf(out, "control %s: found out after %.0f s and %d kills: %s: %s\n", step, time.Since(began).Seconds(), k.all(), first.Kind, first.Text)
	return nil
}
