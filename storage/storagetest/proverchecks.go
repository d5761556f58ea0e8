package storagetest

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"example.org/avatard/storage"
	"example.org/avatard/storage/receiptlog"
)

// checkProver: every erasure is sealed once, proven at once, and whatever becomes of its user; the log only grows.
func checkProver(t TB, h Harness) {
	f := open(t, h)
	p := &prover{fixture: f}
	_, err := p.store.VerifyReceipts(f.Context(), nil)
	f.wantErr(err, storage.ErrNotSealed, "VerifyReceipts of a new store")
	p.head(0, "a new store")
	var all []storage.Receipt
	p.erasesAll(func(receipt string) {
		when := fmt.Sprintf("erasure %d", len(all)+1)
		r, err := f.store.Receipt(f.Context(), receipt)
		if err != nil {
			t.Fatalf("%s: Receipt = %v, want nil", when, err)
		}
		all = append(all, r)
		if len(all)%2 == 0 { // a proof seals, too
			p.wantProven(r, when)
		}
		p.head(len(all), when)
		p.wantHistory(when)
		p.wantClean(len(all), when)
	})
	f.lasting(func(when string) {
		p.head(len(all), when)
		p.wantAllProven(all, when)
		p.wantHistory(when)
		p.wantClean(len(all), when)
	})
	p.movesIssuer(all)
}

// erasesAll makes erasures of each kind, with changes in between that have no receipt, and passes on their receipts.
func (p *prover) erasesAll(receipt func(string)) {
	ann, ben, cem := user("ann"), user("ben"), user("cem")
	p.addUser(user("other"), globex)
	for i, u := range []storage.UserKey{ann, ben, cem} {
		p.addUser(u, acme)
		p.put(u, acme, sample(uint64(i), 300))
	}
	receipt(p.put(ann, acme, sample(3, 300)).Receipt)
	receipt(p.remove(ben, acme).Receipt)
	receipt(p.eraseUser(removal(cem, acme)).Receipt)
	if _, _, err := p.store.MoveUser(p.Context(), ann, globex, by("admin")); err != nil {
		p.Fatalf("MoveUser = %v, want nil", err)
	}
	receipt(p.put(ann, globex, sample(4, 300)).Receipt)
	p.clock.advance(1e9)
	p.readmit(cem, globex)
	p.put(cem, globex, sample(5, 300))
	receipt(p.remove(cem, globex).Receipt)
	p.endOrganization(globex, true, nil, "among erasures")
	receipt(p.eraseUser(removal(ann, globex)).Receipt)
	p.eraseUser(removal(cem, globex))
	p.eraseUser(removal(user("other"), globex))
	if _, err := p.store.RemoveOrganization(p.Context(), globex, origin()); err != nil {
		p.Fatalf("RemoveOrganization = %v, want nil", err)
	}
}

// movesIssuer gives all users to another issuer. What was sealed stays as it was: a proof is of the issuer of before, or leaves the user
// open.
func (p *prover) movesIssuer(all []storage.Receipt) {
	if _, err := p.store.MoveIssuer(p.Context(), user("").Issuer, newIssuer, origin()); err != nil {
		p.Fatalf("MoveIssuer = %v, want nil", err)
	}
	p.lasting(func(when string) {
		p.head(len(all), when+", moved")
		p.wantHistory(when + ", moved")
		p.wantClean(len(all), when+", moved")
		for _, r := range all {
			got, err := p.store.ProveReceipt(p.Context(), r.ID)
			if err != nil {
				p.Fatalf("%s, moved: ProveReceipt = %v, want nil", when, err)
			}
			proof, err := receiptlog.OpenProof([]byte(got.Text), p.key)
			texts := receiptlog.Texts{Caller: r.By.Caller, CallerOrganization: r.By.CallerOrganization, Request: r.By.RequestID}
			if got.Salts.User != (receiptlog.Salt{}) {
				texts.Issuer, texts.User = r.User.Issuer, r.User.ID
			}
			if err = errors.Join(err, receiptlog.Matches(proof.Leaf, texts, got.Salts)); err != nil {
				p.Errorf("%s, moved: the proof of %+v: %v", when, r, err)
			}
		}
	})
	p.addUser(under(newIssuer, user("new")), acme)
	p.put(under(newIssuer, user("new")), acme, sample(6, 300))
	p.remove(under(newIssuer, user("new")), acme)
	p.head(len(all)+1, "after a move of the issuer")
	p.wantHistory("after a move of the issuer")
	p.wantClean(len(all)+1, "after a move of the issuer")
}

