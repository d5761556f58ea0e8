// Package receiptlog is the log of receipts that a third party can check: an append-only Merkle tree over all receipts in the order in
// which they were sealed, and a signed head of it. A head that was noted yesterday shows that today's log has the same past.
//
// The package computes. It opens no database and serves nobody: an engine keeps leaves and hashes, and seals receipts in batches, off the
// way of the calls that made them.
//
//	engine ─► Seal          entries ─► salts, leaves                 entry.go, leaf.go
//	       ├► Frontier      leaves ─► hashes to store, the root      frontier.go
//	       ├► Head.Sign     the root ─► text for everybody           head.go, keyfile.go
//	       └► Prove…        stored hashes ─► proofs                  proof.go, prooftext.go
//	anybody ─► OpenHead, OpenProof, CheckInclusion, CheckConsistency, Matches: need no store
//	       └► Verify        walks the whole log                      verify.go, locate.go, fault.go
//
// # Formats
//
// What follows is all that a verifier in another language needs. Numbers are big-endian; H is SHA-256 and HMAC is HMAC-SHA-256 (key,
// message); || joins bytes.
//
// A leaf is the bytes
//
//	0x01 || id (16) || time (8) || reason (8) || user (32) || caller (32) || request (32) || organisation (the rest, UTF-8)
//
// The id is the receipt's, which people see in hexadecimal. The time is that of the erasure in microseconds since 1970, reason one of
// the numbers of package storage, both in two's complement. The organisation may be empty. User, caller and request are salted digests:
//
//	user    = HMAC(HMAC(salt, "user"),    text(issuer) || text(user id))
//	caller  = HMAC(HMAC(salt, "caller"),  text(caller) || text(the caller's organisation))
//	request = HMAC(HMAC(salt, "request"), text(request id))
//	text(t) = the number of bytes in t (4) || t
//
// The salt is 32 random bytes, new for each receipt. Without it a digest says nothing of its texts, so texts and salt may be dropped
// while the leaf stays. The salt of one field, the inner HMAC, may be given away without the others.
//
// The tree is that of RFC 9162, section 2.1 (and RFC 6962): the hash of a leaf is H(0x00 || leaf), that of a node is
// H(0x01 || left || right), and that of no leaf is H(""). Proofs are as in sections 2.1.3 and 2.1.4.
//
// A head is a checkpoint by c2sp.org/tlog-checkpoint, a note signed as c2sp.org/signed-note says, with Ed25519 and without extension
// lines; the name of the key is the origin. Public keys have that page's text form. A proof for one receipt is a text by
// c2sp.org/tlog-proof whose extra data are the bytes of the leaf.
package receiptlog
