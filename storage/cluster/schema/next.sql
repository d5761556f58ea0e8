-- What a release may add, for proofs of servers that are replaced one by one: columns that the program before does not name, in the tables that
-- every change writes, and an index.
ALTER TABLE person ADD COLUMN added text;
ALTER TABLE work ADD COLUMN added bigint NOT NULL DEFAULT 0;
ALTER TABLE receipt ADD COLUMN added text;
CREATE INDEX person_added ON person (added) WHERE added IS NOT NULL;
