//go:build !unix

package cli

// disableCoreDumps does nothing: this system has no limit to set for the process.
func disableCoreDumps() error { return nil }
