package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// A bar of the plot is as long as the ratio, and its line reaches from the lowest round to the highest.
func TestPlot(t *testing.T) {
	ratio := 0.5
	rep := &report{Rounds: 3, Rows: []row{
		{Form: formREST, Callers: 16, Target: targetBare, EachTurn: []sample{{CallsPerS: 100}, {CallsPerS: 100}, {CallsPerS: 200}}},
		{Form: formREST, Callers: 16, Target: targetEmbedded, ByBare: &ratio, EachTurn: []sample{{CallsPerS: 40}, {CallsPerS: 50}, {CallsPerS: 180}}},
		{Form: formGRPC, Callers: 16, Target: targetEmbedded, ByBare: &ratio}, // without the bare handler it says nothing
	}}
	p := newPlot(rep)
	if len(p.Groups) != 1 || len(p.Groups[0].Bars) != 1 {
		t.Fatalf("groups %+v, want one of one bar", p.Groups)
	}
	got := p.Groups[0].Bars[0]
	if got.Right != plotX(0.5) || got.Low != plotX(0.4) || got.High != plotX(0.9) || got.Ratio != "0.50" || got.Y <= p.Top || got.Y >= p.Bottom {
		t.Errorf("the bar is %+v", got)
	}
	file := filepath.Join(t.TempDir(), "plot.svg")
	if err := rep.writePlot(file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(bytes.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
	}
}
