-- A create that failed before anything was made does not hold its name any more: whether a cluster
-- holds it is written with its state. Those that are there hold theirs until their states are written
-- the next time.
ALTER TABLE clusters ADD COLUMN holds_name INTEGER NOT NULL DEFAULT 1;
DROP INDEX clusters_name;
CREATE UNIQUE INDEX clusters_name ON clusters (site, name) WHERE removed IS NULL AND holds_name = 1;
