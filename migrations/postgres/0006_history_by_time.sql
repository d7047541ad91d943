-- Each instance asks again and again what others have replaced of late.
CREATE INDEX order_history_replaced_at ON order_history (replaced_at);
