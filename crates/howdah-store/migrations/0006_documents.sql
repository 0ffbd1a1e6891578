-- All documents but the record stand in one table, by owner, kind and name; a row of `clusters` has what
-- is searched for, a version that counts its changes, and what its project's limits add up.

CREATE TABLE documents (
    owner TEXT NOT NULL,
    kind  TEXT NOT NULL,
    name  TEXT NOT NULL,
    text  TEXT NOT NULL,
    PRIMARY KEY (owner, kind, name)
) STRICT;
INSERT INTO documents (owner, kind, name, text)
SELECT 'cluster/' || id || '/' || project, 'state', '', state FROM clusters;
INSERT INTO documents (owner, kind, name, text)
SELECT 'cluster/' || id || '/' || project, 'secrets', '', lower(hex(sealed)) FROM secrets;
INSERT INTO documents (owner, kind, name, text)
SELECT 'cluster/' || id || '/' || project, 'capability', lower(hex(hash)), '' FROM capabilities;
INSERT INTO documents (owner, kind, name, text)
SELECT 'site/' || site, 'registration', name, document FROM registrations;
DROP TABLE secrets;
DROP TABLE capabilities;
DROP TABLE registrations;
DROP TABLE health;

ALTER TABLE clusters ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE clusters ADD COLUMN nodes INTEGER NOT NULL DEFAULT 1;
ALTER TABLE clusters ADD COLUMN creates INTEGER NOT NULL DEFAULT 0;
-- As `howdah_core::usage` counts. A row that is no JSON counts as one node.
UPDATE clusters SET
    nodes = max(
        coalesce(
            (
                SELECT sum(value ->> '$.count')
                FROM json_each(record, CASE WHEN record ->> '$.shape' IS NULL THEN '$.spec' ELSE '$.shape' END || '.node_groups')
            ),
            record ->> '$.spec.specification.nodes',
            1
        ),
        (SELECT count(*) FROM json_each(state, '$.nodes'))
    ),
    creates = coalesce(record ->> '$.operation.kind' = 'create', FALSE) AND NOT (
        coalesce(state ->> '$.operation.id' = record ->> '$.operation.id', FALSE)
        AND coalesce(state ->> '$.operation.state', 'running') <> 'running'
    )
WHERE json_valid(record) AND json_valid(state);
ALTER TABLE clusters DROP COLUMN state;

DROP INDEX clusters_project;
CREATE INDEX clusters_project ON clusters (project, id, removed, nodes, creates) WHERE removed IS NULL;
