package admin

import (
	"log/slog"
	"strings"
	"testing"

	"example.org/avatard/storage/faulty"
	"example.org/avatard/storage/receiptlog"
)

// Head, proofs and the walk over the log are the store's through the socket; a store that fails is no finding.
func TestReceiptLogThroughTheSocket(t *testing.T) {
	client, store, stop := socketOf(t, 3, &Server{Logger: slog.New(slog.DiscardHandler)})
	defer stop()
	ctx := t.Context()
	if seen, err := client.VerifyReceipts(ctx, VerifyRequest{}); err != nil || seen != (VerifiedReceipts{}) {
		t.Errorf("a store without a log: %+v, %v", seen, err)
	}
	removed, err := client.RemoveUser(ctx, UserRemoval{User: "user-0000"})
	if err != nil {
		t.Fatal(err)
	}
	head, err := client.ReceiptHead(ctx, HeadRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := receiptlog.OpenHead([]byte(head.Head), head.Key); err != nil || opened.Size != 1 {
		t.Errorf("the head %+v is %+v, %v, want one of a receipt", head, opened, err)
	}
	if _, err := client.RemoveUser(ctx, UserRemoval{User: "user-0001"}); err != nil {
		t.Fatal(err)
	}
	reply, err := client.ReceiptProof(ctx, ProofRequest{Receipt: removed.Removed.Receipt})
	if err != nil || reply.Proof == nil || len(reply.Proof.UserSalt) != len(receiptlog.Salt{}) {
		t.Fatalf("the proof is %+v, %v", reply, err)
	}
	if proof, err := receiptlog.OpenProof([]byte(reply.Proof.Text), head.Key); err != nil || proof.Leaf.Receipt() != removed.Removed.Receipt {
		t.Errorf("the proof is one of %+v, %v", proof, err)
	}
	if none, err := client.ReceiptProof(ctx, ProofRequest{Receipt: strings.Repeat("0", 32)}); err != nil || none.Proof != nil {
		t.Errorf("the proof of a receipt that there is not: %+v, %v", none, err)
	}
	noted := make([]NotedHead, MaxNoted)
	for i := range noted {
		noted[i] = NotedHead{Name: "noted", Text: head.Head}
	}
	if _, err := client.ReceiptHead(ctx, HeadRequest{}); err != nil {
		t.Fatal(err)
	}
	seen, err := client.VerifyReceipts(ctx, VerifyRequest{Noted: noted, Key: head.Key})
	if err != nil || seen.Receipts != 2 || seen.Noted != MaxNoted || seen.Finding != "" || seen.Key != head.Key {
		t.Errorf("the log: %+v, %v, want 2 receipts and nothing wrong", seen, err)
	}
	_, err = client.VerifyReceipts(ctx, VerifyRequest{Noted: []NotedHead{{Name: "file", Text: "x"}}})
	refusedWith(t, "what is no head", err, "file has no signed head of a log of receipts")
	_, err = client.VerifyReceipts(ctx, VerifyRequest{Noted: []NotedHead{{Text: strings.Repeat("x", maxVerifyBytes)}}})
	refusedWith(t, "more than a request can be", err, "is the command of another version?")

	store.Set(faulty.Fault{Times: -1, Methods: []faulty.Method{faulty.ReceiptHead, faulty.ProveReceipt, faulty.VerifyReceipts}})
	_, ofHead := client.ReceiptHead(ctx, HeadRequest{})
	_, ofProof := client.ReceiptProof(ctx, ProofRequest{Receipt: removed.Removed.Receipt})
	_, ofWalk := client.VerifyReceipts(ctx, VerifyRequest{})
	for what, err := range map[string]error{"head": ofHead, "proof": ofProof, "verification": ofWalk} {
		refusedWith(t, what+" of a store that fails", err, "the store is not available now; ")
	}
}
