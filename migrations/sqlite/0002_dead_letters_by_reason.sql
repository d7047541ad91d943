-- Lists those of one reason and resolution, and counts the open ones by reason without reading their payloads.
CREATE INDEX dead_letters_resolution_reason ON dead_letters (resolution, reason, id);
