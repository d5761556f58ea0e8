-- Ends. An organisation that has ended is removed as well; one that is ended and not removed is ending: it takes no new users. A user who has
-- ended is always removed. Programs of before know only removed.
ALTER TABLE organization ADD COLUMN ended boolean NOT NULL DEFAULT false;
ALTER TABLE person ADD COLUMN ended boolean NOT NULL DEFAULT false;

-- It holds for every row, which all have the default, so nobody has to look at them.
ALTER TABLE person ADD CONSTRAINT person_ended CHECK (removed OR NOT ended) NOT VALID;

-- What a program of before would do, which runs beside this one: register in an organisation that is ending, or bring back one that has ended. An
-- import brings records in any order, and settles them at its end.
CREATE FUNCTION refuse_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT (SELECT importing FROM avatard.schema_version) THEN
    IF TG_TABLE_NAME = 'organization' THEN
      RAISE EXCEPTION 'the organisation has ended' USING ERRCODE = 'check_violation';
    ELSIF EXISTS (SELECT FROM avatard.organization WHERE id = NEW.org AND ended) THEN
      RAISE EXCEPTION 'the organisation takes no new users' USING ERRCODE = 'check_violation';
    END IF;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER organization_back BEFORE UPDATE OF removed ON organization FOR EACH ROW
  WHEN (OLD.removed AND OLD.ended AND NEW.ended AND NOT NEW.removed) EXECUTE FUNCTION refuse_ended();
CREATE TRIGGER person_new BEFORE INSERT ON person FOR EACH ROW
  WHEN (NOT NEW.removed) EXECUTE FUNCTION refuse_ended();
CREATE TRIGGER person_again BEFORE UPDATE OF org, removed ON person FOR EACH ROW
  WHEN (NOT NEW.removed AND (OLD.removed OR OLD.org <> NEW.org)) EXECUTE FUNCTION refuse_ended();

-- Receipts know organisation and caller of the change that erased. A program of before leaves them out. caller and what follows go when the
-- trail of that time goes.
ALTER TABLE work
  ADD COLUMN org        text COLLATE "C",
  ADD COLUMN caller     text,
  ADD COLUMN caller_org text,
  ADD COLUMN request    text;
ALTER TABLE receipt
  ADD COLUMN org        text COLLATE "C",
  ADD COLUMN caller     text,
  ADD COLUMN caller_org text,
  ADD COLUMN request    text;

-- For lists, which do not have to look at all who have ended, and for exports, which do. Only registrations, moves and ends change those of
-- people. In a large store nobody waits for them: index.go makes them beside those who serve.
CREATE INDEX organization_there ON organization (id) WHERE NOT removed;
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM person OFFSET 20000) AND NOT EXISTS (SELECT FROM receipt OFFSET 20000) THEN
    CREATE INDEX person_there ON person (id, iid) WHERE NOT removed;
    CREATE INDEX person_org_there ON person (org, id) WHERE NOT removed;
    CREATE INDEX person_ended ON person (uid) WHERE ended;
    CREATE INDEX receipt_uid ON receipt (uid, n);
    DROP INDEX person_org;
  END IF;
END $$;

-- The log of receipts, see package receiptlog. Receipts get their places behind the calls that erase, many at once. Their texts stay where they
-- are; what is here is what a leaf takes beside them, and the hashes lie apart. A receipt that has a place cannot be removed without it: retention
-- takes everything off the place first, and leaves the place. A program of before does not, so its passes remove no such receipt.
CREATE TABLE receipt_log (
  place        bigint PRIMARY KEY CHECK (place >= 0),
  receipt      bigint UNIQUE REFERENCES receipt,
  issuer       text COLLATE "C", -- as it was when the receipt was sealed: its users may be given to another one
  user_salt    bytea CHECK (length(user_salt) = 32),
  caller_salt  bytea CHECK (length(caller_salt) = 32), -- it goes with the texts, as does the next one
  request_salt bytea CHECK (length(request_salt) = 32),
  caller       bytea CHECK (length(caller) = 32), -- digests, which stay
  request      bytea CHECK (length(request) = 32),
  CHECK (num_nonnulls(receipt, issuer, user_salt, caller, request) IN (0, 5))
);
CREATE TABLE receipt_hash (
  number bigint PRIMARY KEY,
  hash   bytea NOT NULL CHECK (length(hash) = 32)
);

-- The head of the log, and how far sealing has come: every receipt up to mark has a place, but for those in late, whose erasures were not done.
-- All else is NULL until the log begins. secret is the private key, wrapped as keys of pictures are.
CREATE TABLE receipt_head (
  one      boolean PRIMARY KEY DEFAULT true CHECK (one),
  mark     bigint NOT NULL DEFAULT 0,
  late     bigint[] NOT NULL DEFAULT '{}',
  key      text,
  secret   bytea,
  frontier bytea,
  head     text,
  CHECK (num_nonnulls(key, secret, frontier, head) IN (0, 4))
);
INSERT INTO receipt_head DEFAULT VALUES;

-- Receipts of before this time may have lost caller and request for their age.
ALTER TABLE installation ADD COLUMN forgotten timestamptz;
