-- For lists of one organisation. Only registrations, moves and ends change it.
CREATE INDEX user_organization ON user (organization, id, iid) WHERE removed = 0;

-- What is to be known of a receipt beside the erasure: the organisation in which the user was, and the record of the trail that has the
-- caller and the request. Their texts are not here, because the trail is kept for a shorter time. Receipts of before know neither.
ALTER TABLE receipt ADD COLUMN organization TEXT;
ALTER TABLE receipt ADD COLUMN audit        INTEGER;

DROP TRIGGER receipt_stays;
CREATE TRIGGER receipt_stays BEFORE UPDATE OF seq, uid, generation, time, reason, previous, organization, audit ON receipt
BEGIN
	SELECT RAISE (ROLLBACK, 'a receipt never changes');
END;

-- Caller and request of receipts from another store, whose trail is not here. They are kept as long as the trail.
CREATE TABLE receipt_origin (
	receipt             INTEGER PRIMARY KEY,
	time                INTEGER NOT NULL,
	caller              TEXT    NOT NULL,
	caller_organization TEXT    NOT NULL,
	request             TEXT    NOT NULL
) STRICT;

-- Receipts by what they are of, up to the one that "indexed" names: later ones are few and are looked through. A delete has nothing to do
-- with it. Each run of 4096 receipts is sorted by itself, so that many are added at the cost of a few pages, in the order of the receipts
-- and without a sorter. A search looks into each run.
ALTER TABLE store ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0;
CREATE TABLE receipt_generation (
	run        INTEGER NOT NULL,
	generation BLOB    NOT NULL,
	receipt    INTEGER NOT NULL,
	PRIMARY KEY (run, generation, receipt)
) STRICT, WITHOUT ROWID;
INSERT INTO receipt_generation SELECT seq >> 12, generation, seq FROM receipt ORDER BY seq;
UPDATE store SET indexed = ifnull((SELECT max(seq) FROM receipt), 0);

CREATE TRIGGER receipt_gone AFTER DELETE ON receipt
BEGIN
	DELETE FROM receipt_generation WHERE run = OLD.seq >> 12 AND generation = OLD.generation AND receipt = OLD.seq;
	DELETE FROM receipt_origin WHERE receipt = OLD.seq;
END;

-- "removed" is a state now, as storage.RegistrationState: 1 = taken off the record, 2 = ended, 3 = an organisation that is ending. Users
-- who have ended are numbered in the order of their ends, for exports.
ALTER TABLE user ADD COLUMN ended INTEGER;
CREATE UNIQUE INDEX user_ended ON user (ended) WHERE ended IS NOT NULL;

DROP TRIGGER user_removed;
CREATE TRIGGER user_removed AFTER UPDATE OF removed, ended ON user
WHEN NEW.removed NOT BETWEEN 0 AND 2 OR (NEW.removed = 2) <> (NEW.ended IS NOT NULL) OR
	NEW.removed <> 0 AND EXISTS (SELECT 1 FROM generation WHERE uid = NEW.uid AND state <> 3)
BEGIN
	SELECT RAISE (ROLLBACK, 'the user has a picture') WHERE NEW.removed BETWEEN 1 AND 2 AND (NEW.removed = 2) = (NEW.ended IS NOT NULL);
	SELECT RAISE (ROLLBACK, 'no such state of a user');
END;

CREATE TRIGGER organization_removed AFTER UPDATE OF removed ON organization WHEN NEW.removed NOT BETWEEN 0 AND 3
BEGIN
	SELECT RAISE (ROLLBACK, 'no such state of an organisation');
END;

-- The log of receipts, see package receiptlog. A delete has nothing to do with it: receipts get their place later, many at once, in the
-- order of their places. Their texts stay where they are and are not copied; what is here is what a leaf takes beside them.
CREATE TABLE receipt_log (
	place        INTEGER PRIMARY KEY CHECK (place >= 0),
	receipt      INTEGER NOT NULL UNIQUE,
	issuer       INTEGER, -- as it was when the receipt was sealed: users may be given to another one
	organization TEXT,    -- likewise, of receipts that know none
	audit        INTEGER, -- the record of the trail whose texts the leaf has, as long as it is kept
	salt         BLOB,
	-- What is left of the salt and of the texts of the trail once these are dropped. All columns are NULL once the receipt is.
	user_salt    BLOB,
	caller       BLOB,
	request      BLOB
) STRICT;
CREATE INDEX receipt_log_audit ON receipt_log (audit) WHERE audit IS NOT NULL;

CREATE TABLE receipt_issuer (
	number INTEGER PRIMARY KEY,
	url    TEXT    NOT NULL UNIQUE
) STRICT;

-- The hash of each leaf, and behind it those of the subtrees that it has completed.
CREATE TABLE receipt_hash (
	place  INTEGER PRIMARY KEY,
	hashes BLOB    NOT NULL CHECK (length(hashes) % 32 = 0)
) STRICT;

-- Receipts up to "sealed" have a place, or were not finished when it was their turn.
CREATE TABLE receipt_head (
	one      INTEGER PRIMARY KEY CHECK (one = 1),
	sealed   INTEGER NOT NULL,
	frontier BLOB    NOT NULL,
	head     TEXT    NOT NULL -- signed
) STRICT;
CREATE TABLE receipt_unfinished (receipt INTEGER PRIMARY KEY) STRICT;

CREATE TRIGGER receipt_log_stays BEFORE DELETE ON receipt_log
BEGIN
	SELECT RAISE (ROLLBACK, 'a receipt keeps its place');
END;

CREATE TRIGGER receipt_log_order BEFORE UPDATE OF place, receipt ON receipt_log
BEGIN
	SELECT RAISE (ROLLBACK, 'a receipt keeps its place');
END;

CREATE TRIGGER receipt_hash_stays BEFORE DELETE ON receipt_hash
BEGIN
	SELECT RAISE (ROLLBACK, 'a hash stays');
END;

CREATE TRIGGER receipt_hash_kept BEFORE UPDATE ON receipt_hash
BEGIN
	SELECT RAISE (ROLLBACK, 'a hash stays');
END;

CREATE TRIGGER receipt_head_rises AFTER UPDATE OF sealed ON receipt_head WHEN NEW.sealed < OLD.sealed
BEGIN
	SELECT RAISE (ROLLBACK, 'what is sealed stays so');
END;
