package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example.org/avatard/storage/embedded"
	"example.org/avatard/test/proof/testbed"
)

// controls returns the wrong orders of steps that kills can show. The one that answers before the last sync is for the
// tests that lose power: a process that is killed loses nothing it has written.
func controls() []string {
	return slices.DeleteFunc(embedded.WrongOrders(), func(order string) bool { return order == "early-answer" })
}

// runControls kills builds with a wrong order of steps. It is an error when one of them is not found out.
func runControls(ctx context.Context, o options, pictures *testbed.PictureSet, out io.Writer, orders []string) error {
	binary, err := testbed.Build(ctx, o.dir, "failpoints")
	if err != nil {
		return err
	}
	for _, order := range orders {
		if !slices.Contains(embedded.WrongOrders(), order) {
			return fmt.Errorf("no control %q; there are %v", order, embedded.WrongOrders())
		}
		under := o
		under.dir = filepath.Join(o.dir, "control-"+order)
		if err := os.MkdirAll(under.dir, 0o700); err != nil {
			return err
		}
		h := newHarness(under, pictures, binary, io.Discard, nil, controlKills)
		h.environ = []string{"WRONG_ORDER=" + order}
		if err := h.run(ctx, controlKills); err != nil {
			return fmt.Errorf("control %s: %w", order, err)
		}
		if !h.violations.any() {
			return fmt.Errorf("control %s: %d kills of a program with a wrong order of steps, and nothing noticed: these checks are blind",
				order, h.kills())
		}
		first := h.violations.list[0]
		fmt.Fprintf(out, "control %s: found out after %d kills: %s: %s\n", order, h.kills(), first.Kind, firstLine(first.Text))
		if err := os.RemoveAll(under.dir); err != nil {
			return err
		}
	}
	return nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSuffix(line, ":")
}
