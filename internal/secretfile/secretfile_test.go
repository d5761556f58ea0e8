package secretfile

import (
	"io/fs"
	"testing"
)

// A file is its owner's alone; one of root's may be readable for the group of the process that it is meant for.
func TestIsOpen(t *testing.T) {
	const root, service, other = 0, 65532, 1000
	for _, row := range []struct {
		mode        fs.FileMode
		owner, user int
		open        bool
	}{
		{0o600, service, service, false},
		{0o400, service, service, false},
		{0o711, service, service, false},
		{0o640, service, service, true},
		{0o604, service, service, true},
		{0o620, service, service, true},
		{0o440, root, service, false},
		{0o640, root, service, false},
		{0o660, root, service, true},
		{0o444, root, service, true},
		{0o640, root, root, true},
		{0o640, other, service, true},
	} {
		if got := isOpen(row.mode, row.owner, row.user); got != row.open {
			t.Errorf("mode %04o of user %d, for user %d: open is %t", row.mode, row.owner, row.user, got)
		}
	}
}
