package cli

import (
	"context"
	"fmt"

	"example.org/avatard/internal/client"
	"example.org/avatard/server/picture"
)

// putCommand is "put".
type putCommand struct {
	callFlags
	User string `arg:"" name:"USER" help:"id of the user, or me"`
	File string `arg:"" name:"FILE" help:"PNG, JPEG, GIF or WebP; - reads standard input"`
}

func (flags *putCommand) Run(ctx context.Context, inv *Program) error {
	caller, to, err := flags.call(inv, flags.User, false)
	if err != nil {
		return err
	}
	defer caller.Close()
	data, err := flags.read(inv)
	if err != nil {
		return fmt.Errorf("put: %w", err)
	}
	details, err := caller.Put(ctx, to, data, client.Condition{})
	if err != nil {
		return fmt.Errorf("put %s: %w", flags.User, err)
	}
	sentence := pictureOf(flags.User) + " is in place."
	return changed{flags.User, "put", details}.write(inv.Stdout, flags.JSON, sentence)
}

func (flags *putCommand) read(inv *Program) ([]byte, error) {
	if flags.File == stdioName {
		if isTerminal(inv.Stdin) {
			return nil, usagef("standard input is a terminal; put %s - < FILE", flags.User)
		}
		return readPictureFile(inv.Stdin, picture.MostUploadBytes)
	}
	f, err := openRegular(flags.File)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readPictureFile(f, picture.MostUploadBytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flags.File, err)
	}
	return data, nil
}
