-- Sequences that a durable subscription skipped. A row is written before any message after it; while it is not lost yet, they
-- may still come, and then it goes.
CREATE TABLE gaps (
    source    TEXT    NOT NULL,
    channel   TEXT    NOT NULL,
    first     INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    -- Time of the message after the gap: sequences start again at 1 in a new life of the channel.
    before_ns INTEGER NOT NULL,
    lost      INTEGER NOT NULL,
    seen_at   TEXT    NOT NULL,
    closed_at TEXT,
    PRIMARY KEY (source, channel, before_ns, first)
) STRICT, WITHOUT ROWID;
