"""The commands. Exit status 0; 1: it failed, one line why; 2: wrong usage."""

# Each module brings its commands along, in the order of the help: a further group of commands is a further line here.
from spanwitness.cli import serving  # noqa: F401, I001 - the order is meant
from spanwitness.cli import reading  # noqa: F401
from spanwitness.cli import evaluating  # noqa: F401
from spanwitness.cli import policy  # noqa: F401
from spanwitness.cli import calibrating  # noqa: F401
from spanwitness.cli import rescoring  # noqa: F401
from spanwitness.cli import swaps  # noqa: F401
from spanwitness.cli import deployment  # noqa: F401
from spanwitness.cli import contracts  # noqa: F401
from spanwitness.cli.common import app

__all__ = ["app"]
