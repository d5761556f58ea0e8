//go:build !wrongorder

package embedded

// wrongOrder is empty wherever the program is used: what depends on it is not compiled in.
const wrongOrder = ""
