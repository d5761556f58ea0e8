-- What the schema itself refuses, whatever the code does: two owners of one slot (the slot is the key), two active pictures of one
-- user, a step that the state machine does not have, a slot given away before the erasure of what was in it is on record, an
-- erasing generation without a receipt.
--
-- Triggers of updates come AFTER: before one, SQLite makes the new row, and finds the old one, a second time.
--
-- BETWEEN, not IN: a list makes SQLite build a table of its own for each row that is checked.
--
-- Violations undo the transaction, and references are checked when it ends: a statement that had to undo itself alone would make
-- SQLite keep a copy of each page it changes.
--
-- Not one column holds a byte of a picture. Times are microseconds since 1970, UTC.

CREATE TABLE store (
	one       INTEGER PRIMARY KEY CHECK (one = 1),
	id        BLOB    NOT NULL CHECK (length(id) = 16), -- also in the slab's first page
	-- Every receipt up to this one is of an erased generation. Those above it are, if marked done.
	watermark INTEGER NOT NULL DEFAULT 0 CHECK (watermark >= 0),
	-- Counts the tries to write after a failure. SQLite writes nothing for a row that stays as it is.
	probes    INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE issuer (
	iid INTEGER PRIMARY KEY,
	url TEXT    NOT NULL UNIQUE
) STRICT;

CREATE TABLE organization (
	id      TEXT    NOT NULL PRIMARY KEY CHECK (octet_length(id) BETWEEN 1 AND 800),
	created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE user (
	uid          INTEGER PRIMARY KEY,
	iid          INTEGER NOT NULL REFERENCES issuer (iid) DEFERRABLE INITIALLY DEFERRED,
	id           TEXT    NOT NULL CHECK (octet_length(id) BETWEEN 1 AND 800),
	organization TEXT    NOT NULL REFERENCES organization (id) DEFERRABLE INITIALLY DEFERRED,
	created      INTEGER NOT NULL,
	changed      INTEGER NOT NULL CHECK (changed >= created),
	sequence     INTEGER NOT NULL CHECK (sequence >= 1),
	receipt      INTEGER REFERENCES receipt (seq) DEFERRABLE INITIALLY DEFERRED, -- the newest
	UNIQUE (id, iid)
) STRICT;

-- One row a slot that was ever used: who owns it, or who owned it last.
CREATE TABLE generation (
	slot    INTEGER PRIMARY KEY,                          -- first 4 KiB page in the slab
	id      BLOB    NOT NULL CHECK (length(id) = 16),     -- random
	uid     INTEGER NOT NULL REFERENCES user (uid) DEFERRABLE INITIALLY DEFERRED,
	state   INTEGER NOT NULL CHECK (state BETWEEN 1 AND 3),  -- uploading, active, erasing (erased once the receipt counts)
	size    INTEGER NOT NULL CHECK (size BETWEEN 1 AND 1048576),
	format  INTEGER NOT NULL CHECK (format >= 1),
	receipt INTEGER REFERENCES receipt (seq) DEFERRABLE INITIALLY DEFERRED,
	CHECK ((state = 3) = (receipt IS NOT NULL))
) STRICT;
CREATE INDEX generation_user ON generation (uid);

CREATE TABLE receipt (
	seq        INTEGER PRIMARY KEY,
	uid        INTEGER NOT NULL REFERENCES user (uid) DEFERRABLE INITIALLY DEFERRED,
	generation BLOB    NOT NULL CHECK (length(generation) = 16),
	time       INTEGER NOT NULL,
	reason     INTEGER NOT NULL CHECK (reason BETWEEN 1 AND 3),  -- removed, replaced, abandoned
	previous   INTEGER CHECK (previous < seq),               -- the same user's receipt before
	done       INTEGER NOT NULL DEFAULT 0 CHECK (done BETWEEN 0 AND 1)
) STRICT;

CREATE TABLE region (
	first      INTEGER PRIMARY KEY CHECK (first >= 1),     -- page in the slab
	slot_pages INTEGER NOT NULL CHECK (slot_pages >= 1),
	slots      INTEGER NOT NULL CHECK (slots >= 1)
) STRICT;

CREATE TABLE audit (
	seq                 INTEGER PRIMARY KEY,
	time                INTEGER NOT NULL,
	action              TEXT    NOT NULL,
	result              TEXT    NOT NULL,
	caller              TEXT    NOT NULL,
	caller_organization TEXT    NOT NULL,
	organization        TEXT    NOT NULL,
	target              TEXT    NOT NULL,
	request             TEXT    NOT NULL,
	dropped             INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TRIGGER generation_is_new BEFORE INSERT ON generation WHEN NEW.state <> 1
BEGIN
	SELECT RAISE (ROLLBACK, 'a generation starts as uploading');
END;

CREATE TRIGGER generation_step AFTER UPDATE OF state ON generation
WHEN NEW.id = OLD.id AND NOT (OLD.state = 1 AND NEW.state > 1 OR OLD.state = 2 AND NEW.state = 3) OR
	NEW.state = 2 AND EXISTS (SELECT 1 FROM generation WHERE uid = NEW.uid AND state = 2 AND slot <> NEW.slot)
BEGIN
	SELECT RAISE (ROLLBACK, 'the user has an active generation') WHERE OLD.state = 1 AND NEW.state = 2;
	SELECT RAISE (ROLLBACK, 'no such step of a generation');
END;

CREATE TRIGGER generation_slot_reuse AFTER UPDATE OF id ON generation
WHEN NEW.id <> OLD.id AND NOT (NEW.state = 1 AND OLD.state = 3 AND (
	OLD.receipt <= (SELECT watermark FROM store) OR
	EXISTS (SELECT 1 FROM receipt WHERE seq = OLD.receipt AND done = 1)))
BEGIN
	SELECT RAISE (ROLLBACK, 'the slot is not free');
END;

CREATE TRIGGER generation_stays BEFORE DELETE ON generation
WHEN NOT (OLD.state = 3 AND (
	OLD.receipt <= (SELECT watermark FROM store) OR
	EXISTS (SELECT 1 FROM receipt WHERE seq = OLD.receipt AND done = 1)))
BEGIN
	SELECT RAISE (ROLLBACK, 'the generation is not erased');
END;

CREATE TRIGGER receipt_stays BEFORE UPDATE OF seq, uid, generation, time, reason, previous ON receipt
BEGIN
	SELECT RAISE (ROLLBACK, 'a receipt never changes');
END;

CREATE TRIGGER watermark_rises AFTER UPDATE OF watermark ON store WHEN NEW.watermark < OLD.watermark
BEGIN
	SELECT RAISE (ROLLBACK, 'the watermark never falls');
END;
