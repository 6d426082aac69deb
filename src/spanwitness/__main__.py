"""Entry point of the command. The base install has the SDK alone: what is missing is named, not traced."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line."""
    try:
        from spanwitness.cli import app
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] == "spanwitness":
            raise
        sys.stderr.write(
            f"spanwitness: {error.name} is not installed; the command needs: "
            "pip install 'spanwitness[server,embedded]'\n"
        )
        sys.exit(1)
    app()


if __name__ == "__main__":
    main()
