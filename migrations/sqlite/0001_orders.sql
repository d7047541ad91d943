-- Closed sets (source, outcome, reason, resolution) are written by one enum each in src/store and src/order. Only `resolution`
-- has a CHECK: SQLite cannot change a CHECK without rebuilding the table, and the other sets grow with the service.
-- Times are RFC 3339 in UTC, as text that sorts by time; *_ns columns are nanoseconds since the Unix epoch.

CREATE TABLE inbox (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id      TEXT    NOT NULL UNIQUE,
    source          TEXT    NOT NULL,
    channel         TEXT    NOT NULL,
    sequence        INTEGER NOT NULL,
    published_at_ns INTEGER NOT NULL,
    payload         BLOB    NOT NULL,
    received_at     TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    attempts        INTEGER NOT NULL DEFAULT 0,
    -- The dead letter that this message is a replay of.
    parent_id       INTEGER
) STRICT;

CREATE TABLE dead_letters (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id      TEXT    NOT NULL UNIQUE,
    source          TEXT    NOT NULL,
    channel         TEXT    NOT NULL,
    sequence        INTEGER NOT NULL,
    published_at_ns INTEGER NOT NULL,
    order_uid       TEXT,
    reason          TEXT    NOT NULL,
    errors          TEXT    NOT NULL,
    payload         BLOB    NOT NULL,
    received_at     TEXT    NOT NULL,
    rejected_at     TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    resolution      TEXT    NOT NULL DEFAULT 'open' CHECK (resolution IN ('open', 'replayed', 'discarded')),
    resolved_at     TEXT,
    resolved_by     TEXT,
    note            TEXT,
    parent_id       INTEGER REFERENCES dead_letters (id)
) STRICT;
CREATE INDEX dead_letters_resolution ON dead_letters (resolution, id);
CREATE INDEX dead_letters_reason ON dead_letters (reason, id);
CREATE INDEX dead_letters_parent ON dead_letters (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE orders (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    order_uid          TEXT    NOT NULL UNIQUE,
    track_number       TEXT    NOT NULL,
    entry              TEXT,
    locale             TEXT,
    internal_signature TEXT,
    customer_id        TEXT,
    delivery_service   TEXT,
    shardkey           TEXT,
    sm_id              INTEGER,
    date_created       TEXT,
    oof_shard          TEXT,
    -- The accepted payload, byte for byte.
    document           BLOB    NOT NULL,
    message_id         TEXT    NOT NULL,
    source             TEXT    NOT NULL,
    channel            TEXT    NOT NULL,
    sequence           INTEGER NOT NULL,
    published_at_ns    INTEGER NOT NULL,
    updated_at         TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;

CREATE TABLE deliveries (
    order_id INTEGER PRIMARY KEY REFERENCES orders (id),
    name     TEXT,
    phone    TEXT,
    zip      TEXT,
    city     TEXT,
    address  TEXT,
    region   TEXT,
    email    TEXT
) STRICT;

CREATE TABLE payments (
    order_id      INTEGER PRIMARY KEY REFERENCES orders (id),
    "transaction" TEXT,
    request_id    TEXT,
    currency      TEXT,
    provider      TEXT,
    amount        INTEGER,
    payment_dt    INTEGER,
    bank          TEXT,
    delivery_cost INTEGER,
    goods_total   INTEGER,
    custom_fee    INTEGER
) STRICT;

-- Prices are the literals of the document: SQLite has no decimals.
CREATE TABLE items (
    order_id     INTEGER NOT NULL REFERENCES orders (id),
    -- From 0, as in the document.
    position     INTEGER NOT NULL,
    chrt_id      INTEGER,
    track_number TEXT,
    price        TEXT,
    rid          TEXT,
    name         TEXT,
    sale         INTEGER,
    size         TEXT,
    total_price  TEXT,
    nm_id        INTEGER,
    brand        TEXT,
    status       INTEGER,
    PRIMARY KEY (order_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE order_history (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    order_uid       TEXT    NOT NULL,
    message_id      TEXT    NOT NULL UNIQUE,
    source          TEXT    NOT NULL,
    channel         TEXT    NOT NULL,
    sequence        INTEGER NOT NULL,
    published_at_ns INTEGER NOT NULL,
    document        BLOB    NOT NULL,
    replaced_at     TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE INDEX order_history_order_uid ON order_history (order_uid, id);

-- One row a shard, so that instances do not queue on one row.
CREATE TABLE ledger (
    source   TEXT    NOT NULL,
    channel  TEXT    NOT NULL,
    shard    INTEGER NOT NULL,
    -- `received`, or what settling the message did.
    outcome  TEXT    NOT NULL,
    messages INTEGER NOT NULL,
    PRIMARY KEY (source, channel, shard, outcome)
) STRICT, WITHOUT ROWID;

CREATE TABLE channels (
    source               TEXT    NOT NULL,
    channel              TEXT    NOT NULL,
    last_sequence        INTEGER NOT NULL,
    last_published_at_ns INTEGER NOT NULL,
    PRIMARY KEY (source, channel)
) STRICT, WITHOUT ROWID;
