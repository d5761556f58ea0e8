package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"slices"
	"text/template"
)

//go:embed plot.svg.tmpl
var plotText string

var plotTemplate = template.Must(template.New("plot").Parse(plotText))

// Places of the plot, in pixels.
const (
	plotLeft   = 170 // of the bars, whose length is the ratio
	plotUnit   = 560 // of the ratio 1
	plotTop    = 96
	plotRow    = 20
	plotGap    = 34 // above the rows of each number of callers
	plotBottom = 56
)

// plotBar is one form with one number of callers: the median of the rounds, and the lowest and the highest of them.
type plotBar struct {
	Form                            form
	Y                               int
	Left, Right, Low, High, Written float64 // x
	Ratio                           string
}

// plotGroup are the bars of one number of callers.
type plotGroup struct {
	Callers, Y int
	Bars       []plotBar
}

type plotTick struct {
	X     float64
	Label string
}

// plot is what the template draws.
type plot struct {
	Width, Height, Top, Bottom int
	Groups                     []plotGroup
	Ticks                      []plotTick
	Note                       string
}

// newPlot draws by how much fewer calls a second avatard answers than the bare handler.
func newPlot(rep *report) plot {
	p := plot{Width: plotLeft + plotUnit + 90, Top: plotTop - 8, Note: fmt.Sprintf("%s, %d CPUs, %d rounds of %s, pictures of about %d bytes; 4 KB written and synced: %.0f µs",
		rep.Go, rep.CPUs, rep.Rounds, rep.Slice, rep.Picture, rep.Disk)}
	for i := range 6 {
		share := float64(i) / 5
		p.Ticks = append(p.Ticks, plotTick{plotX(share), fmt.Sprintf("%.1f", share)})
	}
	y := plotTop
	for _, r := range rep.Rows {
		rounds := rep.ratios(r)
		if r.Target != targetEmbedded || r.ByBare == nil || len(rounds) == 0 {
			continue
		}
		known := slices.IndexFunc(p.Groups, func(g plotGroup) bool { return g.Callers == r.Callers })
		if known < 0 {
			known = len(p.Groups)
			p.Groups = append(p.Groups, plotGroup{Callers: r.Callers})
		}
		g := &p.Groups[known]
		g.Bars = append(g.Bars, plotBar{Form: r.Form, Left: plotLeft, Right: plotX(*r.ByBare), Low: plotX(slices.Min(rounds)), High: plotX(slices.Max(rounds)),
			Written: plotX(max(*r.ByBare, slices.Max(rounds))) + 8, Ratio: fmt.Sprintf("%.2f", *r.ByBare)})
	}
	for i := range p.Groups {
		y += plotGap
		p.Groups[i].Y = y - 12
		for j := range p.Groups[i].Bars {
			p.Groups[i].Bars[j].Y = y
			y += plotRow
		}
	}
	p.Bottom, p.Height = y, y+plotBottom
	return p
}

// plotX is where a ratio is; none is drawn beyond 1.1.
func plotX(ratio float64) float64 { return plotLeft + plotUnit*min(ratio, 1.1) }

// ratios are those of the rounds of one row by the bare handler in the same round.
func (rep *report) ratios(r row) (all []float64) {
	bare := slices.IndexFunc(rep.Rows, func(o row) bool { return o.Target == targetBare && o.Form == r.Form && o.Callers == r.Callers })
	if bare < 0 {
		return nil
	}
	for i, one := range r.EachTurn {
		if other := rep.Rows[bare].EachTurn; i < len(other) && other[i].CallsPerS > 0 {
			all = append(all, one.CallsPerS/other[i].CallsPerS)
		}
	}
	return all
}

// writePlot writes the plot as SVG.
func (rep *report) writePlot(file string) error {
	var made bytes.Buffer
	if err := plotTemplate.Execute(&made, newPlot(rep)); err != nil {
		return err
	}
	return os.WriteFile(file, made.Bytes(), 0o644)
}
