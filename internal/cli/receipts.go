package cli

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/config"
	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
)

// receiptFilter are the flags that choose receipts.
type receiptFilter struct {
	settingFlags
	User string `placeholder:"USER" help:"only receipts of this user, also of one who has ended"`
	Org  string `placeholder:"ORG" help:"only receipts of this organisation"`
	periodFlags
}

// receiptsListCommand is "receipts list".
type receiptsListCommand struct {
	receiptFilter
	JSON bool `name:"json" help:"print a line of JSON for each"`
}

// receiptsShowCommand is "receipts show".
type receiptsShowCommand struct {
	settingFlags
	ID   string `arg:"" name:"ID" help:"id of the receipt, as in X-Avatard-Receipt"`
	JSON bool   `name:"json" help:"print the receipt as JSON"`
}

// Run lists receipts.
func (flags *receiptsListCommand) Run(ctx context.Context, inv *Program) error {
	each, err := flags.receipts(inv)
	if err != nil {
		return err
	}
	return each(ctx, inv.Stdout, func(w io.Writer, r admin.Receipt) error {
		if flags.JSON {
			return writeJSON(w, r)
		}
		_, err := fmt.Fprintf(w, "%s  %s  %s  user %s  organisation %s  issuer %s  by %s\n",
			r.Receipt, showTime(r.Time), r.Reason, word(r.User), word(r.Organization), word(r.Issuer), byWhom(r))
		return err
	})
}

// eachReceipt writes receipts, page by page, as write writes one.
type eachReceipt func(ctx context.Context, w io.Writer, write func(io.Writer, admin.Receipt) error) error

// receipts returns what goes through the receipts that the flags choose.
func (flags *receiptFilter) receipts(inv *Program) (eachReceipt, error) {
	if flags.User != "" && !ids.Valid(flags.User) {
		return nil, usagef("%q is no user id; expected 1 to 200 characters without control characters", flags.User)
	}
	if flags.Org != "" && !ids.Valid(flags.Org) {
		return nil, usagef("%q is no organisation id; expected 1 to 200 characters without control characters", flags.Org)
	}
	req := admin.ReceiptsRequest{User: flags.User, Organization: flags.Org}
	var err error
	if req.Since, req.Until, err = flags.period(inv.now()); err != nil {
		return nil, err
	}
	given, ok := flags.Given("issuer")
	if ok && flags.User == "" {
		return nil, usagef("--issuer says whose --user is meant")
	}
	req.Issuer = given
	cfg, err := config.Read(inv.Environ, flags.Flags, "data")
	if err != nil {
		return nil, err
	}
	lists := pages[admin.ReceiptsRequest, admin.ReceiptsReply]{admin.Client.Receipts, func(ctx context.Context, store storage.Engine, req admin.ReceiptsRequest) (admin.ReceiptsReply, error) {
		return admin.ListReceipts(ctx, store, cfg.Issuer, req)
	}}
	return func(ctx context.Context, w io.Writer, write func(io.Writer, admin.Receipt) error) error {
		out := bufio.NewWriter(w)
		return lists.each(ctx, inv.placeOf(cfg), req, func(reply admin.ReceiptsReply) (*admin.ReceiptsRequest, error) {
			for _, r := range reply.Receipts {
				if err := write(out, r); err != nil {
					return nil, err
				}
			}
			if err := out.Flush(); err != nil || reply.Next == "" {
				return nil, err
			}
			req.Issuer, req.After = reply.Issuer, reply.Next
			return &req, nil
		})
	}, nil
}

// Run says what a receipt proves.
func (flags *receiptsShowCommand) Run(ctx context.Context, inv *Program) error {
	id, err := receiptID(flags.ID)
	if err != nil {
		return err
	}
	cfg, err := config.Read(inv.Environ, flags.Flags, "data")
	if err != nil {
		return err
	}
	one := pages[admin.ReceiptRequest, admin.ReceiptReply]{admin.Client.Receipt, func(ctx context.Context, store storage.Engine, req admin.ReceiptRequest) (admin.ReceiptReply, error) {
		return admin.FindReceipt(ctx, store, req)
	}}
	return one.each(ctx, inv.placeOf(cfg), admin.ReceiptRequest{Receipt: id}, func(reply admin.ReceiptReply) (*admin.ReceiptRequest, error) {
		switch r := reply.Receipt; {
		case r == nil:
			return nil, noReceipt(id)
		case flags.JSON:
			return nil, writeJSON(inv.Stdout, r)
		default:
			return nil, explainReceipt(inv.Stdout, *r)
		}
	})
}

// receiptID returns an id as the store has it.
func receiptID(given string) (string, error) {
	id := strings.ToLower(given)
	if raw, err := hex.DecodeString(id); err != nil || len(raw) != receiptBytes {
		return "", usagef("%q is no id of a receipt; expected %d hexadecimal digits", given, 2*receiptBytes)
	}
	return id, nil
}

func noReceipt(id string) error {
	return fmt.Errorf("no receipt %s is on record: no finished erasure has it, or it was removed for its age (receipts.retention)", id)
}

// receiptBytes is the length of a receipt's id before it is written in hexadecimal.
const receiptBytes = 16

// explainReceipt says in sentences what was erased, when, why and by whom.
func explainReceipt(w io.Writer, r admin.Receipt) error {
	request := ""
	if r.Request != "" {
		request = word(r.Request)
	}
	return writeFacts(w, true, "A picture of user "+word(r.User)+" was erased for good.", []fact{
		{"receipt", r.Receipt}, {"user", word(r.User)}, {"organisation", word(r.Organization)}, {"issuer", word(r.Issuer)},
		{"erased", showTime(r.Time)}, {"why", whyErased(r.Reason)}, {"by", byWhom(r)}, {"request", request}})
}

func whyErased(reason string) string {
	switch reason {
	case admin.ReasonRemoved:
		return "it was deleted, or its user was ended"
	case admin.ReasonReplaced:
		return "another picture took its place"
	case admin.ReasonAbandoned:
		return "its upload was never acknowledged, so that the store gave it up"
	case admin.ReasonLost:
		return "a repair of the store found it missing"
	}
	return "for a reason that a later version of this program knows"
}

// byWhom says who has caused an erasure. That goes with the audit trail, and earlier versions have not kept it.
func byWhom(r admin.Receipt) string {
	switch {
	case r.Caller != "" && r.CallerOrganization != "":
		return word(r.Caller) + " of organisation " + word(r.CallerOrganization)
	case r.Caller != "":
		return word(r.Caller)
	case r.Reason == admin.ReasonAbandoned:
		return "the store itself"
	}
	return "no longer on record"
}
