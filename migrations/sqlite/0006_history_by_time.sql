CREATE INDEX order_history_replaced_at ON order_history (replaced_at);
-- Where the first versions of this service noted how far a file has come: without it they do not take the file for theirs.
DROP TABLE IF EXISTS _sqlx_migrations;
