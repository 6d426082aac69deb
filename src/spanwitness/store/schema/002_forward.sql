-- Which revisions of conversations have had their scores sent to the next hop. Read beside `conversations`, so that what
-- a process did not get to before it was killed is found by the next one. The row without a conversation is a mark: what
-- closed before its ClosedAt needs no look any more.
CREATE TABLE IF NOT EXISTS forwarded_scores
(
    TenantId LowCardinality(String),
    ConversationId String,
    Revision UInt32,
    ClosedAt DateTime64(3),
    ForwardedAt DateTime64(3)
)
ENGINE = ReplacingMergeTree(ForwardedAt)
ORDER BY (TenantId, ConversationId, Revision)
SETTINGS non_replicated_deduplication_window = 10000;
