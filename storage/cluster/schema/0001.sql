-- The installation: the id of the store, which backups carry on; the id that its bucket holds, too; the key from which the names of
-- people's folders are made; and the largest number of a receipt that was removed for its age, all of them from before the horizon.
CREATE TABLE installation (
  one        boolean PRIMARY KEY DEFAULT true CHECK (one),
  id         bytea NOT NULL CHECK (length(id) = 16),
  bucket_id  bytea NOT NULL CHECK (length(bucket_id) = 16),
  folder_key bytea NOT NULL CHECK (length(folder_key) = 32),
  pruned     bigint NOT NULL DEFAULT 0,
  horizon    timestamptz
);

-- An issuer's users name its row. folder is the address that it had at first, for names in the bucket: those stay when the
-- address changes, and are never those of another issuer.
CREATE TABLE issuer (
  iid    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  url    text COLLATE "C" NOT NULL UNIQUE,
  folder text COLLATE "C" NOT NULL UNIQUE
);

CREATE TABLE issuer_move (
  n        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  from_url text COLLATE "C" NOT NULL,
  to_url   text COLLATE "C" NOT NULL
);

CREATE TABLE organization (
  id         text COLLATE "C" PRIMARY KEY,
  created_at timestamptz NOT NULL,
  removed    boolean NOT NULL DEFAULT false
);

-- A person, with their picture: so nobody can have two. Every change of a row asks that nobody has claimed it; a change of several
-- steps claims it with its first one, until the claim is given up or its time is over. No index has a column that
-- uploads and deletes change, and pages have room for the next version of a row: both keep those updates in place (HOT).
CREATE TABLE person (
  uid        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  iid        bigint NOT NULL REFERENCES issuer,
  id         text COLLATE "C" NOT NULL,
  org        text COLLATE "C" NOT NULL REFERENCES organization,
  sequence   bigint NOT NULL CHECK (sequence > 0),
  created_at timestamptz NOT NULL,
  changed_at timestamptz NOT NULL,
  removed    boolean NOT NULL DEFAULT false,
  receipt    bytea CHECK (length(receipt) = 16),
  gen        bytea CHECK (length(gen) = 16),
  key        bytea,
  version    text COLLATE "C",
  format     smallint,
  size       integer,
  claim      bytea CHECK (length(claim) = 16),
  claim_due  timestamptz,
  UNIQUE (id, iid),
  CHECK ((gen IS NULL) = (key IS NULL) AND (gen IS NULL) = (version IS NULL) AND (gen IS NULL) = (format IS NULL) AND (gen IS NULL) = (size IS NULL)),
  CHECK ((claim IS NULL) = (claim_due IS NULL)),
  CHECK (NOT removed OR gen IS NULL)
) WITH (fillfactor = 80);
CREATE INDEX person_org ON person (org, id);
CREATE INDEX person_iid ON person (iid);

-- What is to be done in the bucket: 1 = an upload is under way, which is given up when it is due; 3 = to be erased; 4 = erased, and
-- to be looked at again, because a request that was given up may arrive late. reason is that of the receipt.
CREATE TABLE work (
  gen      bytea PRIMARY KEY CHECK (length(gen) = 16),
  uid      bigint NOT NULL REFERENCES person,
  state    smallint NOT NULL CHECK (state IN (1, 3, 4)),
  reason   smallint NOT NULL,
  version  text COLLATE "C",
  n        bigint, -- of the receipt that is to come
  begun_at timestamptz NOT NULL,
  due      timestamptz NOT NULL,
  tries    integer NOT NULL DEFAULT 0,
  CHECK ((state = 3) = (n IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX work_uid ON work (uid);
CREATE INDEX work_due ON work (due);

-- Proofs of erasures. Rows come when the erasure is done, and stay. Their numbers are given by the intent, after it has locked a row: so
-- a transaction that has a number is one that others see as running, and an export knows when no lower number can come any more.
CREATE SEQUENCE receipt_number;
CREATE TABLE receipt (
  n         bigint PRIMARY KEY,
  gen       bytea NOT NULL UNIQUE CHECK (length(gen) = 16),
  uid       bigint NOT NULL REFERENCES person,
  reason    smallint NOT NULL,
  begun_at  timestamptz NOT NULL,
  erased_at timestamptz NOT NULL
);

CREATE TABLE audit (
  n          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at         timestamptz NOT NULL,
  action     text NOT NULL,
  result     text NOT NULL,
  caller     text NOT NULL,
  caller_org text NOT NULL,
  org        text NOT NULL,
  target     text NOT NULL,
  request    text NOT NULL,
  dropped    bigint NOT NULL DEFAULT 0,
  refusal    boolean NOT NULL DEFAULT false
);
CREATE INDEX audit_refusal ON audit (n) WHERE refusal;
