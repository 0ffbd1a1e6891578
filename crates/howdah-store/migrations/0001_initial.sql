-- A cluster: JSON documents, and columns for what is looked up. `removed` is set when the
-- cluster is gone everywhere; the row then stays for a while as a tombstone, so that its last
-- events can still be read. Times are microseconds since 1970.
CREATE TABLE clusters (
    id         TEXT    NOT NULL PRIMARY KEY,
    site       TEXT    NOT NULL,
    project    TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    created    INTEGER NOT NULL,
    removed    INTEGER,
    last_event INTEGER NOT NULL DEFAULT 0,
    record     TEXT    NOT NULL,
    state      TEXT    NOT NULL
) STRICT;

-- A name is free again as soon as its cluster is gone.
CREATE UNIQUE INDEX clusters_name ON clusters (site, name) WHERE removed IS NULL;
CREATE INDEX clusters_project ON clusters (project) WHERE removed IS NULL;
CREATE INDEX clusters_removed ON clusters (removed) WHERE removed IS NOT NULL;

-- Numbered from 1 in each cluster, without gaps at the time of writing.
CREATE TABLE events (
    cluster TEXT    NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    number  INTEGER NOT NULL,
    event   TEXT    NOT NULL,
    PRIMARY KEY (cluster, number)
) STRICT, WITHOUT ROWID;

-- SHA-256 of the read capabilities that were handed out.
CREATE TABLE capabilities (
    cluster TEXT    NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    hash    BLOB    NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (cluster, hash)
) STRICT, WITHOUT ROWID;

-- Sealed: nonce, ciphertext, tag.
CREATE TABLE secrets (
    cluster TEXT NOT NULL PRIMARY KEY REFERENCES clusters (id) ON DELETE CASCADE,
    sealed  BLOB NOT NULL
) STRICT;

-- Network registrations in a site's cluster manager that this service made.
CREATE TABLE registrations (
    site       TEXT NOT NULL,
    name       TEXT NOT NULL,
    port_group TEXT NOT NULL,
    PRIMARY KEY (site, name)
) STRICT, WITHOUT ROWID;

-- One row: a known text, sealed, by which a wrong key file is recognised at start.
CREATE TABLE key_check (
    one    INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    sealed BLOB    NOT NULL
) STRICT;
