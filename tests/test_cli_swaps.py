"""`swaps`, `swaps show` and `versions` as users and cron jobs meet them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from spanwitness.testing import framed, trace_request
from tests.test_cli import CALLS, refused, run, told

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store into which two conversations were imported, the second with another model."""
    folder: Path = tmp_path_factory.mktemp("recorded")
    file = folder / "a.otlp"
    file.write_bytes(framed([trace_request(CALLS)]))
    url = f"chdb://{folder / 'store'}"
    assert run("import", file, "--store", url).exit_code == 0
    return url


class TestSwaps:
    def test_the_list_and_one_of_it(self, recorded: str) -> None:
        rows = [json.loads(line) for line in run("swaps", "--json", "--store", recorded).stdout.splitlines()]
        assert {row["Class"] for row in rows} == {"version", "mismatch"}
        row = next(row for row in rows if row["Class"] == "version")
        result = run("swaps", "show", row["Id"][:7], "--store", recorded)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.startswith(f"{row['Id']}  page  version: another model answers")
        (told_of,) = run("swaps", "show", row["Id"], "--json", "--store", recorded).stdout.splitlines()
        assert json.loads(told_of)["Timeline"][0]["Version"] == row["FromVersion"]

    @pytest.mark.parametrize(
        ("options", "status"),
        [
            (["--undeclared", "--since", "1d"], 1),
            (["--undeclared", "--since", "2026-01-01T00:00:00Z", "--json"], 1),
            (["--class", "disguised", "--class", "absent"], 0),
            (["--severity", "info"], 0),
            (["--until", "2020-01-01"], 0),
            (["--standing", "--limit", "1"], 1),
        ],
    )
    def test_a_cron_job_asks_by_the_exit_status(self, recorded: str, options: list[str], status: int) -> None:
        result = run("swaps", *options, "--fail", "--store", recorded)
        assert (result.exit_code, result.stderr) == (status, "")
        assert run("swaps", *options, "--store", recorded).exit_code == 0

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (["--class", "versoin"], "Invalid value for --class: 'versoin': allowed are version, mismatch, unapproved"),
            (["--severity", "bad"], "Invalid value for --severity: 'bad': allowed are page, warning, info"),
            (["--since", "soon"], "'soon': allowed is a duration before now, such as '2h' or '1d', or a time, such as"),
            (["--until", "99999999999999d"], "Invalid value for --until: '99999999999999d'"),
            (["--tenant", "a", "show", "abc"], "options go after it: spanwitness swaps show ID --..."),
        ],
    )
    def test_what_is_not_allowed_is_wrong_usage(self, recorded: str, options: list[str], words: str) -> None:
        result = run("swaps", *options, environment={"SPANWITNESS_STORE": recorded})
        assert words in refused(result)

    def test_an_id_that_nothing_has_is_one_line(self, recorded: str) -> None:
        line = told(run("swaps", "show", "nonsense", "--store", recorded))
        assert line == "no swap 'nonsense'; those on record: spanwitness swaps"


class TestVersions:
    def test_only_the_agent_or_service_asked_for(self, recorded: str) -> None:
        def rows(*options: str) -> list[str]:
            return run("versions", *options, "--json", "--store", recorded).stdout.splitlines()

        assert len(rows("--service", "claims")) == len(rows()) == 2
        assert rows("--agent", "nobody") == rows("--service", "nothing") == []
