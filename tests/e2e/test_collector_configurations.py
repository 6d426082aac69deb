"""The configurations that are given to users are ones that the Collector accepts."""

from __future__ import annotations

import subprocess

import pytest

from tests.e2e.stack import CONFIGURATIONS, binary

ALONE = ["to-spanwitness.yaml", "to-spanwitness-unqueued.yaml", "from-spanwitness.yaml"]
# In the Collector of builder-load-balancing.yaml: test_load_balancing.py has them.
ELSEWHERE = ["load-balancing.yaml", "load-balancing-by-tenant.yaml"]


def validated(*names: str) -> tuple[int, str]:
    line = [binary(), "validate", *(f"--config={CONFIGURATIONS / name}" for name in names)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", ALONE)
def test_a_configuration_is_accepted(name: str) -> None:
    assert validated(name) == (0, "")


@pytest.mark.parametrize("name", ALONE)
def test_files_may_take_the_place_of_what_follows(name: str) -> None:
    assert validated(name, "to-files.yaml") == (0, "")


def test_a_wrong_configuration_is_refused() -> None:
    assert validated("to-files.yaml")[0] == 1


def test_every_configuration_is_tried() -> None:
    assert {path.name for path in CONFIGURATIONS.glob("*.yaml")} == {
        *ALONE,
        *ELSEWHERE,
        "to-files.yaml",
        "builder.yaml",
        "builder-load-balancing.yaml",
    }
