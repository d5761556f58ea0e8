package admin

import (
	"context"
	"errors"

	"example.org/avatard/storage"
)

// CheckSink takes what a check finds, and how far it has come.
type CheckSink interface {
	Finding(f storage.Finding) error
	Progress(done, total int64)
}

// Check lets the server check its data and passes on what it finds.
func (c Client) Check(ctx context.Context, req CheckRequest, out CheckSink) (sum storage.CheckSummary, err error) {
	err = callLines(ctx, c, "/checks", "check", req, func(line CheckReply) (last bool, err error) {
		switch {
		case line.Found != nil:
			err = out.Finding(*line.Found)
		case line.Progress != nil:
			out.Progress(line.Progress.Done, line.Progress.Total)
		case line.Summary != nil:
			sum, last = *line.Summary, true
		case line.Error != "":
			err = errors.New(line.Error)
		}
		return last, err
	})
	return sum, err
}

// VerifyReceipts lets the server walk its log of receipts.
func (c Client) VerifyReceipts(ctx context.Context, req VerifyRequest) (seen VerifiedReceipts, err error) {
	err = callLines(ctx, c, "/receipts/verify", "verification", req, func(line VerifyReply) (last bool, err error) {
		switch {
		case line.Verified != nil:
			seen, last = *line.Verified, true
		case line.Error != "":
			err = errors.New(line.Error)
		}
		return last, err
	})
	return seen, err
}

// RemoveOrganization lets the server end an organisation, and says what it has done in any case.
func (c Client) RemoveOrganization(ctx context.Context, req OrganizationRemoval, progress func(done, total int64)) (removed RemovedOrganization, err error) {
	removed.Organization, removed.DryRun = req.Organization, req.DryRun
	err = callLines(ctx, c, "/erasures/org", "removal", req, func(line OrganizationRemovalReply) (last bool, err error) {
		switch {
		case line.Progress != nil:
			removed.Users = line.Progress.Done
			progress(line.Progress.Done, line.Progress.Total)
		case line.Removed != nil:
			removed, last = *line.Removed, true
		}
		if line.Error != "" {
			err = errors.New(line.Error)
		}
		return last, err
	})
	return removed, err
}

// callLines sends one request and takes the lines of its answer, see readLines.
func callLines[Line any](ctx context.Context, c Client, path, what string, req any, take func(Line) (last bool, err error)) error {
	conn, err := c.dial(ctx)
	if err != nil {
		return err
	}
	resp, err := post(ctx, conn, path, req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return readLines(ctx, resp.Body, what, take)
}
