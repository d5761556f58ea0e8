// Package secretfile says whether a file that holds a secret is open to other users of the machine.
package secretfile

import (
	"io/fs"
	"os"
)

// Permissions of a file that others than its owner have.
const (
	othersMayReadOrWrite fs.FileMode = 0o066
	groupMayRead         fs.FileMode = 0o040
)

// IsOpen reports whether others than this process's user, and root, may read or change a file. One of root's may be readable for a
// group, because that is how root hands a secret to the user of a service: Kubernetes mounts secrets so. Where files have no mode
// it reports false.
func IsOpen(info fs.FileInfo) bool {
	owner, ok := ownerOf(info)
	return ok && isOpen(info.Mode().Perm(), owner, os.Geteuid())
}

func isOpen(mode fs.FileMode, owner, user int) bool {
	const root = 0
	if owner == root && user != root {
		mode &^= groupMayRead
	}
	return mode&othersMayReadOrWrite != 0
}
