//go:build !failpoints

package embedded

// failpoint does nothing and costs nothing.
func failpoint(string) {}
