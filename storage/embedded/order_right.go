//go:build !wrongorder

package embedded

// wrongOrder is empty wherever the program is used: what depends on it is not compiled in.
const wrongOrder = ""

// misorder is what a wrong order remembers: nothing here.
type misorder struct{}

// apply is never called.
func (*misorder) apply(_ *Store, l landing) landing { return l }

// allowWrongOrder leaves the schema as it is.
func (*database) allowWrongOrder() error { return nil }
