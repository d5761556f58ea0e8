package cli

import (
	"context"
	"fmt"
)

// rmCommand is "rm".
type rmCommand struct {
	callFlags
	User string `arg:"" name:"USER" help:"id of the user, or me"`
}

func (flags *rmCommand) Run(ctx context.Context, inv *Program) error {
	caller, of, err := flags.call(inv, flags.User, false)
	if err != nil {
		return err
	}
	defer caller.Close()
	details, err := caller.Remove(ctx, of)
	if err != nil {
		return fmt.Errorf("rm %s: %w", flags.User, err)
	}
	sentence := pictureOf(flags.User) + " is gone for good."
	if details.Receipt == "" {
		sentence = pictureOf(flags.User) + " is not there, and never was."
	}
	return changed{flags.User, "removed", details}.write(inv.Stdout, flags.JSON, sentence)
}
