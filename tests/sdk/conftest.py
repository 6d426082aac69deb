from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spanwitness.sdk import probe
from tests.sdk.model_server import ModelServer, model_server
from tests.sdk.tracing import Tracing

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as server:
        yield server


@pytest.fixture
def tracing() -> Tracing:
    return Tracing()


@pytest.fixture
def installed() -> Iterator[None]:
    probe.install()
    yield
    probe.uninstall()
