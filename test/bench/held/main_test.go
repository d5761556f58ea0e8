//go:build linux

package main

import (
	"os"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if os.Getenv(serveVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A few connections of each attack on a server in a process of its own; how much a thousand take is for the program itself to measure.
func TestHeld(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for _, name := range []string{"trailers", "lines", "block"} {
			if err := run(t.Context(), options{attacks: name, connections: 20, sources: 4, secure: secure, hold: 50 * time.Millisecond, most: 256}); err != nil {
				t.Error(err)
			}
		}
	}
}
