//go:build !failpoints

package hooks

// On tells whether the program was built with the tag.
const On = false

// Failpoint does nothing and costs nothing.
func Failpoint(string) {}
