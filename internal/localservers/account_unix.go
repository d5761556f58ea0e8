//go:build unix

package localservers

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// databaseAccount returns what PostgreSQL is started with. It does not run as root, so then it runs as the account that its package made, or
// as nobody; its data is that account's, and the directory above may be passed through.
func databaseAccount(above, data string) (*syscall.SysProcAttr, error) {
	as := new(syscall.SysProcAttr)
	if os.Getuid() != 0 {
		return as, nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		if who, err = user.Lookup("nobody"); err != nil {
			return nil, fmt.Errorf("PostgreSQL does not run as root, and there is no other account for it: %w", err)
		}
	}
	uid, _ := strconv.Atoi(who.Uid)
	gid, _ := strconv.Atoi(who.Gid)
	as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return as, errors.Join(os.Chmod(above, 0o711), os.Chown(data, uid, gid))
}

// LetThrough lets the account that PostgreSQL runs as pass through a directory, where that is not this process's.
func LetThrough(dir string) error {
	if os.Getuid() != 0 {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	return os.Chmod(dir, info.Mode().Perm()|0o011)
}

// ofItsOwn returns how a server is started: away from the terminal, whose interrupt is for the process that started the server, and so that
// it ends with that.
func ofItsOwn(as *syscall.SysProcAttr, death syscall.Signal) *syscall.SysProcAttr {
	own := new(syscall.SysProcAttr)
	if as != nil {
		*own = *as
	}
	own.Setpgid = true
	endWithParent(own, death)
	return own
}
