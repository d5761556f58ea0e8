//go:build !failpoints

package hooks

// On is true in a program that was built with the tag.
const On = false

// Failpoint does nothing and costs nothing.
func Failpoint(string) {}
