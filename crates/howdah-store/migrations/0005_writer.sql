-- One row: the number of the service that opened the database last. It counts up at each start, and
-- an older service that still runs is refused by it: the lock beside the file is of one machine only,
-- and whoever removes it frees it.
CREATE TABLE writer (
    one   INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    epoch INTEGER NOT NULL
) STRICT;
INSERT INTO writer (one, epoch) VALUES (1, 0);
