"""Metrics: what SpanWitness tells Prometheus of itself and of the ledger.

`names` lists every metric. `Meters` holds the values in memory. `ledger` makes values of what stands in the ledger.
`page` writes them down when somebody asks. Nothing here waits for anything: a scrape reads what is there.
"""

from spanwitness.metrics.meters import Meters

__all__ = ["Meters"]
