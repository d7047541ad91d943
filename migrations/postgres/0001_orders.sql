-- Closed sets (source, outcome, reason, resolution) are written by one enum each in src/store and src/order. Only `resolution`
-- has a CHECK (a later migration drops it by its name and adds a wider one); the other sets grow with the service.
-- *_ns columns are nanoseconds since the Unix epoch.

CREATE TABLE inbox (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id      text COLLATE "C" NOT NULL UNIQUE,
    source          text        NOT NULL,
    channel         text        NOT NULL,
    sequence        bigint      NOT NULL,
    published_at_ns bigint      NOT NULL,
    payload         bytea       NOT NULL,
    received_at     timestamptz NOT NULL DEFAULT now(),
    attempts        integer     NOT NULL DEFAULT 0,
    -- The dead letter that this message is a replay of.
    parent_id       bigint
);
-- Every row of the inbox dies within moments, so vacuum often and never because of the share of dead rows.
ALTER TABLE inbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE dead_letters (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id      text COLLATE "C" NOT NULL UNIQUE,
    source          text        NOT NULL,
    channel         text        NOT NULL,
    sequence        bigint      NOT NULL,
    published_at_ns bigint      NOT NULL,
    order_uid       text,
    reason          text        NOT NULL,
    errors          json        NOT NULL,
    payload         bytea       NOT NULL,
    received_at     timestamptz NOT NULL,
    rejected_at     timestamptz NOT NULL DEFAULT now(),
    resolution      text        NOT NULL DEFAULT 'open'
        CONSTRAINT dead_letters_resolution_known CHECK (resolution IN ('open', 'replayed', 'discarded')),
    resolved_at     timestamptz,
    resolved_by     text,
    note            text,
    parent_id       bigint REFERENCES dead_letters (id)
);
CREATE INDEX dead_letters_resolution ON dead_letters (resolution, id);
CREATE INDEX dead_letters_reason ON dead_letters (reason, id);
CREATE INDEX dead_letters_parent ON dead_letters (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE orders (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_uid          text COLLATE "C" NOT NULL UNIQUE,
    track_number       text   NOT NULL,
    entry              text,
    locale             text,
    internal_signature text,
    customer_id        text,
    delivery_service   text,
    shardkey           text,
    sm_id              bigint,
    date_created       timestamptz,
    oof_shard          text,
    -- The accepted payload, byte for byte.
    document           bytea  NOT NULL,
    message_id         text COLLATE "C" NOT NULL,
    source             text   NOT NULL,
    channel            text   NOT NULL,
    sequence           bigint NOT NULL,
    published_at_ns    bigint NOT NULL,
    updated_at         timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE deliveries (
    order_id bigint PRIMARY KEY REFERENCES orders (id),
    name     text,
    phone    text,
    zip      text,
    city     text,
    address  text,
    region   text,
    email    text
);

CREATE TABLE payments (
    order_id      bigint PRIMARY KEY REFERENCES orders (id),
    transaction   text,
    request_id    text,
    currency      text,
    provider      text,
    amount        bigint,
    payment_dt    bigint,
    bank          text,
    delivery_cost bigint,
    goods_total   bigint,
    custom_fee    bigint
);

CREATE TABLE items (
    order_id     bigint  NOT NULL REFERENCES orders (id),
    -- From 0, as in the document.
    position     integer NOT NULL,
    chrt_id      bigint,
    track_number text,
    price        numeric,
    rid          text,
    name         text,
    sale         bigint,
    size         text,
    total_price  numeric,
    nm_id        bigint,
    brand        text,
    status       bigint,
    PRIMARY KEY (order_id, position)
);

CREATE TABLE order_history (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_uid       text COLLATE "C" NOT NULL,
    message_id      text COLLATE "C" NOT NULL UNIQUE,
    source          text        NOT NULL,
    channel         text        NOT NULL,
    sequence        bigint      NOT NULL,
    published_at_ns bigint      NOT NULL,
    document        bytea       NOT NULL,
    replaced_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX order_history_order_uid ON order_history (order_uid, id);

-- One row a shard, so that lanes and instances do not queue on one row.
CREATE TABLE ledger (
    source   text     NOT NULL,
    channel  text     NOT NULL,
    shard    smallint NOT NULL,
    -- `received`, or what settling the message did.
    outcome  text     NOT NULL,
    messages bigint   NOT NULL,
    PRIMARY KEY (source, channel, shard, outcome)
) WITH (fillfactor = 50);

CREATE TABLE channels (
    source               text   NOT NULL,
    channel              text   NOT NULL,
    last_sequence        bigint NOT NULL,
    last_published_at_ns bigint NOT NULL,
    PRIMARY KEY (source, channel)
) WITH (fillfactor = 50);
