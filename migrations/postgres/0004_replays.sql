-- What became of a replay is looked up by its message_id; replays are few, so these cost other messages nothing. (A document
-- of the history is found by its unique message_id.) Dead letters of one uid are listed newest first.
CREATE INDEX orders_replay ON orders (message_id) WHERE source = 'replay';
CREATE INDEX dead_letters_order_uid ON dead_letters (order_uid, id) WHERE order_uid IS NOT NULL;
