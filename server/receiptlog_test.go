package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"

	avatardv1 "example.org/avatard/gen/avatard/v1"
	"example.org/avatard/storage"
	"example.org/avatard/storage/receiptlog"
	"example.org/avatard/test/client"
)

// What callers get proves to them, without the server, that a receipt is in the log, and that the log has a past that they noted.
func TestReceiptLog(t *testing.T) {
	f := startAccounts(t, nil)
	other := f.client.Remove(t.Context(), client.REST, map[string][]string{"Authorization": {"Bearer admin-token-1"}, "X-Zitadel-Orgid": {globex}}, carol)
	strange, _ := invoke[avatardv1.GetReceiptResponse](t, f, client.GRPC, "GetReceipt", bearer("viewer-token-1"), &avatardv1.GetReceiptRequest{ReceiptId: other.Receipt(), WithProof: true})
	if _, err := f.store.VerifyReceipts(t.Context(), nil); strange.Detail.GetId() != "AVATAR-r3Fn6" || !errors.Is(err, storage.ErrNotSealed) {
		t.Errorf("the receipt of another organisation: %v; it was sealed: %v", strange, err)
	}
	var noted []receiptlog.Head
	key := ""
	for _, form := range client.Forms() {
		f.give(t, alice, acme)
		id := f.client.Remove(t.Context(), client.GRPC, client.Bearer("admin-token-1"), alice).Receipt()
		_, plain := invoke[avatardv1.GetReceiptResponse](t, f, form, "GetReceipt", bearer("viewer-token-1"), &avatardv1.GetReceiptRequest{ReceiptId: id})
		_, got := invoke[avatardv1.GetReceiptResponse](t, f, form, "GetReceipt", bearer("viewer-token-1"), &avatardv1.GetReceiptRequest{ReceiptId: id, WithProof: true})
		if len(plain) != 1 || plain[0].GetProof() != nil || len(got) != 1 {
			t.Fatalf("%s: without asking for a proof %v, with asking %v", form, plain, got)
		}
		if err := checkProof(got[0]); err != nil {
			t.Errorf("%s: the proof of %s: %v", form, id, err)
		}
		answer, log := invoke[avatardv1.GetReceiptLogResponse](t, f, form, "GetReceiptLog", bearer("viewer-token-1"), &avatardv1.GetReceiptLogRequest{})
		if len(log) != 1 {
			t.Fatalf("%s: %v", form, answer)
		}
		head, err := receiptlog.OpenHead([]byte(log[0].GetHead()), log[0].GetKey())
		if err != nil || head.Size != int64(len(noted)+3) || log[0].GetKey() != got[0].GetProof().GetKey() || key != "" && log[0].GetKey() != key || len(log[0].GetHistory()) > 0 {
			t.Errorf("%s: the head is %+v, %v, with the key %q", form, head, err, log[0].GetKey())
		}
		noted, key = append(noted, head), log[0].GetKey()
		for _, older := range noted {
			if err := f.checkHistory(t, form, older); err != nil {
				t.Errorf("%s: the head of %d: %v", form, older.Size, err)
			}
		}
		for size, want := range map[int64]connect.Code{head.Size + 1: connect.CodeOutOfRange, 1 << 62: connect.CodeOutOfRange, -1: connect.CodeInvalidArgument} {
			answer, _ := invoke[avatardv1.GetReceiptLogResponse](t, f, form, "GetReceiptLog", bearer("viewer-token-1"), &avatardv1.GetReceiptLogRequest{OlderSize: size})
			if id := answer.Detail.GetId(); answer.Code != want || (id == "AVATAR-r6Hs2") != (want == connect.CodeOutOfRange) {
				t.Errorf("%s: the history since %d: %v, want %v", form, size, answer, want)
			}
		}
	}
}

