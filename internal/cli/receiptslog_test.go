package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/internal/admin"
	"example.org/avatard/storage"
	"example.org/avatard/storage/faulty"
	"example.org/avatard/storage/receiptlog"
	"example.org/avatard/storage/storagetest/memory"
)

// printed runs a command that succeeds and keeps what it prints in a file.
func (e *elsewhere) printed(args ...string) (file string, text []byte) {
	e.t.Helper()
	text, stderr, code := e.run(nil, append(args, "--data=one")...)
	if code != ExitOK {
		e.t.Fatalf("%v = exit code %d, %s", args, code, stderr)
	}
	file = filepath.Join(e.t.TempDir(), "noted")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		e.t.Fatal(err)
	}
	return file, text
}

// key returns the key of the log.
func (e *elsewhere) key() string {
	e.t.Helper()
	var head admin.ReceiptHead
	if _, text := e.printed("receipts", "head", "--json"); json.Unmarshal(text, &head) != nil || head.Key == "" {
		e.t.Fatalf("receipts head --json = %s", text)
	}
	return head.Key
}

// What somebody noted of a log is in its past, as text and as JSON, and each receipt can be checked without the store.
func TestReceiptsVerify(t *testing.T) {
	e := &elsewhere{t: t, stores: memory.New("")}
	e.want(ExitFailed, "there is no database in one", "receipts", "verify", "--data=one")
	e.erased()
	e.want(ExitOK, "no receipt was sealed yet; there is nothing to verify\n", "receipts", "verify", "--data=one")
	text, _ := e.printed("receipts", "head")
	asJSON, _ := e.printed("receipts", "head", "--json")
	key := e.key()
	e.want(ExitOK, "key of the log, to be noted too: "+key+"\n", "receipts", "head", "--data=one")
	e.want(ExitOK, "user bob removed", "erase", "user", "bob", "--data=one")
	putFor(t, e.open("one"), "carol", 1)
	e.want(ExitOK, "user carol removed", "erase", "user", "carol", "--data=one")
	e.want(ExitOK, "3 receipts in the log, 0 receipts without a record any more, 1 receipt not in it yet, 2 noted heads compared: clean\n",
		"receipts", "verify", "--noted="+text, "--noted", asJSON, "--key="+key, "--data=one")
	id := e.receipts()[0].Receipt // the newest, that of carol
	proof, _ := e.printed("receipts", "proof", strings.ToUpper(id))
	proofAsJSON, _ := e.printed("receipts", "proof", id, "--json")
	e.want(ExitOK, `{"receipts":4,"dropped":0,"unsealed":0,"noted":0,"head":"avatard/`, "receipts", "verify", "--json", "--data=one")
	for _, file := range []string{proof, proofAsJSON} {
		e.want(ExitOK, "receipt "+id+" of an erasure in organisation acme at 20", "receipts", "verify", "--proof="+file, "--key="+key)
		e.want(ExitOK, " is at place 3 of the log of 4 receipts\n", "receipts", "verify", "--proof="+file, "--key="+key)
	}
	e.want(ExitOK, `{"proven":true,"receipt":"`+id+`","time":"`, "receipts", "verify", "--proof="+proof, "--key="+key, "--json")
	e.want(ExitFailed, "was removed for its age", "receipts", "proof", strings.Repeat("0", 32), "--data=one")

	other := &elsewhere{t: t, stores: memory.New("")}
	other.erased()
	for _, args := range [][]string{{"--noted=" + text}, {"--noted=" + asJSON}, {"--key=" + key}} {
		other.want(ExitFailed, "nothing was sealed here yet", append([]string{"receipts", "verify", "--data=one"}, args...)...)
	}
	strange := other.key()
	other.want(ExitFailed, "the head in "+text+" is not signed with the key of this log", "receipts", "verify", "--noted="+text, "--data=one")
	other.want(ExitFailed, "the key of this log is not the one that was noted", "receipts", "verify", "--key="+key, "--data=one")
	e.want(ExitFailed, "the head is not signed with the expected key", "receipts", "verify", "--proof="+proof, "--key="+strange)
	e.want(ExitFailed, `{"proven":false,`, "receipts", "verify", "--proof="+proof, "--key="+strange, "--json")
	e.want(ExitFailed, "not a proof of a receipt", "receipts", "verify", "--proof="+text, "--key="+key)
	strangeFile, _ := e.printed("receipts", "list")
	e.want(ExitFailed, strangeFile+" has no signed head of a log of receipts", "receipts", "verify", "--noted="+text, "--noted="+strangeFile, "--data=one")
}

