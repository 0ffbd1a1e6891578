-- A cluster's id is its caller's choice, so it is unique in its project only: (project, id) is
-- the key of everything that belongs to a cluster. The id comes first in the indexes, because
-- clusters are also looked up by id alone. SQLite cannot change a primary key: each table is
-- made anew and filled from the old one.

ALTER TABLE clusters RENAME TO old_clusters;
ALTER TABLE events RENAME TO old_events;
ALTER TABLE capabilities RENAME TO old_capabilities;
ALTER TABLE secrets RENAME TO old_secrets;
ALTER TABLE registrations RENAME TO old_registrations;
DROP INDEX clusters_name;
DROP INDEX clusters_project;
DROP INDEX clusters_removed;

CREATE TABLE clusters (
    id         TEXT    NOT NULL,
    project    TEXT    NOT NULL,
    site       TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    created    INTEGER NOT NULL,
    removed    INTEGER,
    last_event INTEGER NOT NULL DEFAULT 0,
    record     TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    PRIMARY KEY (id, project)
) STRICT;
INSERT INTO clusters (id, project, site, name, created, removed, last_event, record, state)
SELECT id, project, site, name, created, removed, last_event, record, state FROM old_clusters;

CREATE UNIQUE INDEX clusters_name ON clusters (site, name) WHERE removed IS NULL;
CREATE INDEX clusters_project ON clusters (project) WHERE removed IS NULL;
CREATE INDEX clusters_removed ON clusters (removed) WHERE removed IS NOT NULL;

CREATE TABLE events (
    id      TEXT    NOT NULL,
    project TEXT    NOT NULL,
    number  INTEGER NOT NULL,
    event   TEXT    NOT NULL,
    PRIMARY KEY (id, project, number),
    FOREIGN KEY (id, project) REFERENCES clusters (id, project) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO events (id, project, number, event)
SELECT c.id, c.project, e.number, e.event FROM old_events e JOIN old_clusters c ON c.id = e.cluster;

CREATE TABLE capabilities (
    id      TEXT    NOT NULL,
    project TEXT    NOT NULL,
    hash    BLOB    NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (id, project, hash),
    FOREIGN KEY (id, project) REFERENCES clusters (id, project) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO capabilities (id, project, hash, created)
SELECT c.id, c.project, h.hash, h.created FROM old_capabilities h JOIN old_clusters c ON c.id = h.cluster;

CREATE TABLE secrets (
    id      TEXT NOT NULL,
    project TEXT NOT NULL,
    sealed  BLOB NOT NULL,
    PRIMARY KEY (id, project),
    FOREIGN KEY (id, project) REFERENCES clusters (id, project) ON DELETE CASCADE
) STRICT;
INSERT INTO secrets (id, project, sealed)
SELECT c.id, c.project, s.sealed FROM old_secrets s JOIN old_clusters c ON c.id = s.cluster;

-- A registration is a document now: it names the clusters that use it, which were to be read
-- from the clusters' states so far. A state that is no JSON names nothing.
CREATE TABLE registrations (
    site     TEXT NOT NULL,
    name     TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (site, name)
) STRICT, WITHOUT ROWID;
INSERT INTO registrations (site, name, document)
SELECT site, name, json_object(
    'v', 2,
    'name', name,
    'port_group', port_group,
    'users', (
        SELECT json_group_array(json_object('project', c.project, 'id', c.id))
        FROM old_clusters c
        WHERE c.removed IS NULL
        AND c.site = r.site
        AND CASE WHEN json_valid(c.state) THEN c.state ->> '$.registration' END = r.name
    )
) FROM old_registrations r;

DROP TABLE old_events;
DROP TABLE old_capabilities;
DROP TABLE old_secrets;
DROP TABLE old_registrations;
DROP TABLE old_clusters;

-- One row that is written to see whether a change could be kept.
CREATE TABLE health (
    one     INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    written INTEGER NOT NULL
) STRICT;
