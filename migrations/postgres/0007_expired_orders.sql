-- By these an instance hears that another has deleted an order that it may have in its cache; they are kept for some minutes.
CREATE TABLE expired_orders (
    order_id   bigint PRIMARY KEY,
    order_uid  text COLLATE "C" NOT NULL,
    expired_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX expired_orders_expired_at ON expired_orders (expired_at);