// A log that is not as it was sealed is exit code 1, and the sentence names the receipt.
func TestReceiptsVerifyFinds(t *testing.T) {
	altered := &elsewhere{t: t, stores: memory.New("dates receipts when they are read")}
	altered.erased()
	altered.printed("receipts", "head")
	id := altered.receipts()[2].Receipt // the oldest
	altered.want(ExitFailed, "receipt "+id+" at place 0 is not the one that was sealed there\n", "receipts", "verify", "--data=one")
	altered.want(ExitFailed, "avatard: receipts verify: the log of receipts is not as it was sealed\n", "receipts", "verify", "--data=one")
	altered.want(ExitFailed, `"fault":{"kind":"`+string(receiptlog.Altered)+`","index":0,"end":1,"receipt":"`+id+`"`, "receipts", "verify", "--json", "--data=one")

	forked := &elsewhere{t: t, stores: memory.New("seals receipts anew")}
	forked.erased()
	noted, _ := forked.printed("receipts", "head")
	forked.printed("receipts", "head") // of a log with another past
	forked.want(ExitOK, ": clean\n", "receipts", "verify", "--data=one")
	forked.want(ExitFailed, "the receipts at places 0 to 2 are not what the noted head of 3 has there: history was rewritten\n", "receipts", "verify", "--noted="+noted, "--data=one")
}

// What cannot be a head, a key or a proof is refused before anything is looked at, and a store that fails is no finding.
func TestReceiptsVerifyRefuses(t *testing.T) {
	e := &elsewhere{t: t, stores: memory.New("")}
	e.erased()
	proof, _ := e.printed("receipts", "proof", e.receipts()[0].Receipt)
	key := e.key()
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, make([]byte, maxNotedBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--key=nonsense"}, {"--proof=" + proof}, {"--proof=" + proof, "--key=" + key, "--noted=" + proof}} {
		e.want(ExitUsage, "usage: avatard receipts verify", append([]string{"receipts", "verify", "--data=one"}, args...)...)
	}
	many := []string{"receipts", "verify", "--data=one"}
	for range admin.MaxNoted + 1 {
		many = append(many, "--noted="+proof)
	}
	e.want(ExitUsage, "at most 64 are compared at once", many...)
	e.want(ExitFailed, "no such file", "receipts", "verify", "--noted="+large+"x", "--data=one")
	e.want(ExitFailed, "so it is no head and no proof", "receipts", "verify", "--noted="+large, "--data=one")
	e.want(ExitFailed, "so it is no head and no proof", "receipts", "verify", "--proof="+large, "--key="+key)
	e.want(ExitUsage, "usage: avatard receipts proof", "receipts", "proof", "abc", "--data=one")
	e.wrap = func(storage.Place) storage.Place {
		return faultyPlace{Place: e.stores.Place("one"), fault: faulty.Fault{Times: -1}}
	}
	for _, args := range [][]string{{"head"}, {"proof", strings.Repeat("0", 32)}, {"verify"}} {
		stdout, stderr, code := e.run(nil, append(append([]string{"receipts"}, args...), "--data=one")...)
		if code != ExitFailed || len(stdout) > 0 || !strings.Contains(stderr, "unavailable") {
			t.Errorf("receipts %v of a store that fails = exit code %d, %q, %q", args, code, stdout, stderr)
		}
	}
}