// checkProof checks a proof, and that it is one of the receipt in the answer.
func checkProof(res *avatardv1.GetReceiptResponse) error {
	r, p := res.GetReceipt(), res.GetProof()
	proof, err := receiptlog.OpenProof([]byte(p.GetText()), p.GetKey())
	if err != nil {
		return err
	}
	if proof.Leaf.Receipt() != r.GetReceiptId() || proof.Leaf.Organization != r.GetOrganizationId() || proof.Leaf.Time != r.GetErasureDate().AsTime().UnixMicro() {
		return fmt.Errorf("it is one of %+v", proof.Leaf)
	}
	for _, salt := range [][]byte{p.GetUserSalt(), p.GetCallerSalt(), p.GetRequestSalt()} {
		if len(salt) != len(receiptlog.Salt{}) {
			return fmt.Errorf("a salt has %d bytes", len(salt))
		}
	}
	return receiptlog.Matches(proof.Leaf, receiptlog.Texts{Issuer: r.GetIssuer(), User: r.GetUserId(), Caller: r.GetCallerId(), CallerOrganization: r.GetCallerOrganizationId(), Request: r.GetRequestId()},
		receiptlog.FieldSalts{User: receiptlog.Salt(p.GetUserSalt()), Caller: receiptlog.Salt(p.GetCallerSalt()), Request: receiptlog.Salt(p.GetRequestSalt())})
}

// checkHistory asks for the history since a head, and checks it.
func (f *fixture) checkHistory(t *testing.T, form client.Form, older receiptlog.Head) error {
	t.Helper()
	answer, log := invoke[avatardv1.GetReceiptLogResponse](t, f, form, "GetReceiptLog", bearer("viewer-token-1"), &avatardv1.GetReceiptLogRequest{OlderSize: older.Size})
	if len(log) != 1 {
		return fmt.Errorf("%v", answer)
	}
	head, err := receiptlog.OpenHead([]byte(log[0].GetHead()), log[0].GetKey())
	if err != nil {
		return err
	}
	var hashes []receiptlog.Hash
	for _, hash := range log[0].GetHistory() {
		hashes = append(hashes, receiptlog.Hash(hash))
	}
	return receiptlog.CheckConsistency(hashes, head, older)
}

// heldLog gives heads when it is told to.
type heldLog struct {
	storage.Prover
	begun   int
	release chan error
}

func (l *heldLog) ReceiptHead(ctx context.Context) (storage.SignedHead, error) {
	l.begun++
	select {
	case err := <-l.release:
		return storage.SignedHead{Text: fmt.Sprint("head ", l.begun)}, err
	case <-ctx.Done():
		return storage.SignedHead{}, ctx.Err()
	}
}

// A crowd of calls costs the store two heads: the one that was under way, which may be older than what the others ask for, and one for all of
// them. A call that leaves, and a failure, hold up nobody.
func TestCrowdSharesAHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := newSealing(), &heldLog{release: make(chan error)}
		var mu sync.Mutex
		heads := map[string]int{}
		ask := func(ctx context.Context) {
			head, err := s.head(ctx, log)
			mu.Lock()
			defer mu.Unlock()
			heads[fmt.Sprint(head.Text, err)]++
		}
		go ask(t.Context())
		synctest.Wait()
		brief, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for range 20 {
			go ask(t.Context())
		}
		go ask(brief)
		time.Sleep(2 * time.Second) // of the test's own clock
		log.release <- nil
		synctest.Wait()
		log.release <- nil
		synctest.Wait()
		if log.begun != 2 || heads["head 1<nil>"] != 1 || heads["head 2<nil>"] != 20 || heads[context.DeadlineExceeded.Error()] != 1 {
			t.Errorf("%d heads were asked for, and answered so: %v", log.begun, heads)
		}
		for range 3 {
			go ask(t.Context())
		}
		synctest.Wait()
		log.release <- storage.ErrUnavailable
		synctest.Wait()
		log.release <- nil
		synctest.Wait()
		if heads["head 3"+storage.ErrUnavailable.Error()] != 1 || heads["head 4<nil>"] != 2 {
			t.Errorf("behind a failure: %v", heads)
		}
	})
}