// checkProverRefuses: what is no receipt has no proof, what is no past of the log neither, and texts that are no heads of it are refused.
func checkProverRefuses(t TB, h Harness) {
	f := open(t, h)
	p := &prover{fixture: f}
	f.addUser(user("u"), acme)
	f.put(user("u"), acme, sample(1, 300))
	id := f.put(user("u"), acme, sample(2, 300)).Receipt
	for _, odd := range []string{"", "x", "0", id[1:], id + "0", id + id, " " + id, strings.Repeat("0", 32), strings.Repeat("f", 1<<16),
		f.stat(user("u"), acme).Generation, "\x00", "\xff\xfe", "'", "日本語"} {
		got, err := p.store.ProveReceipt(f.Context(), odd)
		if f.wantErr(err, storage.ErrReceiptNotFound, "ProveReceipt(%.40q)", odd); got != (storage.ReceiptProof{}) {
			t.Errorf("ProveReceipt(%.40q) = %+v beside its error", odd, got)
		}
	}
	head := p.head(1, "one erasure")
	for _, older := range []int64{-1, 2, math.MinInt64, math.MaxInt64} {
		_, err := p.store.ProveHistory(f.Context(), older)
		f.wantErr(err, storage.ErrNoHistory, "ProveHistory(%d) of one receipt", older)
	}
	p.wantClean(1, "one erasure")
	for text, want := range p.strangeHeads(head) {
		report, err := p.store.VerifyReceipts(f.Context(), []string{p.noted[0], text})
		if f.wantErr(err, want, "VerifyReceipts with the noted head %.60q", text); report.Head.Key != p.key {
			t.Errorf("VerifyReceipts with the noted head %.60q has seen the head %+v", text, report.Head)
		}
	}
	p.wantUnfinishedUnproven()
}

// strangeHeads are texts that are no heads of the log, and what is wrong with them.
func (p *prover) strangeHeads(head receiptlog.Head) map[string]error {
	heads := map[string]error{}
	for _, text := range []string{"", "x", "\x00\xff", strings.Repeat("x", 2*receiptlog.MaxHeadBytes), strings.TrimSuffix(p.noted[0], "\n") + "x"} {
		heads[text] = receiptlog.ErrHead
	}
	other := &prover{fixture: open(p.TB, p.h)}
	other.head(0, "another store")
	heads[other.noted[0]] = receiptlog.ErrSignature
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		p.Fatalf("GenerateKey = %v", err)
	}
	forged, err := head.Sign(key)
	if err != nil {
		p.Fatalf("Sign = %v", err)
	}
	heads[string(forged)] = receiptlog.ErrSignature
	heads[strings.Replace(p.noted[0], "\n1\n", "\n2\n", 1)] = receiptlog.ErrSignature
	return heads
}

// wantUnfinishedUnproven demands that an erasure is sealed when it is finished, and not before.
func (p *prover) wantUnfinishedUnproven() {
	if p.h.Break == nil {
		return
	}
	generation := p.stat(user("u"), acme).Generation
	heal := p.h.Break(p.state)
	_, err := p.store.Remove(p.Context(), removal(user("u"), acme))
	p.wantErr(err, storage.ErrUnavailable, "Remove that cannot erase")
	_, err = p.store.ProveReceipt(p.Context(), generation)
	p.wantErr(err, storage.ErrReceiptNotFound, "ProveReceipt of an erasure that is not finished")
	p.head(1, "one erasure of two is finished")
	heal()
	p.remove(user("u"), acme)
	p.head(2, "both erasures are finished")
	p.wantHistory("both erasures are finished")
	p.wantClean(2, "both erasures are finished")
}

