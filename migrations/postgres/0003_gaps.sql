-- Sequences that a durable subscription skipped. A row is written before any message after it; while it is not lost yet, they
-- may still come, and then it goes.
CREATE TABLE gaps (
    source    text        NOT NULL,
    channel   text        NOT NULL,
    first     bigint      NOT NULL,
    last      bigint      NOT NULL,
    -- Time of the message after the gap: sequences start again at 1 in a new life of the channel.
    before_ns bigint      NOT NULL,
    lost      boolean     NOT NULL,
    seen_at   timestamptz NOT NULL,
    closed_at timestamptz,
    PRIMARY KEY (source, channel, before_ns, first)
);
