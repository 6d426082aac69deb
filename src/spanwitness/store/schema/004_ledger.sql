-- Who used which model, conversation by conversation: what the ledger of swaps is made from.
ALTER TABLE steps ADD COLUMN IF NOT EXISTS SystemFingerprint LowCardinality(String) AFTER ServedModelSource;

-- By the clock of the engine that forgets them, never by the caller's: a row dated too far back is dropped at once.
ALTER TABLE span_settlements MODIFY COLUMN SettledAt DateTime DEFAULT now();

CREATE OR REPLACE VIEW steps_latest AS
SELECT * FROM steps FINAL
WHERE (TenantId, ConversationId, Revision) IN
    (SELECT TenantId, ConversationId, max(Revision) FROM conversations GROUP BY TenantId, ConversationId);

CREATE TABLE IF NOT EXISTS model_uses
(
    TenantId LowCardinality(String),
    ServiceName LowCardinality(String),
    AgentName LowCardinality(String),
    StepKind LowCardinality(String),
    ConversationId String,
    ModelVersion LowCardinality(String),
    Provider LowCardinality(String),
    RequestedModel LowCardinality(String),
    ServedModel LowCardinality(String),
    SystemFingerprint LowCardinality(String),
    PromptVersion LowCardinality(String),
    AgentVersion LowCardinality(String),
    FirstAt DateTime64(9),
    LastAt DateTime64(9),
    FirstTraceId String,
    Calls UInt32,
    FailedCalls UInt32,
    -- Of its calls, those that came next after a failed call of another model, or went on from there: a fallback.
    CallsAfterFailure UInt32,
    -- 1 for the conversation's first use in the slot, 2 for the next.
    Opening UInt32,
    Revision UInt32,
    -- 1 once a later revision of the conversation has no such use any more.
    Gone UInt8 DEFAULT 0,
    INDEX idx_conversation_id ConversationId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(Revision, Gone)
ORDER BY (TenantId, ServiceName, AgentName, StepKind, ConversationId, ModelVersion, Provider, RequestedModel, ServedModel,
    SystemFingerprint, PromptVersion, AgentVersion)
-- In which insert a row came, kept over merges: what is new since then is known without reading what is old.
SETTINGS non_replicated_deduplication_window = 10000, enable_block_number_column = 1;

-- What closed before this table was there.
INSERT INTO model_uses
SELECT uses.*, row_number() OVER (PARTITION BY TenantId, ServiceName, AgentName, Role, ConversationId
                             ORDER BY first, ModelVersion, Provider, RequestedModel, ServedModel, PromptVersion, AgentVersion),
       revision, 0
FROM (
    SELECT TenantId, ServiceName, AgentName,
           multiIf(StepKind != 'speech', toString(StepKind), Actor = 'customer', 'stt', 'tts') AS Role,
           ConversationId, ModelVersion, Provider, RequestedModel, ServedModel, SystemFingerprint, PromptVersion,
           AgentVersion, min(StartedAt) AS first, max(StartedAt) AS last, argMin(TraceId, (StartedAt, Step)) AS trace,
           count() AS calls, countIf(Status = 'Error') AS failed, 0 AS after_failure
    FROM steps_latest
    WHERE ModelVersion != ''
    GROUP BY TenantId, ServiceName, AgentName, Role, ConversationId, ModelVersion, Provider, RequestedModel, ServedModel,
        SystemFingerprint, PromptVersion, AgentVersion
) AS uses
INNER JOIN (
    SELECT TenantId, ConversationId, max(Revision) AS revision FROM conversations GROUP BY TenantId, ConversationId
) AS revisions USING (TenantId, ConversationId);

-- A swap, beside what stood there before: its short name, how far it has spread, whether it stands, what it did to scores.
ALTER TABLE model_swaps
    ADD COLUMN IF NOT EXISTS SwapId String AFTER Occurrence,
    ADD COLUMN IF NOT EXISTS ShareNow Float64 AFTER ConversationsAfter,
    ADD COLUMN IF NOT EXISTS Traffic LowCardinality(String) AFTER ShareNow,
    -- When the slot had returned; 0 while the change stands.
    ADD COLUMN IF NOT EXISTS EndedAt DateTime64(9) DEFAULT 0 AFTER Traffic,
    ADD COLUMN IF NOT EXISTS DeploymentId String AFTER DeclaredBy,
    -- JSON, by evaluator: means before and after, difference with its 95 % interval, sample sizes.
    ADD COLUMN IF NOT EXISTS ScoreShift String DEFAULT '{}' AFTER Evidence;

-- The names of those that were told before they had one, as model.py makes them: a digest of the key as JSON.
INSERT INTO model_swaps
SELECT * REPLACE (
    lower(left(hex(SHA256(concat('[', arrayStringConcat(arrayMap(
        part -> replaceAll(toJSONString(part), '\\/', '/'),
        [toString(TenantId), toString(ServiceName), toString(AgentName), toString(StepKind), toString(Class),
         toString(FromVersion), toString(ToVersion)]
    ), ','), ',', toString(Occurrence), ']'))), 8)) AS SwapId,
    now64(3) AS UpdatedAt)
FROM (SELECT * FROM model_swaps FINAL WHERE SwapId = '');

-- By which contracts and declarations the whole ledger of a tenant was last judged: digests of them.
CREATE TABLE IF NOT EXISTS ledger_terms
(
    TenantId LowCardinality(String),
    Contracts UInt64,
    Deployments UInt64,
    UpdatedAt DateTime64(3)
)
ENGINE = ReplacingMergeTree(UpdatedAt)
ORDER BY TenantId;

-- Changes that somebody declared.
CREATE TABLE IF NOT EXISTS deployments
(
    TenantId LowCardinality(String),
    DeploymentId String,
    Kind LowCardinality(String),
    ServiceName LowCardinality(String),
    AgentName LowCardinality(String),
    FromVersion LowCardinality(String),
    ToVersion LowCardinality(String),
    ValidFrom DateTime64(3),
    ValidUntil Nullable(DateTime64(3)),
    DeclaredBy String,
    Reason String,
    DeclaredAt DateTime64(3),
    Source LowCardinality(String),
    Withdrawn Bool,
    UpdatedAt DateTime64(3)
)
ENGINE = ReplacingMergeTree(UpdatedAt)
ORDER BY (TenantId, DeploymentId);

-- What was agreed with each tenant, every version of it.
CREATE TABLE IF NOT EXISTS contracts
(
    TenantId LowCardinality(String),
    Version UInt32,
    Name String,
    ValidFrom DateTime64(3),
    ValidUntil Nullable(DateTime64(3)),
    ApprovedModels Array(String),
    Aliases Array(Tuple(Requested String, Served String)),
    MinVerifiedShare Nullable(Float64),
    Evaluators Array(String),
    Thresholds Map(String, Float64),
    NoticeSeconds Float64,
    Source String,
    -- The file as it was, so that nobody has to believe our reading of it.
    Text String,
    RecordedAt DateTime64(3),
    UpdatedAt DateTime64(3)
)
ENGINE = ReplacingMergeTree(UpdatedAt)
ORDER BY (TenantId, Version);

-- What was sent of each alert, to whom.
CREATE TABLE IF NOT EXISTS alerts
(
    TenantId LowCardinality(String),
    SwapId String,
    Receiver LowCardinality(String),
    State LowCardinality(String),
    Severity LowCardinality(String),
    Digest String,
    Attempts UInt32,
    FirstSentAt Nullable(DateTime64(3)),
    SentAt Nullable(DateTime64(3)),
    NextAt DateTime64(3),
    Error String,
    UpdatedAt DateTime64(3)
)
ENGINE = ReplacingMergeTree(UpdatedAt)
ORDER BY (TenantId, SwapId, Receiver);

-- What the watch for disguised swaps counted of each conversation in a slot: habits as numbers, no words of it.
CREATE TABLE IF NOT EXISTS drift_features
(
    TenantId LowCardinality(String),
    ServiceName LowCardinality(String),
    AgentName LowCardinality(String),
    StepKind LowCardinality(String),
    ConversationId String,
    -- 1 for the first conversation that the watch took in of this slot, 2 for the next: the order that it judges in.
    Number UInt64 CODEC(Delta, ZSTD(1)),
    ModelVersion LowCardinality(String),
    PromptVersion LowCardinality(String),
    StartedAt DateTime64(9),
    TraceId String,
    Features String CODEC(ZSTD(3)),
    TakenAt DateTime64(3)
)
ENGINE = ReplacingMergeTree(TakenAt)
ORDER BY (TenantId, ServiceName, AgentName, StepKind, ConversationId);

-- How far the watch is with each model version of a slot. What was taken in after `Number` is read again from above.
CREATE TABLE IF NOT EXISTS drift_states
(
    TenantId LowCardinality(String),
    ServiceName LowCardinality(String),
    AgentName LowCardinality(String),
    StepKind LowCardinality(String),
    ModelVersion LowCardinality(String),
    -- learning, watching or alarmed.
    Phase LowCardinality(String),
    -- Conversations of the reference so far, and how many it is to have.
    Learnt UInt64,
    Needed UInt64,
    Conversations UInt64,
    Number UInt64,
    State String CODEC(ZSTD(3)),
    UpdatedAt DateTime64(3)
)
ENGINE = ReplacingMergeTree(UpdatedAt)
ORDER BY (TenantId, ServiceName, AgentName, StepKind, ModelVersion);
