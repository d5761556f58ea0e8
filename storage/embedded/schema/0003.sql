-- Issuers whose users were given to another one, in the order in which that was done: backups from before speak of the old ones.
CREATE TABLE issuer_move (
	seq INTEGER PRIMARY KEY,
	old TEXT    NOT NULL,
	new TEXT    NOT NULL CHECK (new <> old)
) STRICT;

-- 1 = taken off the record. The row stays: receipts are of users, and a user who comes back goes on where they ended. A check here would
-- make SQLite look at every row there is, the triggers look at those that change.
ALTER TABLE organization ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE user         ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;

CREATE TRIGGER user_removed AFTER UPDATE OF removed ON user
WHEN NEW.removed NOT BETWEEN 0 AND 1 OR
	NEW.removed = 1 AND EXISTS (SELECT 1 FROM generation WHERE uid = NEW.uid AND state <> 3)
BEGIN
	SELECT RAISE (ROLLBACK, 'the user has a picture');
END;
