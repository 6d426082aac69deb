"""The demo: a server, seven recorded agents that send to it, and what the record then says of them."""

from spanwitness.demo.show import run

__all__ = ["run"]
