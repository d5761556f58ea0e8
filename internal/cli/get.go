package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"example.org/avatard/internal/client"
)

// getCommand is "get".
type getCommand struct {
	callFlags
	Force bool   `help:"replace FILE if it is there"`
	User  string `arg:"" name:"USER" help:"id of the user, or me"`
	File  string `arg:"" optional:"" default:"-" name:"FILE" help:"file to write, - or nothing for standard output"`
}

func (flags *getCommand) Run(ctx context.Context, inv *Program) error {
	if err := flags.check(inv); err != nil {
		return err
	}
	caller, of, err := flags.call(inv, flags.User, flags.User != client.Me)
	if err != nil {
		return err
	}
	defer caller.Close()
	got, err := caller.Get(ctx, of)
	if err != nil {
		return fmt.Errorf("get %s: %w", flags.User, err)
	}
	if flags.File == stdioName {
		if _, err := inv.Stdout.Write(got.Data); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
		return nil
	}
	if err := writeWhole(flags.File, 0o666, func(w io.Writer) error {
		_, err := w.Write(got.Data)
		return err
	}); err != nil {
		return fmt.Errorf("get %s: %w", flags.User, err)
	}
	if flags.JSON {
		return json.NewEncoder(inv.Stdout).Encode(struct {
			User      string `json:"user"`
			File      string `json:"file"`
			Bytes     int    `json:"bytes"`
			MediaType string `json:"mediaType"`
			ETag      string `json:"etag,omitempty"`
		}{flags.User, flags.File, len(got.Data), got.MediaType, got.ETag})
	}
	return printFacts(inv.Stdout, pictureOf(flags.User)+" is in "+flags.File+".", []fact{
		{"user", flags.User}, {"file", flags.File}, {"bytes", strconv.Itoa(len(got.Data))}, {"type", got.MediaType}, {"etag", got.ETag}})
}

func (flags *getCommand) check(inv *Program) error {
	switch {
	case flags.File == stdioName && isTerminal(inv.Stdout):
		return usagef("standard output is a terminal; name a file, or send the picture somewhere: get %s > FILE", flags.User)
	case flags.File == stdioName && flags.JSON:
		return usagef("--json needs a FILE: standard output is the picture's")
	case flags.User != client.Me && flags.Org == "":
		return usagef("the picture of somebody else is read by organisation, too: --org ORG")
	}
	if err := mayWrite(flags.File, flags.Force); err != nil {
		return fmt.Errorf("get: %w", err)
	}
	return nil
}
