//go:build !failpoints

package hooks

// On tells that the program was built with the tag.
const On = false

// WrongOrder is the right one, "", wherever the program is used.
const WrongOrder = ""

// Failpoint does nothing and costs nothing.
func Failpoint(string) {}
