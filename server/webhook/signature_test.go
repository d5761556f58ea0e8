package webhook

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The vector that the libraries of Standard Webhooks are tested with.
const (
	vectorSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorBody      = `{"test": 2432232314}`
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	vectorTime      = 1614265330
	otherSignature  = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
	otherSecret     = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)

// HMAC-SHA256 over "1614265330." and the body, by openssl with the key 36-characters-of-a-zitadel-target-key.
const (
	zitadelKey  = "36-characters-of-a-zitadel-target-key"
	zitadelHash = "d3268aa45751df28675bcf4d9f8c6732a229fafe520029d6308f9f31e70a500f"
)

// fields makes a header of lines "Name: value".
func fields(lines ...string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

func standard(id, stamp, signatures string) http.Header {
	return fields("webhook-id: "+id, "webhook-timestamp: "+stamp, "webhook-signature: "+signatures)
}

func mustSecrets(t testing.TB, s Scheme, lines ...string) []Secret {
	t.Helper()
	secrets, err := ParseSecrets(s, strings.Join(lines, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return secrets
}

func TestSignatures(t *testing.T) {
	stamp := fmt.Sprint(vectorTime)
	for _, row := range []struct {
		title   string
		scheme  Scheme
		header  http.Header
		secrets []string // of the receiver, "" = the right one
		body    string   // "" = the right one
		from    time.Duration
		err     error
		signed  bool
	}{
		{title: "the published vector", header: standard(vectorID, stamp, vectorSignature), signed: true},
		{title: "one of several", header: standard(vectorID, stamp, otherSignature+" v2,"+vectorSignature[3:]+" v1a,abc "+vectorSignature+" "+otherSignature), signed: true},
		{title: "with the second secret", header: standard(vectorID, stamp, vectorSignature), secrets: []string{otherSecret, vectorSecret}, signed: true},
		{title: "with the first of two", header: standard(vectorID, stamp, vectorSignature), secrets: []string{vectorSecret, otherSecret}, signed: true},
		{title: "five minutes old", header: standard(vectorID, stamp, vectorSignature), from: Tolerance, signed: true},
		{title: "five minutes early", header: standard(vectorID, stamp, vectorSignature), from: -Tolerance, signed: true},
		{title: "too old", header: standard(vectorID, stamp, vectorSignature), from: Tolerance + 1, err: ErrNotCurrent},
		{title: "in the future", header: standard(vectorID, stamp, vectorSignature), from: -Tolerance - 1, err: ErrNotCurrent},
		{title: "another secret", header: standard(vectorID, stamp, vectorSignature), secrets: []string{otherSecret}},
		{title: "another signature", header: standard(vectorID, stamp, otherSignature)},
		{title: "of another version", header: standard(vectorID, stamp, "v2,"+vectorSignature[3:]), err: ErrUnsigned},
		{title: "a byte of the body changed", header: standard(vectorID, stamp, vectorSignature), body: `{"test": 2432232315}`},
		{title: "another id", header: standard(vectorID+"x", stamp, vectorSignature)},
		{title: "another time", header: standard(vectorID, fmt.Sprint(vectorTime+1), vectorSignature)},
		{title: "cut short", header: standard(vectorID, stamp, vectorSignature[:40]), err: ErrUnsigned},
		{title: "no id", header: fields("webhook-timestamp: "+stamp, "webhook-signature: "+vectorSignature), err: ErrUnsigned},
		{title: "no time", header: fields("webhook-id: "+vectorID, "webhook-signature: "+vectorSignature), err: ErrUnsigned},
		{title: "no signature", header: fields("webhook-id: "+vectorID, "webhook-timestamp: "+stamp), err: ErrUnsigned},
		{title: "two ids", header: fields("webhook-id: a", "webhook-id: b", "webhook-timestamp: "+stamp, "webhook-signature: "+vectorSignature), err: ErrUnsigned},
		{title: "an id with a dot", header: standard("msg.1", stamp, vectorSignature), err: ErrUnsigned},
		{title: "an id with a space", header: standard("msg 1", stamp, vectorSignature), err: ErrUnsigned},
		{title: "a long id", header: standard(strings.Repeat("x", maxIDBytes+1), stamp, vectorSignature), err: ErrUnsigned},
		{title: "a time with a sign", header: standard(vectorID, "+"+stamp, vectorSignature), err: ErrUnsigned},
		{title: "an endless time", header: standard(vectorID, strings.Repeat("9", 30), vectorSignature), err: ErrUnsigned},
		{title: "nine signatures", header: standard(vectorID, stamp, strings.Repeat(otherSignature+" ", 8)+vectorSignature), err: ErrUnsigned},

		{title: "ZITADEL's", scheme: Zitadel, header: fields("ZITADEL-Signature: t=" + stamp + ",v1=" + zitadelHash), signed: true},
		{title: "ZITADEL's, of two keys", scheme: Zitadel, header: fields("ZITADEL-Signature: t=" + stamp + ",v1=" + strings.Repeat("00", 32) + ",v1=" + zitadelHash), signed: true},
		{title: "ZITADEL's, too old", scheme: Zitadel, header: fields("ZITADEL-Signature: t=" + stamp + ",v1=" + zitadelHash), from: Tolerance + 1, err: ErrNotCurrent},
		{title: "ZITADEL's, of another time", scheme: Zitadel, header: fields(fmt.Sprintf("ZITADEL-Signature: t=%d,v1=%s", vectorTime+1, zitadelHash))},
		{title: "ZITADEL's, twice a time", scheme: Zitadel, header: fields("ZITADEL-Signature: t=" + stamp + ",t=" + stamp + ",v1=" + zitadelHash), err: ErrUnsigned},
		{title: "ZITADEL's, no time", scheme: Zitadel, header: fields("ZITADEL-Signature: v1=" + zitadelHash), err: ErrUnsigned},
		{title: "ZITADEL's, no hash", scheme: Zitadel, header: fields("ZITADEL-Signature: t=" + stamp), err: ErrUnsigned},
		{title: "a signature of the other scheme", scheme: Zitadel, header: standard(vectorID, stamp, vectorSignature), err: ErrUnsigned},
	} {
		keys, body := row.secrets, row.body
		if keys == nil {
			keys = []string{[]string{vectorSecret, zitadelKey}[row.scheme]}
		}
		if body == "" {
			body = vectorBody
		}
		sig, err := ReadSignature(row.scheme, row.header, time.Unix(vectorTime, 0).Add(row.from))
		if err != row.err { //nolint:errorlint // it is never wrapped
			t.Errorf("%s: ReadSignature = %v, want %v", row.title, err, row.err)
			continue
		}
		if got := err == nil && sig.SignedBy(mustSecrets(t, row.scheme, keys...), []byte(body)); got != row.signed {
			t.Errorf("%s: signed is %t, want %t", row.title, got, row.signed)
		}
	}
}

func TestSecrets(t *testing.T) {
	for _, row := range []struct {
		title  string
		scheme Scheme
		text   string
		count  int // 0 = refused
	}{
		{"one", Standard, vectorSecret, 1},
		{"two, with white space", Standard, "\n " + vectorSecret + "\r\n\n" + otherSecret + " \n", 2},
		{"three", Standard, vectorSecret + "\n" + vectorSecret + "\n" + vectorSecret, 0},
		{"none", Standard, " \n", 0},
		{"without the prefix", Standard, vectorSecret[6:], 0},
		{"short", Standard, "whsec_planted=", 0},
		{"no base64", Standard, vectorSecret + "!", 0},
		{"long", Standard, "whsec_" + strings.Repeat("AAAA", 22), 0},
		{"a public key of the asymmetric scheme", Standard, "whpk_" + vectorSecret[6:], 0},
		{"ZITADEL's", Zitadel, zitadelKey, 1},
		{"ZITADEL's, short", Zitadel, "planted", 0},
		{"one of the other scheme", Zitadel, vectorSecret, 0},
	} {
		secrets, err := ParseSecrets(row.scheme, row.text)
		if len(secrets) != row.count || (err == nil) != (row.count > 0) {
			t.Errorf("%s: %d secrets, %v; want %d", row.title, len(secrets), err, row.count)
		}
		if err != nil && (strings.Contains(err.Error(), "planted") || strings.Contains(err.Error(), vectorSecret[6:])) {
			t.Errorf("%s: %v repeats the secret", row.title, err)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v %s %x", mustSecrets(t, Zitadel, zitadelKey)[0], mustSecrets(t, Zitadel, zitadelKey), mustSecrets(t, Zitadel, zitadelKey), mustSecrets(t, Zitadel, zitadelKey)[0], mustSecrets(t, Zitadel, zitadelKey)[0]); strings.Contains(text, zitadelKey) || strings.Contains(text, fmt.Sprintf("%x", zitadelKey)) {
		t.Errorf("a secret prints as %s", text)
	}
}
