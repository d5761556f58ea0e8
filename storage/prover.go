package storage

import (
	"context"
	"errors"

	"example.org/avatard/storage/receiptlog"
)

// Errors of the log of receipts. Compare with errors.Is.
var (
	// ErrNoHistory: the log was never of the size that the proof is to begin with.
	ErrNoHistory = errors.New("the log of receipts was never of that size")
	// ErrNotSealed: nothing was sealed yet, so there is no log that could be verified.
	ErrNotSealed = errors.New("no receipt was sealed yet")
)

// SignedHead is the head of a store's log of receipts, for everybody: it says nothing of anybody.
type SignedHead struct {
	// Text is the signed head, as receiptlog.OpenHead takes it.
	Text string
	// Key is the text form of the log's public key, which stays the same as long as the store is. Somebody who noted it once does not have to
	// trust the store for it.
	Key string
}

// ReceiptProof shows that a receipt is in the log.
type ReceiptProof struct {
	// Text is what receiptlog.OpenProof takes.
	Text string
	// Key is that of SignedHead.
	Key string
	// Salts are those of the fields whose texts are kept, as receiptlog.Matches takes them, zero for the others.
	Salts receiptlog.FieldSalts
}

// HistoryProof shows that a log is an older one with more behind it.
type HistoryProof struct {
	Head SignedHead
	// Hashes are what receiptlog.CheckConsistency takes.
	Hashes []receiptlog.Hash
}

// Prover is the log of receipts that a third party can check: see package receiptlog. Receipts are sealed into it in batches, behind the
// calls that erase; every receipt of a finished erasure is sealed exactly once, in the order that the engine chooses. The log belongs to the
// place where it is kept: an import begins another one, under another key, and seals all receipts anew.
//
// The errors of all methods are ErrUnavailable, those of the context and those of the engine, beside the ones they name.
type Prover interface {
	// ReceiptHead seals the receipts of all erasures that returned before the call, of which there may be many, and returns the head of the
	// log. It is durable: no crash brings back an older one.
	ReceiptHead(ctx context.Context) (SignedHead, error)

	// ProveReceipt returns the proof that a receipt is in the log, and seals it before where needed. ErrReceiptNotFound when no finished
	// erasure has that receipt, or its record was dropped for its age; any text is taken as an id.
	ProveReceipt(ctx context.Context, id string) (ReceiptProof, error)

	// ProveHistory returns the proof that the log, as it is now, begins with the one of that older size. ErrNoHistory for a size that is
	// negative or larger than the log.
	ProveHistory(ctx context.Context, older int64) (HistoryProof, error)

	// VerifyReceipts walks the whole log, as it is stored, and compares it with the records of receipts, with the head that was signed last
	// and with heads that somebody noted. The error is a *receiptlog.FaultError for the first thing that is wrong, receiptlog.ErrHead and
	// receiptlog.ErrSignature for a noted text that is no head of this log, and ErrNotSealed for a store without a log; the report says how
	// far it came, and has the head also where a noted text is refused. It seals nothing, reads in bounded parts, and holds up no caller.
	VerifyReceipts(ctx context.Context, noted []string) (ReceiptReport, error)
}

// ReceiptReport is what VerifyReceipts has seen.
type ReceiptReport struct {
	receiptlog.Report
	// Head is the one that was signed last.
	Head SignedHead
	// Unsealed counts receipts that are not in the log yet.
	Unsealed int64
}
