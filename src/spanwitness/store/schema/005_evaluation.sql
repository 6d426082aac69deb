-- What a judge's verdict rests on, and verdicts given again: 0 for the first, 1 for the next by the same evaluator.
ALTER TABLE scores
    ADD COLUMN IF NOT EXISTS JudgeModel LowCardinality(String) AFTER Judge,
    ADD COLUMN IF NOT EXISTS JudgePrompt LowCardinality(String) AFTER JudgeModel,
    ADD COLUMN IF NOT EXISTS JudgeInputTokens UInt32 AFTER CostUsd,
    ADD COLUMN IF NOT EXISTS JudgeOutputTokens UInt32 AFTER JudgeInputTokens,
    ADD COLUMN IF NOT EXISTS JudgeLatencyMs UInt32 AFTER JudgeOutputTokens,
    ADD COLUMN IF NOT EXISTS Scoring UInt32,
    ADD INDEX IF NOT EXISTS idx_scored_at ScoredAt TYPE minmax GRANULARITY 1,
    MODIFY ORDER BY (TenantId, ConversationId, Revision, Evaluator, EvaluatorVersion, Judge, Scoring);

-- Of the newest revision, and of each evaluator and judge the last verdict. Scoring runs without holes, so that what was
-- given again is named by what came after it.
CREATE OR REPLACE VIEW scores_latest AS
SELECT * FROM scores FINAL
WHERE (TenantId, ConversationId, Revision) IN
    (SELECT TenantId, ConversationId, max(Revision) FROM conversations GROUP BY TenantId, ConversationId)
  AND (TenantId, ConversationId, Revision, Evaluator, Judge, Scoring) NOT IN
    (SELECT TenantId, ConversationId, Revision, Evaluator, Judge, toUInt32(Scoring - 1) FROM scores WHERE Scoring > 0);

-- What a judge is still to score, or has: one line for each conversation, evaluator and judge.
CREATE TABLE IF NOT EXISTS judge_tasks
(
    TenantId LowCardinality(String),
    ConversationId String,
    Revision UInt32,
    Evaluator LowCardinality(String),
    Judge LowCardinality(String),
    Scoring UInt32,
    -- waiting, done, or given_up after the last attempt.
    State LowCardinality(String),
    Threshold Nullable(Float64),
    Attempts UInt32,
    AskedAt DateTime64(3),
    NextAt DateTime64(3),
    Error String,
    UpdatedAt DateTime64(3),
    INDEX idx_state State TYPE set(4) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(UpdatedAt)
ORDER BY (TenantId, ConversationId, Revision, Evaluator, Judge, Scoring)
SETTINGS non_replicated_deduplication_window = 10000;

-- Every call of a judge: what it cost, which model answered, and the answer, for who asks the same again.
CREATE TABLE IF NOT EXISTS judge_calls
(
    TenantId LowCardinality(String),
    CalledAt DateTime64(3),
    CallId String,
    ConversationId String,
    Evaluator LowCardinality(String),
    Judge LowCardinality(String),
    JudgeModel LowCardinality(String),
    JudgePrompt LowCardinality(String),
    -- Digest of all that was sent.
    Content String,
    -- JSON, of how that was: url (scheme, host and port), url_digest (of all of it), format, temperature, redacted, limit
    -- (characters of a tool result).
    Asked String CODEC(ZSTD(3)),
    -- answered, unusable, refused, limited, timeout, unreachable or error.
    Outcome LowCardinality(String),
    InputTokens UInt32,
    OutputTokens UInt32,
    CostUsd Float64,
    LatencyMs UInt32,
    -- JSON, of those that were answered.
    Answer String CODEC(ZSTD(3)),
    INDEX idx_content Content TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_conversation_id ConversationId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY (TenantId, CalledAt, CallId)
SETTINGS non_replicated_deduplication_window = 10000;

-- Scores that came after those of their revision had gone to the next hop: each its own row, dated by when it was given.
ALTER TABLE forwarded_scores
    ADD COLUMN IF NOT EXISTS Evaluator LowCardinality(String),
    ADD COLUMN IF NOT EXISTS Judge LowCardinality(String),
    ADD COLUMN IF NOT EXISTS Scoring UInt32,
    -- A judge's failure is followed by its verdict, in its place.
    ADD COLUMN IF NOT EXISTS Failed UInt8,
    MODIFY ORDER BY (TenantId, ConversationId, Revision, Evaluator, Judge, Scoring, Failed);

-- Models of the calibrated mode, fitted on a tenant's own labels, with the figures that let them in.
CREATE TABLE IF NOT EXISTS calibrations
(
    TenantId LowCardinality(String),
    Evaluator LowCardinality(String),
    Version UInt32,
    ValidFrom DateTime64(3),
    EvaluatorVersion LowCardinality(String),
    Labels UInt32,
    Positives UInt32,
    Groups UInt32,
    Auc Float64,
    AucLow Float64,
    AucHigh Float64,
    Bar Float64,
    -- JSON: what is measured of a conversation, and its weight.
    Model String,
    Source String,
    UpdatedAt DateTime64(3)
)
ENGINE = ReplacingMergeTree(UpdatedAt)
ORDER BY (TenantId, Evaluator, Version);

-- What a contract says of evaluators, beside what stood there before.
ALTER TABLE contracts
    ADD COLUMN IF NOT EXISTS Judged Array(String) AFTER Thresholds,
    -- JSON, by evaluator.
    ADD COLUMN IF NOT EXISTS Parameters String DEFAULT '{}' AFTER Judged,
    -- JSON, by channel: evaluators, thresholds, judged.
    ADD COLUMN IF NOT EXISTS Channels String DEFAULT '{}' AFTER Parameters;
