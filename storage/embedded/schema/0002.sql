-- What goes by age. Receipts up to "pruned" are those that were looked at: of each user at most the newest one of that time
-- is left, so that a receipt's "previous" may name one that is not there. Every erasure of the time "horizon" and later is known.
ALTER TABLE store ADD COLUMN pruned  INTEGER NOT NULL DEFAULT 0 CHECK (pruned >= 0);
ALTER TABLE store ADD COLUMN horizon INTEGER NOT NULL DEFAULT 0;

-- Calls that were turned away. They are kept for less long than changes.
CREATE TABLE refusal (
	seq                 INTEGER PRIMARY KEY,
	time                INTEGER NOT NULL,
	action              TEXT    NOT NULL,
	reason              TEXT    NOT NULL,
	caller              TEXT    NOT NULL,
	caller_organization TEXT    NOT NULL,
	organization        TEXT    NOT NULL,
	target              TEXT    NOT NULL,
	request             TEXT    NOT NULL,
	dropped             INTEGER NOT NULL -- refusals before this one that were not recorded
) STRICT;
-- Both in the order of the key, row by row: no sorter, no list of rows, whatever their number.
INSERT INTO refusal SELECT seq, time, action, result, caller, caller_organization, organization, target, request, dropped
	FROM audit WHERE result <> 'done' ORDER BY seq;
DELETE FROM audit WHERE result <> 'done';

-- A reference makes SQLite look through all slots and users for each receipt that goes. The triggers below look them up by their
-- keys. A constraint that goes changes no row: https://sqlite.org/lang_altertable.html#otheralter
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, ' REFERENCES receipt (seq) DEFERRABLE INITIALLY DEFERRED', '')
	WHERE type = 'table' AND name IN ('user', 'generation');
UPDATE sqlite_schema SET sql = replace(sql, 'reason BETWEEN 1 AND 3),  -- removed, replaced, abandoned', 'reason BETWEEN 1 AND 4),  -- removed, replaced, abandoned, lost')
	WHERE type = 'table' AND name = 'receipt';
PRAGMA writable_schema = RESET;

CREATE TRIGGER generation_receipt AFTER UPDATE OF receipt ON generation
WHEN NEW.receipt IS NOT NULL AND NOT EXISTS (SELECT 1 FROM receipt WHERE seq = NEW.receipt)
BEGIN
	SELECT RAISE (ROLLBACK, 'there is no such receipt');
END;

CREATE TRIGGER user_receipt AFTER UPDATE OF receipt ON user
WHEN NEW.receipt IS NOT NULL AND NOT EXISTS (SELECT 1 FROM receipt WHERE seq = NEW.receipt)
BEGIN
	SELECT RAISE (ROLLBACK, 'there is no such receipt');
END;

CREATE TRIGGER receipt_goes BEFORE DELETE ON receipt
WHEN OLD.seq > (SELECT watermark FROM store) OR
	EXISTS (SELECT 1 FROM user WHERE uid = OLD.uid AND receipt = OLD.seq) OR
	EXISTS (SELECT 1 FROM generation WHERE uid = OLD.uid AND receipt = OLD.seq)
BEGIN
	SELECT RAISE (ROLLBACK, 'the receipt is needed');
END;

CREATE TRIGGER pruned_rises AFTER UPDATE OF pruned, horizon ON store
WHEN NEW.pruned < OLD.pruned OR NEW.horizon < OLD.horizon OR NEW.pruned > NEW.watermark
BEGIN
	SELECT RAISE (ROLLBACK, 'what is pruned never comes back');
END;

-- Uploads that nobody was told of, for a start that looks at no other slot. A delete has nothing to do with it.
CREATE INDEX generation_uploading ON generation (slot) WHERE state = 1;
-- Slots out of use, because they could not be zeroed after an upload that nobody was told of. The generation stays ERASING, the
-- receipt goes for finished otherwise.
CREATE TABLE quarantine (
	slot    INTEGER PRIMARY KEY,
	receipt INTEGER NOT NULL UNIQUE,
	time    INTEGER NOT NULL
) STRICT;

CREATE TRIGGER quarantine_of_abandoned BEFORE INSERT ON quarantine
WHEN NOT EXISTS (SELECT 1 FROM generation g JOIN receipt r ON r.seq = g.receipt
	WHERE g.slot = NEW.slot AND g.receipt = NEW.receipt AND g.state = 3 AND r.reason = 3)
BEGIN
	SELECT RAISE (ROLLBACK, 'the slot holds no upload that was given up');
END;

DROP TRIGGER generation_slot_reuse;
CREATE TRIGGER generation_slot_reuse AFTER UPDATE OF id ON generation
WHEN NEW.id <> OLD.id AND NOT (NEW.state = 1 AND OLD.state = 3 AND (
	OLD.receipt <= (SELECT watermark FROM store) OR
	EXISTS (SELECT 1 FROM receipt WHERE seq = OLD.receipt AND done = 1)) AND
	NOT EXISTS (SELECT 1 FROM quarantine WHERE slot = OLD.slot))
BEGIN
	SELECT RAISE (ROLLBACK, 'the slot is not free');
END;

DROP TRIGGER generation_stays;
CREATE TRIGGER generation_stays BEFORE DELETE ON generation
WHEN NOT (OLD.state = 3 AND (
	OLD.receipt <= (SELECT watermark FROM store) OR
	EXISTS (SELECT 1 FROM receipt WHERE seq = OLD.receipt AND done = 1)) AND
	NOT EXISTS (SELECT 1 FROM quarantine WHERE slot = OLD.slot))
BEGIN
	SELECT RAISE (ROLLBACK, 'the generation is not erased');
END;
