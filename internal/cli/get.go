package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"

	"example.org/avatard/internal/client"
	"example.org/avatard/storage/backup"
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
	if err := writePicture(flags.File, got.Data); err != nil {
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
	switch info, err := os.Lstat(flags.File); {
	case flags.File == stdioName && isTerminal(inv.Stdout):
		return usagef("standard output is a terminal; name a file, or send the picture somewhere: get %s > FILE", flags.User)
	case flags.File == stdioName && flags.JSON:
		return usagef("--json needs a FILE: standard output is the picture's")
	case flags.User != client.Me && flags.Org == "":
		return usagef("the picture of somebody else is read by organisation, too: --org ORG")
	case flags.File != stdioName && err == nil && !flags.Force:
		return fmt.Errorf("get: %w: %s", backup.ErrFileExists, flags.File)
	case flags.File != stdioName && err == nil && !info.Mode().IsRegular(): // a file in place of a device would harm others
		return fmt.Errorf("get: %s is no file of bytes, and --force replaces nothing else; - writes to standard output", flags.File)
	}
	return nil
}

// writePicture puts a picture into a file in one step: the whole one is there, or what was before.
func writePicture(name string, data []byte) error {
	part := name + "." + rand.Text() + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(part, name)
	}
	if err != nil {
		_ = os.Remove(part)
	}
	return err
}
