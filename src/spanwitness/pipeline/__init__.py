"""The whole path. Only here do stages meet.

request lane   receive -> decode -> tag -> store -> forward `Ingestion`, inside the sender's request
review lane    store -> close -> settle -> evaluate -> swap `Review`, on a timer
after it       store -> judge -> store                      `JudgeLane`, where a language model judges as well
               store -> forward                             `ScoreForwarding`, where there is a next hop
               store -> deployment -> swap                  `DeploymentWatch`, what was declared and whether it came
             store -> alert                                 `Alerting`, where somebody is to be told
"""

from spanwitness.pipeline.alerting import Alerting, AlertRules
from spanwitness.pipeline.deployment_desk import DeploymentDesk
from spanwitness.pipeline.deployment_watch import DeploymentWatch
from spanwitness.pipeline.deployments import Register
from spanwitness.pipeline.ingestion import Ingestion, IngestRules
from spanwitness.pipeline.judge_lane import JudgeLane
from spanwitness.pipeline.measured_store import MeasuredStore
from spanwitness.pipeline.measures import Measures
from spanwitness.pipeline.review import Review, ReviewRules, Sweep
from spanwitness.pipeline.score_forwarding import ScoreForwarding
from spanwitness.pipeline.trace_index import TraceIndex
from spanwitness.pipeline.watch import WatchRules

__all__ = [
    "AlertRules",
    "Alerting",
    "DeploymentDesk",
    "DeploymentWatch",
    "IngestRules",
    "Ingestion",
    "JudgeLane",
    "MeasuredStore",
    "Measures",
    "Register",
    "Review",
    "ReviewRules",
    "ScoreForwarding",
    "Sweep",
    "TraceIndex",
    "WatchRules",
]
