package admin

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/faulty"
)

// Receipts and the trail are read through the socket page by page; each page is bounded, and what the store does not take is refused.
func TestReceiptsAndTheTrailThroughTheSocket(t *testing.T) {
	const users = storage.MaxPage + 50
	client, store, stop := socketOf(t, users, &Server{Logger: slog.New(slog.DiscardHandler)})
	defer stop()
	ctx := t.Context()
	for n := range users {
		if _, err := client.RemoveUser(ctx, UserRemoval{User: fmt.Sprintf("user-%04d", n)}); err != nil {
			t.Fatal(err)
		}
	}
	receipts, pages := 0, 0
	for req := (ReceiptsRequest{Organization: "acme"}); ; pages++ {
		reply, err := client.Receipts(ctx, req)
		if receipts += len(reply.Receipts); err != nil || len(reply.Receipts) > storage.MaxPage {
			t.Fatalf("a page of %d receipts, %v", len(reply.Receipts), err)
		}
		if req.After = reply.Next; req.After == "" {
			break
		}
	}
	if receipts != users || pages == 0 {
		t.Errorf("%d receipts behind %d pages, want %d", receipts, pages, users)
	}
	records := 0
	for req := (AuditRequest{}); ; {
		reply, err := client.Audit(ctx, req)
		if records += len(reply.Records); err != nil || len(reply.Records) > storage.MaxPage {
			t.Fatalf("a page of %d records, %v", len(reply.Records), err)
		}
		if req.Query.After = reply.Next; !reply.More {
			break
		}
	}
	if records < 2*users { // each was registered by an upload, and ended
		t.Errorf("%d records, want %d or more", records, 2*users)
	}
	found, err := client.Receipts(ctx, ReceiptsRequest{User: "user-0249", Until: time.Now().Add(time.Hour)})
	if err != nil || len(found.Receipts) != 1 || found.Issuer != issuer {
		t.Errorf("the receipts of somebody who has ended = %+v, %v", found, err)
	}
	none, err := client.Receipt(ctx, ReceiptRequest{Receipt: strings.Repeat("0", 32)})
	if err != nil || none.Receipt != nil {
		t.Errorf("a receipt that there is not = %+v, %v", none, err)
	}
	const refusal = "the store does not take this query"
	_, err = client.Receipts(ctx, ReceiptsRequest{After: "nonsense"})
	refusedWith(t, "a position that there is not", err, refusal)
	_, err = client.Receipts(ctx, ReceiptsRequest{Organization: "a\x01"})
	refusedWith(t, "an organisation that there cannot be", err, refusal)
	_, err = client.Audit(ctx, AuditRequest{storage.AuditQuery{Kind: "all"}})
	refusedWith(t, "a kind that there is not", err, refusal)

	store.Set(faulty.Fault{Times: -1})
	_, list := client.Receipts(ctx, ReceiptsRequest{})
	_, one := client.Receipt(ctx, ReceiptRequest{Receipt: strings.Repeat("0", 32)})
	_, trail := client.Audit(ctx, AuditRequest{})
	for what, err := range map[string]error{"list": list, "one": one, "trail": trail} {
		refusedWith(t, what+" of a store that fails", err, "the store is not available now; try again")
	}
}

// The same id may be that of two people, who are told apart by their issuers.
func TestReceiptsOfTheSameID(t *testing.T) {
	client, store, stop := socketOf(t, 1, &Server{Logger: slog.New(slog.DiscardHandler)})
	defer stop()
	const other = "https://other.test"
	for _, of := range []string{issuer, other} {
		up := storage.Upload{User: storage.UserKey{Issuer: of, ID: "user-0000"}, Organization: "acme", Register: true, By: CommandLine,
			Picture: storage.Picture{Format: storage.PNG, Data: []byte("another picture")}}
		for range 2 {
			if _, err := store.Put(t.Context(), up); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, err := client.Receipts(t.Context(), ReceiptsRequest{User: "user-0000"})
	refusedWith(t, "receipts of two people", err, "there are users of that id of the issuers "+issuer+", "+other+"; --issuer says")
	for of, want := range map[string]int{issuer: 2, other: 1} {
		reply, err := client.Receipts(t.Context(), ReceiptsRequest{User: "user-0000", Issuer: of})
		if err != nil || len(reply.Receipts) != want || reply.Receipts[0].Reason != ReasonReplaced {
			t.Errorf("receipts of %s = %+v, %v, want %d", of, reply, err, want)
		}
	}
	if reply, err := client.Receipts(t.Context(), ReceiptsRequest{User: "nobody"}); err != nil || len(reply.Receipts) != 0 {
		t.Errorf("receipts of nobody = %+v, %v", reply, err)
	}
}
