-- How sure the recogniser was of what it heard, beside the step that heard it.
ALTER TABLE steps ADD COLUMN IF NOT EXISTS Confidence Nullable(Float64) AFTER OutputTokens;

-- A view keeps the columns that it was made with.
CREATE OR REPLACE VIEW steps_latest AS
SELECT * FROM steps FINAL
WHERE (TenantId, ConversationId, Revision) IN
    (SELECT TenantId, ConversationId, max(Revision) FROM conversations GROUP BY TenantId, ConversationId);

-- Hearing and speaking are roles of their own from now on: `stt` and `tts` where `speech` stood.
ALTER TABLE model_versions DELETE WHERE StepKind = 'speech';

ALTER TABLE model_swaps DELETE WHERE StepKind = 'speech';
