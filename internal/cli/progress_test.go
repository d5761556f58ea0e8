package cli

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

// On a terminal a bar shows how far work has come. Other output takes the bar's line, and the bar is drawn again below.
func TestProgressBar(t *testing.T) {
	var out bytes.Buffer
	p := &progress{w: &out, bar: newBar(&out, "checking"), stop: make(chan struct{}), ended: make(chan struct{})}
	close(p.ended)
	p.show()
	if out.Len() > 0 {
		t.Errorf("before anything is known the bar is %q, want nothing", &out)
	}
	p.set(3, 10)
	p.show()
	if got := out.String(); !strings.Contains(got, "checking") || !strings.Contains(got, "30%") || !strings.Contains(got, "3/10") || strings.Contains(got, "\n") {
		t.Errorf("the bar is %q, want a line with 30%% and 3/10", got)
	}
	out.Reset()
	if err := p.aside(func() error { _, err := io.WriteString(&out, "a finding\n"); return err }); err != nil {
		t.Error(err)
	}
	const cleared = "\x1b[2K\r"
	if got := out.String(); got != cleared+"a finding\n" {
		t.Errorf("a finding is written as %q, want it in the line that the bar had", got)
	}
	out.Reset()
	p.add(4)
	p.finish()
	if got := out.String(); !strings.Contains(got, "7/10") || !strings.HasSuffix(got, "\n") || strings.Contains(got, "100%") {
		t.Errorf("work that ends early ends with %q, want 7/10 and the end of the line", got)
	}
}

// Elsewhere there are whole lines, between which other output stays as it is.
func TestProgressInALog(t *testing.T) {
	var out bytes.Buffer
	p := startProgress(&out, "checking", 10)
	if err := p.aside(func() error { _, err := fmt.Fprintln(&out, "a finding"); return err }); err != nil {
		t.Error(err)
	}
	p.add(10)
	p.finish()
	if got := out.String(); !strings.HasPrefix(got, "a finding\nchecking: 10 of 10 (100 %), ") || strings.ContainsAny(got, "\r\x1b") {
		t.Errorf("the log is %q", got)
	}
}

// Work whose size is not known shows how much is done, and no share of it.
func TestProgressOfUnknownSize(t *testing.T) {
	var log, terminal bytes.Buffer
	p := startProgress(&log, "erased", 0)
	p.set(2, 0)
	p.finish()
	if got := log.String(); !strings.HasPrefix(got, "erased: 2, ") {
		t.Errorf("the log is %q, want how much is done alone", got)
	}
	bar := &progress{w: &terminal, bar: newBar(&terminal, "erased"), stop: make(chan struct{}), ended: make(chan struct{})}
	close(bar.ended)
	bar.set(2, 0)
	bar.finish()
	if got := terminal.String(); !strings.Contains(got, "erased") || !strings.Contains(got, "2") || strings.Contains(got, "%") {
		t.Errorf("the bar is %q, want how much is done alone", got)
	}
}