// checkProverAtOnce: erasures, heads and proofs at once, through two handles where there may be two. Each receipt is sealed once, and each
// head is the past of those behind it.
func checkProverAtOnce(t TB, h Harness) {
	f := open(t, h)
	p := &prover{fixture: f}
	logs := []storage.Store{f.store}
	if second, err := h.Open(f.Context(), f.state, f.clock.Now); err == nil {
		defer second.Close()
		logs = append(logs, second)
	}
	p.head(0, "before")
	receipts := p.erasesAtOnce(logs)
	p.head(len(receipts), "all erasures")
	p.wantHistory("all erasures")
	p.wantClean(len(receipts), "all erasures")
	places := map[int64]bool{}
	for _, id := range receipts {
		r, err := f.store.Receipt(f.Context(), id)
		if err != nil {
			t.Fatalf("Receipt = %v, want nil", err)
		}
		places[p.wantProven(r, "all erasures")] = true
	}
	if len(places) != len(receipts) || len(receipts) != callers*erasuresEach {
		t.Errorf("%d receipts are at %d places, want %d", len(receipts), len(places), callers*erasuresEach)
	}
	slices.Reverse(p.noted) // noted heads may come in any order
	f.reopen()
	p.wantHistory("reopened")
}

// erasuresEach is how many erasures each caller of erasesAtOnce makes.
const erasuresEach = 4

// erasesAtOnce erases pictures of many users through some handles, and takes a head behind each through any of them. It returns the
// receipts.
func (p *prover) erasesAtOnce(logs []storage.Store) (receipts []string) {
	var mu sync.Mutex
	together(callers, func(i int) {
		s, u := logs[i%len(logs)], user(fmt.Sprint("user-", i))
		for n := range erasuresEach + 1 {
			up := upload(u, acme, sample(uint64(i*100+n), 300))
			up.Register = n == 0
			res, err := s.Put(p.Context(), up)
			if err != nil {
				p.Errorf("Put = %v, want nil", err)
				return
			}
			if n == 0 {
				continue
			}
			mu.Lock()
			receipts = append(receipts, res.Receipt)
			returned := len(receipts)
			mu.Unlock()
			signed, err := logs[(i+n)%len(logs)].ReceiptHead(p.Context())
			if err != nil {
				p.Errorf("ReceiptHead = %v, want nil", err)
				return
			}
			mu.Lock()
			p.noted = append(p.noted, signed.Text)
			if head := p.open(signed); head.Size < int64(returned) {
				p.Errorf("a head of %d when %d erasures had returned", head.Size, returned)
			}
			mu.Unlock()
		}
	})
	return receipts
}

// checkProverKilled: no head that was shown is taken back by the end of the process.
func checkProverKilled(t TB, h Harness) {
	if h.Kill == nil {
		return
	}
	f := open(t, h)
	p := &prover{fixture: f}
	f.addUser(user("u"), acme)
	for i := range 4 {
		f.put(user("u"), acme, sample(uint64(i), 300))
	}
	p.head(3, "before a kill")
	f.put(user("u"), acme, sample(9, 300)) // nobody has asked for its proof yet
	left, err := h.Kill(f.state)
	if err != nil {
		t.Fatalf("Kill: %v", err)
	}
	if err := f.store.Close(); err != nil {
		t.Fatalf("Close = %v, want nil", err)
	}
	f.state = left
	f.openAgain()
	p.head(4, "after a kill")
	p.wantHistory("after a kill")
	p.wantClean(4, "after a kill")
}
