//go:build !unix

package admin

// restrictSocket does nothing: the data directory's own permissions have to do.
func restrictSocket(uintptr) {}
