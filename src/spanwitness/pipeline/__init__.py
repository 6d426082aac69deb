"""The whole path. Only here do stages meet.

request lane   receive -> decode -> tag -> store           `Ingestion`, inside the sender's request
review lane    store -> close -> settle -> evaluate -> swap `Review`, on a timer
"""

from spanwitness.pipeline.ingestion import Ingestion, IngestRules
from spanwitness.pipeline.review import Review, ReviewRules, Sweep
from spanwitness.pipeline.trace_index import TraceIndex

__all__ = ["IngestRules", "Ingestion", "Review", "ReviewRules", "Sweep", "TraceIndex"]
