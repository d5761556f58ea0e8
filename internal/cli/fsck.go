package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/config"
	"example.org/avatard/storage"
)

// fsckCommand is "fsck".
type fsckCommand struct {
	settingFlags
	Repair bool `help:"finish or remove what is found, and say so; no whole picture is touched"`
	JSON   bool `name:"json" help:"print a line of JSON for each finding and one for the summary"`
}

// Run compares metadata and bytes of a data directory in both directions, through the server that runs on it or
// without one. It fails when it finds something, repaired or not.
func (flags *fsckCommand) Run(ctx context.Context, inv *Program) error {
	cfg, err := config.Read(inv.Environ, flags.Flags, "data")
	if err != nil {
		return err
	}
	out := &fsckOutput{stdout: inv.Stdout, stderr: inv.Stderr, json: flags.JSON}
	sum, err := fsck(ctx, inv.placeOf(cfg), flags.Repair, out)
	out.finishProgress(err == nil)
	switch {
	case errors.Is(err, storage.ErrInUse):
		return fmt.Errorf("fsck: %w, which does not answer; is it just starting?", err)
	case err != nil:
		return fmt.Errorf("fsck: %w", err)
	}
	if err := out.summary(sum); err != nil {
		return fmt.Errorf("fsck: %w", err)
	}
	if sum.Findings > 0 {
		return fmt.Errorf("fsck: %s", findingCount(sum))
	}
	return nil
}

func fsck(ctx context.Context, place storage.Place, repair bool, out *fsckOutput) (storage.CheckSummary, error) {
	sum, err := serverOf(place).Check(ctx, admin.CheckRequest{Repair: repair}, out)
	if !errors.Is(err, admin.ErrNoServer) {
		return sum, err
	}
	return place.Inspect(ctx, storage.CheckOptions{Repair: repair, By: admin.CommandLine, Progress: out.Progress}, out.Finding)
}

// fsckOutput prints what a check finds.
type fsckOutput struct {
	stdout, stderr io.Writer
	json           bool
	bar            *progress
	shown, total   int64
}

func (o *fsckOutput) Finding(f storage.Finding) error {
	if o.json {
		return json.NewEncoder(o.stdout).Encode(f)
	}
	return o.bar.aside(func() error {
		_, err := fmt.Fprintln(o.stdout, findingText(f))
		return err
	})
}

// findingText is a finding as a line for people.
func findingText(f storage.Finding) string {
	var b strings.Builder
	b.WriteString(string(f.Kind))
	if f.Page > 0 {
		fmt.Fprintf(&b, ", page %d", f.Page)
	}
	if f.User != "" {
		fmt.Fprintf(&b, ", user %q", f.User)
	}
	if f.Generation != "" {
		fmt.Fprintf(&b, ", picture %s", f.Generation)
	}
	fmt.Fprintf(&b, ": %s", f.Detail)
	switch {
	case f.Repaired:
		fmt.Fprintf(&b, " - repaired: %s", f.Repair)
	case f.Repair != "":
		fmt.Fprintf(&b, " - not repaired: %s", f.Repair)
	}
	return b.String()
}

func (o *fsckOutput) summary(sum storage.CheckSummary) error {
	if o.json {
		return json.NewEncoder(o.stdout).Encode(admin.CheckReply{Summary: &sum})
	}
	_, err := fmt.Fprintf(o.stdout, "%s, %s, %s and %s checked: %s\n",
		countOf(sum.Slots, "slot"), countOf(sum.Pictures, "picture"), countOf(sum.Users, "user"), countOf(sum.Receipts, "receipt"), findingCount(sum))
	return err
}

func findingCount(sum storage.CheckSummary) string {
	switch {
	case sum.Findings == 0:
		return "clean"
	case sum.Repaired > 0:
		return fmt.Sprintf("%d found, %d of them repaired", sum.Findings, sum.Repaired)
	default:
		return fmt.Sprintf("%d found", sum.Findings)
	}
}

// Progress shows how far the check has come; with --json only to people.
func (o *fsckOutput) Progress(done, total int64) {
	if o.json && !isTerminal(o.stderr) {
		return
	}
	if o.bar == nil {
		o.bar = startProgress(o.stderr, "checking", int(total))
	}
	o.bar.add(done - o.shown)
	o.shown, o.total = done, total
}

func (o *fsckOutput) finishProgress(all bool) {
	if o.bar != nil {
		if all { // the last reports may have been left out
			o.bar.add(o.total - o.shown)
		}
		o.bar.finish()
		o.bar = nil
	}
}
