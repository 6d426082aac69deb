"""The store: one client for the embedded engine and for a server. Both lanes meet here and nowhere else."""

from spanwitness.store.clickhouse import Store, open_store
from spanwitness.store.location import Embedded, Location, Server, parse_location

__all__ = ["Embedded", "Location", "Server", "Store", "open_store", "parse_location"]
