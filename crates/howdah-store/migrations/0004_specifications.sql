-- The fields of a cluster's specification stood in its record in clear; they are among the secrets
-- now. Moving them needs the key, so it is not done here but when the database is opened: one row
-- says that it was done, and that the file was written anew afterwards.
CREATE TABLE specifications_sealed (
    one  INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    done INTEGER NOT NULL
) STRICT;
