"""What the reports say of a record that has nothing to report yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spanwitness.report import scores, swaps, versions

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from tests.report.conftest import Printed, Record

    Show = Callable[..., RenderableType]

SHOWS: dict[Show, str] = {
    versions.show: "call that names a model",
    swaps.show: "call that names a model",
    scores.show: "score",
}
REPORTS = pytest.mark.parametrize("show", SHOWS)


def test_an_empty_store_says_what_to_run_until_something_arrives(record: Record, printed: Printed) -> None:
    for show in SHOWS:
        assert printed(show(record.ask), 200) == (
            "Nothing is recorded yet. Send spans to `spanwitness serve`, read a file with `spanwitness import FILE`,"
            " or see an example with `spanwitness demo`.\n"
        )
    record.trace(TenantId="first")
    for show in SHOWS:
        assert printed(show(record.ask), 200) == (
            "Nothing to report yet: no conversation has closed. Still open: 1 trace. A conversation closes after its"
            " idle time, or now by `spanwitness close ID`.\n"
        )


@REPORTS
def test_only_a_trace_with_something_unreviewed_is_open(record: Record, printed: Printed, show: Show) -> None:
    record.trace(TenantId="open", TraceId="a" * 32)
    record.trace(TenantId="open", TraceId="b" * 32)
    record.trace(TenantId="open", TraceId="c" * 32, Settled=1)
    text = printed(show(record.ask, tenant="open"), 200)
    assert text.startswith("Nothing to report yet of tenant 'open': no conversation has closed. Still open: 2 traces.")


@REPORTS
def test_a_tenant_that_nobody_heard_of_is_named(record: Record, printed: Printed, show: Show) -> None:
    record.trace(TenantId="somebody")
    text = printed(show(record.ask, tenant="nobody"), 200)
    assert text.startswith("Nothing is recorded yet of tenant 'nobody'.")


@REPORTS
def test_closed_conversations_that_give_nothing_are_told(record: Record, printed: Printed, show: Show) -> None:
    record.conversation(TenantId="closed")
    assert printed(show(record.ask, tenant="closed"), 200) == (
        f"There is no {SHOWS[show]} of tenant 'closed', though 1 conversation closed.\n"
    )


@REPORTS
def test_spans_that_hold_no_step_are_not_taken_for_nothing(record: Record, printed: Printed, show: Show) -> None:
    record.trace(TenantId="stepless", Settled=1)
    text = printed(show(record.ask, tenant="stepless"), 400)
    assert text.startswith("Nothing to report of tenant 'stepless': none of the spans stored (1 trace) is a step")
    assert "`spanwitness query 'SELECT ScopeName, SpanName, count() FROM otel_traces GROUP BY ALL'`" in text


@REPORTS
def test_spans_that_are_not_indexed_yet_are_told(record: Record, printed: Printed, show: Show) -> None:
    record.span(TenantId="just now")
    assert "Still open: what has just arrived." in printed(show(record.ask, tenant="just now"), 200)
