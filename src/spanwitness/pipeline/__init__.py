"""The whole path. Only here do stages meet.

request lane   receive -> decode -> tag -> store -> forward `Ingestion`, inside the sender's request
review lane    store -> close -> settle -> evaluate -> swap `Review`, on a timer
after it       store -> forward                             `ScoreForwarding`, where there is a next hop
"""

from spanwitness.pipeline.ingestion import Ingestion, IngestRules
from spanwitness.pipeline.review import Review, ReviewRules, Sweep
from spanwitness.pipeline.score_forwarding import ScoreForwarding
from spanwitness.pipeline.trace_index import TraceIndex

__all__ = ["IngestRules", "Ingestion", "Review", "ReviewRules", "ScoreForwarding", "Sweep", "TraceIndex"]
