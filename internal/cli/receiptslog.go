package cli

import (
	"context"
	"fmt"

	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/config"
	"example.org/avatard/storage"
)

// receiptsHeadCommand is "receipts head".
type receiptsHeadCommand struct {
	settingFlags
	JSON bool `name:"json" help:"print head and key as JSON"`
}

// receiptsProofCommand is "receipts proof".
type receiptsProofCommand struct {
	settingFlags
	ID   string `arg:"" name:"ID" help:"id of the receipt, as in X-Avatard-Receipt"`
	JSON bool   `name:"json" help:"print proof, key and salts as JSON"`
}

// Run prints the head of the log of receipts for somebody who notes it.
func (flags *receiptsHeadCommand) Run(ctx context.Context, inv *Program) error {
	cfg, err := config.Read(inv.Environ, flags.Flags, "data")
	if err != nil {
		return err
	}
	one := pages[admin.HeadRequest, admin.ReceiptHead]{admin.Client.ReceiptHead, func(ctx context.Context, store storage.Engine, _ admin.HeadRequest) (admin.ReceiptHead, error) {
		return admin.HeadOfReceipts(ctx, store)
	}}
	return one.each(ctx, inv.placeOf(cfg), admin.HeadRequest{}, func(head admin.ReceiptHead) (*admin.HeadRequest, error) {
		if flags.JSON {
			return nil, writeJSON(inv.Stdout, head)
		}
		return nil, printSigned(inv, head.Head, head.Key)
	})
}

// Run prints the proof that a receipt is in the log.
func (flags *receiptsProofCommand) Run(ctx context.Context, inv *Program) error {
	id, err := receiptID(flags.ID)
	if err != nil {
		return err
	}
	cfg, err := config.Read(inv.Environ, flags.Flags, "data")
	if err != nil {
		return err
	}
	one := pages[admin.ProofRequest, admin.ProofReply]{admin.Client.ReceiptProof, func(ctx context.Context, store storage.Engine, req admin.ProofRequest) (admin.ProofReply, error) {
		return admin.ProveReceipt(ctx, store, req)
	}}
	return one.each(ctx, inv.placeOf(cfg), admin.ProofRequest{Receipt: id}, func(reply admin.ProofReply) (*admin.ProofRequest, error) {
		switch p := reply.Proof; {
		case p == nil:
			return nil, noReceipt(id)
		case flags.JSON:
			return nil, writeJSON(inv.Stdout, p)
		default:
			return nil, printSigned(inv, p.Text, p.Key)
		}
	})
}

// printSigned prints a signed text alone to standard output, which may go into a file as it is, and its key beside it.
func printSigned(inv *Program, text, key string) error {
	if _, err := fmt.Fprint(inv.Stdout, text); err != nil {
		return err
	}
	_, err := fmt.Fprintln(inv.Stderr, "key of the log, to be noted too: "+key)
	return err
}
