package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"example.org/avatard/storage"
	"example.org/avatard/storage/receiptlog"
)

// HeadRequest asks for the head of the log of receipts.
type HeadRequest struct{}

// ReceiptHead is the head of the log as --json prints it.
type ReceiptHead struct {
	Head string `json:"head"` // the signed text
	Key  string `json:"key"`
}

// ProofRequest asks for the proof that a receipt is in the log.
type ProofRequest struct {
	Receipt string `json:"receipt"`
}

// ProofReply has the proof, nil when there is no receipt of that id.
type ProofReply struct {
	Proof *ReceiptProof `json:"proof,omitempty"`
}

// ReceiptProof is a proof as --json prints it. Salts of what is not kept any more are left out.
type ReceiptProof struct {
	Text        string `json:"text"`
	Key         string `json:"key"`
	UserSalt    []byte `json:"user_salt,omitempty"`
	CallerSalt  []byte `json:"caller_salt,omitempty"`
	RequestSalt []byte `json:"request_salt,omitempty"`
}

// MaxNoted is how many noted heads a request may have.
const MaxNoted = 64

// maxVerifyBytes bounds a request with that many.
const maxVerifyBytes = 2 * MaxNoted * receiptlog.MaxHeadBytes

// VerifyRequest asks for a walk over the log. The answer is one VerifyReply a line.
type VerifyRequest struct {
	Noted []NotedHead `json:"noted,omitempty"`
	// Key is what somebody noted of the log's key; "" = nothing.
	Key string `json:"key,omitempty"`
}

// NotedHead is a head that somebody noted.
type NotedHead struct {
	Name string `json:"name"` // that of its file, for messages
	Text string `json:"text"`
}

// VerifyReply is a line, of which there is one.
type VerifyReply struct {
	Verified *VerifiedReceipts `json:"verified,omitempty"`
	Error    string            `json:"error,omitempty"`
}

// VerifiedReceipts is what a walk has seen, as --json prints it.
type VerifiedReceipts struct {
	Receipts int64 `json:"receipts"` // that are in the log as they were sealed
	Dropped  int64 `json:"dropped"`  // that are in the log, and whose record was dropped for its age
	Unsealed int64 `json:"unsealed"` // that are not in the log yet
	Noted    int   `json:"noted"`    // heads that were compared
	// Head and Key are those of the log; "" when nothing was sealed yet.
	Head string `json:"head,omitempty"`
	Key  string `json:"key,omitempty"`
	// Finding says in words what is wrong; "" = nothing. Fault is nil where it is not one in the log itself.
	Finding string                 `json:"finding,omitempty"`
	Fault   *receiptlog.FaultError `json:"fault,omitempty"`
}

// HeadOfReceipts returns the head of the log.
func HeadOfReceipts(ctx context.Context, log storage.Prover) (ReceiptHead, error) {
	head, err := log.ReceiptHead(ctx)
	return ReceiptHead{Head: head.Text, Key: head.Key}, err
}

// ProveReceipt returns the proof of a receipt.
func ProveReceipt(ctx context.Context, log storage.Prover, req ProofRequest) (reply ProofReply, err error) {
	proof, err := log.ProveReceipt(ctx, req.Receipt)
	if errors.Is(err, storage.ErrReceiptNotFound) {
		return reply, nil
	}
	if err == nil {
		kept := func(s receiptlog.Salt) []byte {
			if s == (receiptlog.Salt{}) {
				return nil
			}
			return s[:]
		}
		reply.Proof = &ReceiptProof{proof.Text, proof.Key, kept(proof.Salts.User), kept(proof.Salts.Caller), kept(proof.Salts.Request)}
	}
	return reply, err
}

// VerifyReceipts walks the log and says what is wrong. An error means that not everything was looked at.
func VerifyReceipts(ctx context.Context, log storage.Prover, req VerifyRequest) (seen VerifiedReceipts, err error) {
	texts := make([]string, len(req.Noted))
	for i, head := range req.Noted {
		texts[i] = head.Text
	}
	report, err := log.VerifyReceipts(ctx, texts)
	seen = VerifiedReceipts{Receipts: report.Receipts, Dropped: report.Dropped, Unsealed: report.Unsealed, Noted: len(req.Noted), Head: report.Head.Text, Key: report.Head.Key}
	switch fault, ok := errors.AsType[*receiptlog.FaultError](err); {
	case ok:
		seen.Fault, seen.Finding = fault, fault.Error()
		return seen, nil
	case errors.Is(err, storage.ErrNotSealed):
		if len(req.Noted) > 0 || req.Key != "" {
			seen.Finding = "nothing was sealed here yet: this is not the log whose head or key was noted"
		}
		return seen, nil
	case errors.Is(err, receiptlog.ErrSignature):
		seen.Finding = "the head in " + strangeHead(req.Noted, seen.Key, receiptlog.ErrSignature) + " is not signed with the key of this log: it is the head of another log, or this log was put in its place"
		return seen, nil
	case errors.Is(err, receiptlog.ErrHead):
		return seen, fmt.Errorf("%w: %s has no signed head of a log of receipts", ErrRefused, strangeHead(req.Noted, seen.Key, receiptlog.ErrHead))
	case err == nil && req.Key != "" && req.Key != seen.Key:
		seen.Finding = "the key of this log is not the one that was noted: it is another log, or it was put in that one's place"
	}
	return seen, err
}

// strangeHead names the first of the noted heads with which something is wrong.
func strangeHead(noted []NotedHead, key string, wrong error) string {
	for _, head := range noted {
		if _, err := receiptlog.OpenHead([]byte(head.Text), key); errors.Is(err, wrong) {
			return head.Name
		}
	}
	return "one of the files" // the log has no key that could be told
}

// receiptHead serves POST /receipts/head.
func (a *Server) receiptHead(w http.ResponseWriter, r *http.Request) {
	lookUp(a, w, r, func(ctx context.Context, _ HeadRequest) (ReceiptHead, error) { return HeadOfReceipts(ctx, a.Store) })
}

// receiptProof serves POST /receipts/proof.
func (a *Server) receiptProof(w http.ResponseWriter, r *http.Request) {
	lookUp(a, w, r, func(ctx context.Context, req ProofRequest) (ProofReply, error) {
		return ProveReceipt(ctx, a.Store, req)
	})
}

// receiptsVerify serves POST /receipts/verify, which takes as long as the log is.
func (a *Server) receiptsVerify(w http.ResponseWriter, r *http.Request) {
	var req VerifyRequest
	if !readRequestUpTo(w, r, maxVerifyBytes, &req) {
		return
	}
	ctx, cancel, out := a.answerLines(w, r)
	defer cancel()
	seen, err := VerifyReceipts(ctx, a.Store, req)
	log := a.Logger.With("receipts", seen.Receipts, "dropped", seen.Dropped, "unsealed", seen.Unsealed, "noted", seen.Noted)
	last := VerifyReply{Verified: &seen}
	switch {
	case err == nil && seen.Finding == "":
		log.Info("verification of receipts")
	case err == nil:
		log.Warn("verification of receipts found that the log is not as it was sealed", "finding", seen.Finding)
	case errors.Is(err, ErrRefused):
		last = VerifyReply{Error: err.Error()}
	case errors.Is(err, context.Canceled):
		log.Warn("verification of receipts was given up: its caller is gone, or the server stops")
		last = VerifyReply{Error: checkProblem(err)}
	default:
		log.Error("verification of receipts failed", "error", err)
		last = VerifyReply{Error: checkProblem(err)}
	}
	_ = out.line(last) // the caller is gone when this fails
}
