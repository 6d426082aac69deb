-- The record. Tables are a public interface: names and types here are a promise to the people who query them.

CREATE TABLE IF NOT EXISTS otel_traces
(
    -- As the OpenTelemetry Collector's ClickHouse exporter has it, so that Grafana and HyperDX work as they are.
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TraceId String,
    SpanId String,
    ParentSpanId String,
    TraceState String,
    SpanName LowCardinality(String),
    SpanKind LowCardinality(String),
    ServiceName LowCardinality(String),
    ResourceAttributes Map(LowCardinality(String), String),
    ScopeName String,
    ScopeVersion String,
    SpanAttributes Map(LowCardinality(String), String),
    Duration UInt64 CODEC(T64, ZSTD(1)),
    StatusCode LowCardinality(String),
    StatusMessage String,
    Events Nested (
        Timestamp DateTime64(9),
        Name LowCardinality(String),
        Attributes Map(LowCardinality(String), String)
    ),
    Links Nested (
        TraceId String,
        SpanId String,
        TraceState String,
        Attributes Map(LowCardinality(String), String)
    ),
    -- The tags.
    TenantId LowCardinality(String),
    ConversationId String,
    ConversationIdSource LowCardinality(String),
    TrajectoryStep UInt32,
    StepKind LowCardinality(String),
    StepFailed Bool,
    Actor LowCardinality(String),
    AgentName LowCardinality(String),
    AgentVersion LowCardinality(String),
    Provider LowCardinality(String),
    RequestedModel LowCardinality(String),
    ServedModel LowCardinality(String),
    ServedModelSource LowCardinality(String),
    SystemFingerprint LowCardinality(String),
    ModelVersion LowCardinality(String),
    PromptVersion LowCardinality(String),
    ToolName LowCardinality(String),
    Channel LowCardinality(String),
    Intent LowCardinality(String),
    Language LowCardinality(String),
    InputTokens UInt32,
    OutputTokens UInt32,
    FinishReason LowCardinality(String),
    Dialect LowCardinality(String),
    IngestedAt DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    -- 0 as it came; the conversation's revision once settled. The greater one stays: a sender's retry after the close
    -- changes nothing.
    Version UInt32 DEFAULT 0,
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_conversation_id ConversationId TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1,
    INDEX idx_ingested IngestedAt TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(Version)
PARTITION BY toDate(Timestamp)
ORDER BY (TenantId, toStartOfHour(Timestamp), TraceId, SpanId)
-- Written fast (LZ4), kept small: ZSTD on the way in would cost a third of the engine's time for each span.
TTL toDateTime(Timestamp) + INTERVAL 1 DAY RECOMPRESS CODEC(ZSTD(1))
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, merge_selector_base = 30,
    vertical_merge_algorithm_min_rows_to_activate = 1, vertical_merge_algorithm_min_columns_to_activate = 1,
    non_replicated_deduplication_window = 10000;

-- Where a trace lies in time, as the readers of otel_traces expect; and what the review lane must know of it.
-- A trace is open while Batches, what arrived, is more than Settled, what a review has seen.
CREATE TABLE IF NOT EXISTS otel_traces_trace_id_ts
(
    TenantId LowCardinality(String),
    TraceId String,
    Start SimpleAggregateFunction(min, DateTime) CODEC(Delta(4), ZSTD(1)),
    End SimpleAggregateFunction(max, DateTime) CODEC(Delta(4), ZSTD(1)),
    FirstIngestedAt SimpleAggregateFunction(min, DateTime64(3)),
    LastIngestedAt SimpleAggregateFunction(max, DateTime64(3)),
    Candidate SimpleAggregateFunction(min, String),
    Ended SimpleAggregateFunction(max, UInt8),
    Channel SimpleAggregateFunction(max, String),
    Spans SimpleAggregateFunction(sum, UInt64),
    Batches SimpleAggregateFunction(sum, UInt64),
    Settled SimpleAggregateFunction(max, UInt64),
    SettledAt SimpleAggregateFunction(max, DateTime64(3)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = AggregatingMergeTree
PARTITION BY toDate(LastIngestedAt)
ORDER BY (TenantId, TraceId)
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS otel_logs
(
    -- As the exporter has it.
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TraceId String,
    SpanId String,
    TraceFlags UInt8,
    SeverityText LowCardinality(String),
    SeverityNumber UInt8,
    ServiceName LowCardinality(String),
    Body String,
    ResourceSchemaUrl LowCardinality(String),
    ResourceAttributes Map(LowCardinality(String), String),
    ScopeSchemaUrl LowCardinality(String),
    ScopeName String,
    ScopeVersion LowCardinality(String),
    ScopeAttributes Map(LowCardinality(String), String),
    LogAttributes Map(LowCardinality(String), String),
    EventName String,
    -- The tags.
    TenantId LowCardinality(String),
    ConversationId String,
    IngestedAt DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    -- A log record has no id: its content is what makes it the same one when it is sent twice.
    RecordHash UInt64 MATERIALIZED cityHash64(Timestamp, TraceId, SpanId, EventName, Body, LogAttributes, ResourceAttributes),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(Timestamp)
ORDER BY (TenantId, toStartOfHour(Timestamp), TraceId, SpanId, Timestamp, RecordHash)
TTL toDateTime(Timestamp) + INTERVAL 1 DAY RECOMPRESS CODEC(ZSTD(1))
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, merge_selector_base = 30,
    vertical_merge_algorithm_min_rows_to_activate = 1, vertical_merge_algorithm_min_columns_to_activate = 1,
    non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS conversations
(
    TenantId LowCardinality(String),
    ConversationId String,
    Revision UInt32,
    StartedAt DateTime64(9),
    EndedAt DateTime64(9),
    ClosedAt DateTime64(3),
    CloseReason LowCardinality(String),
    ConversationIdSource LowCardinality(String),
    ServiceNames Array(LowCardinality(String)),
    Channel LowCardinality(String),
    Intent LowCardinality(String),
    Language LowCardinality(String),
    AgentNames Array(LowCardinality(String)),
    ModelVersions Array(LowCardinality(String)),
    PromptVersions Array(LowCardinality(String)),
    Turns UInt32,
    Steps UInt32,
    ToolCalls UInt32,
    ToolErrors UInt32,
    Escalations UInt32,
    InputTokens UInt64,
    OutputTokens UInt64,
    Outcome LowCardinality(String),
    TraceIds Array(String),
    -- Of all that was judged: equal digests, equal conversations. Keeps a replay from becoming a revision.
    Digest String
)
ENGINE = ReplacingMergeTree(ClosedAt)
ORDER BY (TenantId, ConversationId, Revision)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS steps
(
    TenantId LowCardinality(String),
    ConversationId String,
    Revision UInt32,
    Step UInt32,
    Turn UInt32,
    StepKind LowCardinality(String),
    Actor LowCardinality(String),
    ServiceName LowCardinality(String),
    AgentName LowCardinality(String),
    AgentVersion LowCardinality(String),
    ToolName LowCardinality(String),
    Provider LowCardinality(String),
    RequestedModel LowCardinality(String),
    ServedModel LowCardinality(String),
    ServedModelSource LowCardinality(String),
    ModelVersion LowCardinality(String),
    PromptVersion LowCardinality(String),
    StartedAt DateTime64(9),
    DurationMs Float64,
    Status LowCardinality(String),
    InputTokens UInt32,
    OutputTokens UInt32,
    TraceId String,
    SpanId String,
    RecordedAt DateTime64(3)
)
ENGINE = ReplacingMergeTree(RecordedAt)
ORDER BY (TenantId, ConversationId, Revision, Step)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS scores
(
    TenantId LowCardinality(String),
    ConversationId String,
    Revision UInt32,
    Evaluator LowCardinality(String),
    EvaluatorVersion LowCardinality(String),
    Judge LowCardinality(String),
    Status LowCardinality(String),
    Mode LowCardinality(String),
    Score Nullable(Float64),
    Label LowCardinality(String),
    Threshold Nullable(Float64),
    Passed Nullable(Bool),
    Explanation String,
    EvidenceSpanIds Array(String),
    Details String,
    ScoredAt DateTime64(3),
    CostUsd Float64,
    Error String
)
ENGINE = ReplacingMergeTree(ScoredAt)
ORDER BY (TenantId, ConversationId, Revision, Evaluator, EvaluatorVersion, Judge)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS model_versions
(
    TenantId LowCardinality(String),
    ServiceName LowCardinality(String),
    AgentName LowCardinality(String),
    StepKind LowCardinality(String),
    ModelVersion LowCardinality(String),
    FirstSeen DateTime64(9),
    LastSeen DateTime64(9),
    Conversations UInt64,
    Calls UInt64,
    VerifiedShare Float64,
    UpdatedAt DateTime64(3),
    Gone UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(UpdatedAt, Gone)
ORDER BY (TenantId, ServiceName, AgentName, StepKind, ModelVersion);

CREATE TABLE IF NOT EXISTS model_swaps
(
    TenantId LowCardinality(String),
    ServiceName LowCardinality(String),
    AgentName LowCardinality(String),
    StepKind LowCardinality(String),
    Class LowCardinality(String),
    FromVersion LowCardinality(String),
    ToVersion LowCardinality(String),
    -- 1 for the first change from one to the other in this slot, 2 when it happens again.
    Occurrence UInt32,
    DetectedAt DateTime64(3),
    FirstSeenAt DateTime64(9),
    FirstTraceId String,
    FirstConversationId String,
    ConversationsBefore UInt64,
    ConversationsAfter UInt64,
    Declared Bool,
    DeclaredBy String,
    Evidence String,
    Severity LowCardinality(String),
    UpdatedAt DateTime64(3),
    -- 1 once spans that came late have shown that this change did not happen so.
    Withdrawn UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(UpdatedAt, Withdrawn)
ORDER BY (TenantId, ServiceName, AgentName, StepKind, Class, FromVersion, ToVersion, Occurrence);

-- What a sweep settled, from which the span rows are rewritten inside the engine. Of no use a day later.
CREATE TABLE IF NOT EXISTS span_settlements
(
    Sweep String,
    TenantId LowCardinality(String),
    TraceId String,
    SpanId String,
    ConversationId String,
    ConversationIdSource LowCardinality(String),
    TrajectoryStep UInt32,
    Version UInt32,
    SettledAt DateTime
)
ENGINE = MergeTree
ORDER BY (Sweep, TenantId, TraceId)
TTL SettledAt + INTERVAL 1 DAY;

-- The last word on each conversation. Earlier revisions stay in the tables themselves.
CREATE VIEW IF NOT EXISTS conversations_latest AS
SELECT * FROM conversations FINAL
WHERE CloseReason != 'moved' AND (TenantId, ConversationId, Revision) IN
    (SELECT TenantId, ConversationId, max(Revision) FROM conversations GROUP BY TenantId, ConversationId);

CREATE VIEW IF NOT EXISTS steps_latest AS
SELECT * FROM steps FINAL
WHERE (TenantId, ConversationId, Revision) IN
    (SELECT TenantId, ConversationId, max(Revision) FROM conversations GROUP BY TenantId, ConversationId);

CREATE VIEW IF NOT EXISTS scores_latest AS
SELECT * FROM scores FINAL
WHERE (TenantId, ConversationId, Revision) IN
    (SELECT TenantId, ConversationId, max(Revision) FROM conversations GROUP BY TenantId, ConversationId);
