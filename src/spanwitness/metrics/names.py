"""Every metric by name, with what it means. docs/metrics.md says the same, and a test sees to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One metric.

    Attributes:
        name: as Prometheus stores it; of a histogram or summary, without `_bucket`, `_count` and `_sum`.
        kind: a `summary` has a count and a sum, no quantiles.
        labels: in the order in which values are given.
        buckets: of a histogram, upper bounds without the last, which is infinite.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram", "summary"]
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


SIGNALS: Final = ("traces", "logs")
INVALID: Final = "invalid"
"""Why an item is rejected: an id or a time that OTLP does not allow."""

_SLOT: Final = ("tenant", "service", "agent", "role")
_SWAP: Final = ("tenant", "swap_id")

BUILD: Final = Metric("spanwitness_build_info", "gauge", "1, with the version that runs.", ("version",))

REQUESTS: Final = Metric(
    "spanwitness_requests_total",
    "counter",
    "OTLP requests that were answered. busy: the sender keeps its data and comes back. refused: it must not.",
    ("transport", "signal", "answer", "code"),
)
BYTES: Final = Metric(
    "spanwitness_received_bytes_total",
    "counter",
    "Size of the requests that were taken in, as protobuf without compression.",
    ("transport", "signal"),
)
ACCEPTED: Final = Metric(
    "spanwitness_items_accepted_total", "counter", "Spans and log records that were stored.", ("signal",)
)
REJECTED: Final = Metric(
    "spanwitness_items_rejected_total",
    "counter",
    "Spans and log records that can never be stored, each time a sender sends them.",
    ("signal", "reason"),
)
BATCH_ITEMS: Final = Metric(
    "spanwitness_batch_items",
    "histogram",
    "Spans or log records in one insert.",
    ("signal",),
    (10, 100, 1000, 10_000),
)
BATCH_SECONDS: Final = Metric(
    "spanwitness_batch_store_seconds",
    "histogram",
    "How long the store took for one insert.",
    ("signal",),
    (0.01, 0.03, 0.1, 0.3, 1, 3, 10),
)
STORE_ERRORS: Final = Metric(
    "spanwitness_store_errors_total",
    "counter",
    "What the store refused, or could not be reached for. Nothing is lost by it: senders and sweeps come back.",
    ("operation",),
)

CLOSED: Final = Metric(
    "spanwitness_conversations_closed_total", "counter", "Conversations that were closed and scored.", ("reason",)
)
REVISED: Final = Metric(
    "spanwitness_conversations_revised_total", "counter", "Closed conversations that got another revision."
)
UNCHANGED: Final = Metric(
    "spanwitness_conversations_unchanged_total",
    "counter",
    "Conversations that were looked at again and had not changed.",
)
FAILED: Final = Metric(
    "spanwitness_conversations_failed_total",
    "counter",
    "Reviews of conversations that failed; each such conversation stays open and is tried again at the next sweep.",
)
OPEN: Final = Metric("spanwitness_open_traces", "gauge", "Traces that waited for more at the last sweep.")
SWEEP_SECONDS: Final = Metric(
    "spanwitness_sweep_seconds", "histogram", "How long a sweep took.", buckets=(0.1, 0.3, 1, 3, 10, 60, 600)
)
SWEEP_FAILURES: Final = Metric("spanwitness_sweep_failures_total", "counter", "Sweeps that failed as a whole.")
SWEEP_SUCCESS: Final = Metric(
    "spanwitness_sweep_last_success_timestamp_seconds",
    "gauge",
    "When a sweep last ended well; until one has, when the server started.",
)
SCORES: Final = Metric("spanwitness_scores_total", "counter", "Scores that were written.", ("evaluator", "status"))
BELOW: Final = Metric(
    "spanwitness_scores_below_threshold_total", "counter", "Scores below the threshold in force.", ("evaluator",)
)
SCORE: Final = Metric("spanwitness_score", "summary", "Scores of those that have one.", ("evaluator",))

JUDGE_CALLS: Final = Metric(
    "spanwitness_judge_calls_total", "counter", "Calls of a judge, by what became of them.", ("judge", "outcome")
)
JUDGE_SECONDS: Final = Metric(
    "spanwitness_judge_call_seconds",
    "histogram",
    "How long a judge took for one call.",
    ("judge",),
    (0.3, 1, 3, 10, 30, 60, 300),
)
JUDGE_TOKENS: Final = Metric(
    "spanwitness_judge_tokens_total", "counter", "Tokens that a judge counted.", ("judge", "direction")
)
JUDGE_COST: Final = Metric(
    "spanwitness_judge_cost_usd_total", "counter", "What calls of a judge cost, by the configured prices.", ("judge",)
)
JUDGE_CACHED: Final = Metric(
    "spanwitness_judge_cached_total", "counter", "Scores for which the judge's answer was on record.", ("judge",)
)
JUDGE_GIVEN_UP: Final = Metric(
    "spanwitness_judge_given_up_total",
    "counter",
    "Scores that a judge was asked for until the last try, in vain.",
    ("judge",),
)
JUDGE_WAITING: Final = Metric(
    "spanwitness_judge_tasks_waiting", "gauge", "Scores that a judge is still to give.", ("judge",)
)
JUDGE_OLDEST: Final = Metric(
    "spanwitness_judge_oldest_task_timestamp_seconds",
    "gauge",
    "Since when the oldest of them waits. Absent while none does.",
    ("judge",),
)

STANDING: Final = Metric(
    "spanwitness_swap_standing",
    "gauge",
    "1 for each swap that stands. It goes once the slot has returned.",
    (*_SLOT, "class", "severity", "declared", "swap_id", "from_version", "to_version"),
)
SWAP_INFO: Final = Metric(
    "spanwitness_swap_info",
    "gauge",
    "1, with what else is known of a standing swap.",
    (*_SWAP, "first_trace", "first_conversation", "traffic", "deployment_id", "declared_by"),
)
SWAP_FIRST_SEEN: Final = Metric(
    "spanwitness_swap_first_seen_timestamp_seconds", "gauge", "When a standing swap was first seen.", _SWAP
)
SWAP_DETECTED: Final = Metric(
    "spanwitness_swap_detected_timestamp_seconds",
    "gauge",
    "When a standing swap was found: long after it was first seen where history was imported.",
    _SWAP,
)
SWAP_CONVERSATIONS: Final = Metric(
    "spanwitness_swap_conversations", "gauge", "Conversations on the new version since a standing swap.", _SWAP
)
SWAP_SHARE: Final = Metric(
    "spanwitness_swap_share",
    "gauge",
    "Of the slot's last 50 conversations, the share in which the new version of a standing swap answered.",
    _SWAP,
)
DETECTED: Final = Metric(
    "spanwitness_swaps_detected_total",
    "counter",
    "Swaps that this process found, with the severity they had then.",
    ("class", "severity"),
)
VERSION_SHARE: Final = Metric(
    "spanwitness_version_share",
    "gauge",
    "Of the slot's last 50 conversations, the share in which a version answered.",
    (*_SLOT, "version"),
)
VERIFIED_SHARE: Final = Metric(
    "spanwitness_slot_verified_share",
    "gauge",
    "Of the calls of the slot's last 50 conversations, the share that tells which model answered.",
    _SLOT,
)
SLOTS: Final = Metric("spanwitness_slots", "gauge", "Slots in the ledger, told or not.")
DROPPED: Final = Metric(
    "spanwitness_series_dropped", "gauge", "Series that metrics.max_series leaves out, by metric.", ("metric",)
)
LEDGER_READ: Final = Metric(
    "spanwitness_ledger_read_timestamp_seconds",
    "gauge",
    "When the ledger was last read for this page. Absent until it was.",
)

FORWARD_UP: Final = Metric("spanwitness_forward_up", "gauge", "Whether the next hop took the last request.")
FORWARD_SENT: Final = Metric(
    "spanwitness_forward_items_sent_total", "counter", "Spans and log records that the next hop took."
)
FORWARD_REJECTED: Final = Metric(
    "spanwitness_forward_items_rejected_total", "counter", "Spans and log records that the next hop refused for good."
)
FORWARD_FAILED: Final = Metric(
    "spanwitness_forward_items_failed_total", "counter", "Spans and log records that could not be passed on."
)
FORWARD_RETRIES: Final = Metric(
    "spanwitness_forward_retries_total", "counter", "Requests that the next hop did not take at once."
)
FORWARD_QUEUED: Final = Metric(
    "spanwitness_forward_queue_items", "gauge", "Spans and log records in the queue on disk."
)
FORWARD_QUEUED_REQUESTS: Final = Metric("spanwitness_forward_queue_requests", "gauge", "Requests in the queue on disk.")
FORWARD_QUEUED_BYTES: Final = Metric("spanwitness_forward_queue_bytes", "gauge", "Bytes in the queue on disk.")

ALERTS_UP: Final = Metric(
    "spanwitness_alerts_up", "gauge", "Whether a receiver of pushed alerts answered the last message.", ("receiver",)
)
ALERTS_FIRING: Final = Metric(
    "spanwitness_alerts_firing", "gauge", "Swaps that a receiver was told of and that still stand.", ("receiver",)
)
ALERTS_WAITING: Final = Metric(
    "spanwitness_alerts_waiting", "gauge", "Swaps of which a receiver was told in vain so far.", ("receiver",)
)
ALERTS_REFUSED: Final = Metric(
    "spanwitness_alerts_refused", "gauge", "Swaps of which a receiver does not want to know.", ("receiver",)
)
ALERTS_SENT: Final = Metric(
    "spanwitness_alert_messages_sent_total", "counter", "Messages that a receiver took.", ("receiver",)
)
ALERTS_FAILED: Final = Metric(
    "spanwitness_alert_messages_failed_total", "counter", "Messages that a receiver did not take.", ("receiver",)
)

DRIFT: Final = Metric(
    "spanwitness_drift_watched",
    "gauge",
    "Model versions of slots in the watch for disguised swaps, by how far it is: learning, watching, alarmed.",
    ("phase",),
)

METRICS: Final = tuple(value for value in dict(globals()).values() if isinstance(value, Metric))
"""All of them, in the order in which they are told."""
