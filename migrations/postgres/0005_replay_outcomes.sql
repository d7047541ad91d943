-- What a replay became is written to the dead letter that was replayed: what the orders say of it changes with the next message.
ALTER TABLE dead_letters ADD COLUMN replay_outcome text
    CONSTRAINT dead_letters_replay_outcome_known
    CHECK (replay_outcome IN ('applied', 'replaced', 'unchanged', 'outdated', 'rejected'));
ALTER TABLE dead_letters ADD COLUMN replay_order_uid text;
-- Whether it has other bytes than the dead letter.
ALTER TABLE dead_letters ADD COLUMN replay_edited boolean;

-- Of earlier ones as much as there is to be found.
UPDATE dead_letters SET (replay_outcome, replay_order_uid) = (
    SELECT outcome, order_uid FROM (
        SELECT 1 AS place, 'rejected' AS outcome, NULL AS order_uid FROM dead_letters AS again
            WHERE again.message_id = 'replay:' || dead_letters.id || '.1'
        UNION ALL SELECT 2, 'applied', order_uid FROM orders
            WHERE source = 'replay' AND message_id = 'replay:' || dead_letters.id || '.1'
        UNION ALL SELECT 3, 'outdated', order_uid FROM order_history
            WHERE message_id = 'replay:' || dead_letters.id || '.1'
        UNION ALL SELECT 4, 'unchanged', NULL
    ) AS found ORDER BY place LIMIT 1)
WHERE resolution = 'replayed'
    AND NOT EXISTS (SELECT 1 FROM inbox WHERE inbox.message_id = 'replay:' || dead_letters.id || '.1');

DROP INDEX orders_replay;
