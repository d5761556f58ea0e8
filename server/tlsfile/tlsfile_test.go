package tlsfile

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"example.org/avatard/internal/certtest"
)

// watched is a certificate with a clock and a log that a test looks at.
type watched struct {
	*certtest.Files
	*Certificate
	t   *testing.T
	at  time.Time
	log bytes.Buffer
}

func newWatched(t *testing.T) (*watched, int64) {
	t.Helper()
	files, serial := certtest.NewFiles(t)
	w := &watched{Files: files, t: t, at: time.Now()}
	var err error
	w.Certificate, err = Open(w.config())
	if err != nil {
		t.Fatal(err)
	}
	return w, serial
}

func (w *watched) config() Config {
	return Config{ChainFile: w.Chain, KeyFile: w.Key, Logger: slog.New(slog.NewTextHandler(&w.log, nil)), Now: func() time.Time { return w.at }}
}

// want makes a handshake some time later and demands a certificate, and a number of lines in the log.
func (w *watched) want(after time.Duration, serial int64, lines int) {
	w.t.Helper()
	w.at = w.at.Add(after)
	w.log.Reset()
	pair, err := w.Get(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if got := pair.Leaf.SerialNumber.Int64(); got != serial {
		w.t.Errorf("shown is certificate %d, want %d", got, serial)
	}
	if got := strings.Count(w.log.String(), "\n"); got != lines {
		w.t.Errorf("%d lines were logged, want %d:\n%s", got, lines, &w.log)
	}
	if key, err := os.ReadFile(w.Key); err == nil && strings.Contains(w.log.String(), strings.Split(string(key), "\n")[1]) {
		w.t.Errorf("the key is in the log:\n%s", &w.log)
	}
}

func TestCertificateFollowsItsFiles(t *testing.T) {
	w, first := newWatched(t)
	w.want(0, first, 0)
	w.want(time.Hour, first, 0)
	second := w.Renew()
	w.want(interval-1, first, 0) // the last look was less than a second ago
	w.want(1, second, 1)
	w.want(time.Second, second, 0)

	third := w.Renew()
	w.want(-time.Hour, third, 1) // a clock that is set back

	// A file that is written in place, within the resolution of its time stamp, to the same length.
	chain, key, fourth := w.Issue()
	stamp := time.Unix(1_700_000_000, 0)
	for name, data := range map[string][]byte{w.Chain: chain, w.Key: key} {
		w.Write(name, data)
		if err := os.Chtimes(name, stamp, stamp); err != nil {
			t.Fatal(err)
		}
	}
	w.want(time.Second, fourth, 1)
}

// Whatever is wrong with the files, the last good certificate stays in use, and the log has one line about it.
func TestCertificateOutlivesBrokenFiles(t *testing.T) {
	_, otherKey, _ := certtest.New(t).Issue()
	for _, row := range []struct {
		name  string
		spoil func(w *watched)
	}{
		{"the chain is new and the key is not there yet", func(w *watched) {
			chain, _, _ := w.Issue()
			w.Write(w.Chain, chain)
		}},
		{"the key of somebody else", func(w *watched) { w.Write(w.Key, otherKey) }},
		{"half a file", func(w *watched) {
			data, err := os.ReadFile(w.Key)
			if err != nil {
				t.Fatal(err)
			}
			w.Write(w.Key, data[:len(data)/2])
		}},
		{"an empty file", func(w *watched) { w.Write(w.Chain, nil) }},
		{"the key in the place of the chain", func(w *watched) { w.Write(w.Chain, otherKey) }},
		{"a file without an end", func(w *watched) { w.Write(w.Chain, make([]byte, maxBytes+1)) }},
		{"no file", func(w *watched) {
			if err := os.Remove(w.Key); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w, good := newWatched(t)
			row.spoil(w)
			w.want(time.Second, good, 1)
			w.want(time.Second, good, 0)
			w.want(time.Hour, good, 0)
			if _, err := Open(Config{ChainFile: w.Chain, KeyFile: w.Key}); err == nil {
				t.Error("a server would start with these files")
			}
			w.log.Reset()
			w.Reload() // each Reload logs its outcome
			if !strings.Contains(w.log.String(), "level=ERROR") {
				t.Errorf("asked to reload, it logs %q, want an error", &w.log)
			}
			w.want(time.Second, good, 0)
			w.want(time.Second, w.Renew(), 1)
		})
	}
}

// Handshakes do not wait for one another, and each gets a certificate while files change.
func TestCertificateOfManyHandshakes(t *testing.T) {
	files, first := certtest.NewFiles(t)
	c, err := Open(Config{ChainFile: files.Chain, KeyFile: files.Key})
	if err != nil {
		t.Fatal(err)
	}
	last := files.Renew()
	var working sync.WaitGroup
	for range 8 {
		working.Go(func() {
			for range 200 {
				pair, err := c.Get(nil)
				if err != nil || pair.Leaf.SerialNumber.Int64() != first && pair.Leaf.SerialNumber.Int64() != last {
					t.Errorf("got %v, %v", pair, err)
				}
			}
		})
	}
	c.Reload()
	working.Wait()
	if pair, _ := c.Get(nil); pair.Leaf.SerialNumber.Int64() != last {
		t.Errorf("after the reload certificate %v is shown, want %d", pair.Leaf.SerialNumber, last)
	}

	// One that looks for a long time keeps nobody waiting.
	c.mu.Lock()
	defer c.mu.Unlock()
	if pair, err := c.Get(nil); err != nil || pair == nil {
		t.Errorf("got %v, %v while another handshake looks", pair, err)
	}
}
