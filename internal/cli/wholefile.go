package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"

	"example.org/avatard/storage/backup"
)

// mayWrite refuses a file that is there already unless it may be replaced. Standard output is no file.
func mayWrite(name string, replace bool) error {
	if name == stdioName {
		return nil
	}
	switch info, err := os.Lstat(name); {
	case err == nil && !replace:
		return fmt.Errorf("%w: %s", backup.ErrFileExists, name)
	case err == nil && !info.Mode().IsRegular(): // a file in place of a device would harm others
		return fmt.Errorf("%s is no file of bytes, and --force replaces nothing else; - writes to standard output", name)
	}
	return nil
}

// writeWhole makes a file in one step: the whole one is there, or what was before.
func writeWhole(name string, mode os.FileMode, write func(io.Writer) error) error {
	part := name + "." + rand.Text() + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(part, name)
	}
	if err != nil {
		_ = os.Remove(part)
	}
	return err
}
