package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/config"
	"example.org/avatard/storage"
	"example.org/avatard/storage/receiptlog"
)

// receiptsVerifyCommand is "receipts verify".
type receiptsVerifyCommand struct {
	settingFlags
	Noted []string `type:"repeated" placeholder:"FILE" help:"a head that was noted before, as receipts head or the API printed it; may be given several times"`
	Proof string   `placeholder:"FILE" help:"check the proof of one receipt instead, without any store; needs --key"`
	Key   string   `placeholder:"KEY" help:"the key of the log, as it was noted"`
	JSON  bool     `name:"json" help:"print what was seen as JSON"`
}

// maxNotedBytes bounds a file with a head, which JSON may make longer.
const maxNotedBytes = 2 * receiptlog.MaxProofBytes

// Run walks the log of receipts, through the server that runs on it or without one. It fails when it finds something.
func (flags *receiptsVerifyCommand) Run(ctx context.Context, inv *Program) error {
	switch {
	case flags.Proof != "" && (flags.Key == "" || len(flags.Noted) > 0):
		return usagef("--proof needs the --key that was noted, and takes no --noted")
	case len(flags.Noted) > admin.MaxNoted:
		return usagef("%d heads were given; at most %d are compared at once", len(flags.Noted), admin.MaxNoted)
	}
	if flags.Key != "" {
		if _, err := receiptlog.OpenHead(nil, flags.Key); errors.Is(err, receiptlog.ErrKey) {
			return usagef("%q is no key of a log of receipts", flags.Key)
		}
	}
	if flags.Proof != "" {
		return flags.checkProof(inv)
	}
	req := admin.VerifyRequest{Key: flags.Key}
	for _, file := range flags.Noted {
		head, key, err := readNoted(file)
		if err != nil {
			return fmt.Errorf("receipts verify: %w", err)
		}
		if req.Key == "" {
			req.Key = key
		}
		req.Noted = append(req.Noted, admin.NotedHead{Name: file, Text: head})
	}
	cfg, err := config.Read(inv.Environ, flags.Flags, "data")
	if err != nil {
		return err
	}
	seen, err := verifyReceipts(ctx, inv.placeOf(cfg), req)
	if err == nil {
		err = flags.report(inv.Stdout, seen)
	}
	if err == nil && seen.Finding != "" {
		err = errors.New("the log of receipts is not as it was sealed")
	}
	if err != nil {
		return fmt.Errorf("receipts verify: %w", err)
	}
	return nil
}

func verifyReceipts(ctx context.Context, place storage.Place, req admin.VerifyRequest) (admin.VerifiedReceipts, error) {
	seen, err := serverOf(place).VerifyReceipts(ctx, req)
	if errors.Is(err, admin.ErrNoServer) {
		err = withStore(ctx, place, false, func(store storage.Engine) error {
			seen, err = admin.VerifyReceipts(ctx, store, req)
			return err
		})
	}
	return seen, err
}

// report says what was seen.
func (flags *receiptsVerifyCommand) report(w io.Writer, seen admin.VerifiedReceipts) error {
	if flags.JSON {
		return writeJSON(w, seen)
	}
	var err error
	switch {
	case seen.Finding != "":
		_, err = fmt.Fprintln(w, seen.Finding)
	case seen.Head == "":
		_, err = fmt.Fprintln(w, "no receipt was sealed yet; there is nothing to verify")
	default:
		_, err = fmt.Fprintf(w, "%s in the log, %s without a record any more, %s not in it yet, %s compared: clean\n", countOf(seen.Receipts, "receipt"), countOf(seen.Dropped, "receipt"),
			countOf(seen.Unsealed, "receipt"), countOf(int64(seen.Noted), "noted head"))
	}
	return err
}

// readNoted reads a head that somebody noted: its text, or the JSON of the command or the API, which has the key as well.
func readNoted(file string) (head, key string, err error) {
	data, err := readTextFile(file)
	if err != nil {
		return "", "", err
	}
	var noted admin.ReceiptHead
	if json.Unmarshal(data, &noted) == nil {
		return noted.Head, noted.Key, nil
	}
	return string(data), "", nil
}

// readTextFile reads a file of a head or a proof.
func readTextFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxNotedBytes+1))
	if err == nil && len(data) > maxNotedBytes {
		err = fmt.Errorf("%s: it has more than %d bytes, so it is no head and no proof", file, maxNotedBytes)
	}
	return data, err
}

// provenReceipt is what a proof has shown, as --json prints it.
type provenReceipt struct {
	Proven       bool   `json:"proven"`
	Receipt      string `json:"receipt,omitempty"`
	Time         string `json:"time,omitempty"`
	Organization string `json:"organisation,omitempty"`
	Place        int64  `json:"place"`
	Size         int64  `json:"size"`
	Problem      string `json:"problem,omitempty"`
}

// checkProof checks the proof of one receipt, for which it needs nothing but the key.
func (flags *receiptsVerifyCommand) checkProof(inv *Program) error {
	data, err := readTextFile(flags.Proof)
	if err != nil {
		return fmt.Errorf("receipts verify: %w", err)
	}
	var stored struct {
		Text  string             // of "receipts proof --json"
		Proof admin.ReceiptProof // of the API
	}
	if json.Unmarshal(data, &stored) == nil {
		data = []byte(cmp.Or(stored.Text, stored.Proof.Text))
	}
	proof, err := receiptlog.OpenProof(data, flags.Key)
	if err != nil {
		if flags.JSON {
			err = errors.Join(err, writeJSON(inv.Stdout, provenReceipt{Problem: err.Error()}))
		}
		return fmt.Errorf("receipts verify: %s: %w", flags.Proof, err)
	}
	leaf := proof.Leaf
	when := showTime(time.UnixMicro(leaf.Time))
	if flags.JSON {
		return writeJSON(inv.Stdout, provenReceipt{Proven: true, Receipt: leaf.Receipt(), Time: when, Organization: leaf.Organization, Place: proof.Index, Size: proof.Head.Size})
	}
	_, err = fmt.Fprintf(inv.Stdout, "receipt %s of an erasure in organisation %s at %s is at place %d of the log of %s\n",
		leaf.Receipt(), word(leaf.Organization), when, proof.Index, countOf(proof.Head.Size, "receipt"))
	return err
}
