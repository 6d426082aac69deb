"""The figures of agreement on the evaluators' pages: from one file, of these versions, and what they are made by."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from spanwitness.evaluators import BUILT_IN
from tests.bench import agreement_statistics as st
from tests.bench.agreement_page import PAGES, block, figures, rendered, replaced
from tests.bench.agreement_statistics import Pair, figure

MADE = figures()


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_page_says_what_the_file_of_figures_says(name: str) -> None:
    assert block((PAGES / f"{name}.md").read_text()) == rendered(MADE, name), "make agreement has to be run again"


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_figures_are_of_the_evaluator_as_it_is_now(name: str) -> None:
    assert MADE["evaluators"][name]["version"] == BUILT_IN[name].version, "make agreement has to be run again"


def test_there_are_figures_of_nothing_else() -> None:
    assert set(MADE["evaluators"]) == set(BUILT_IN)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_figure_has_a_size_and_an_interval_that_holds_it(name: str) -> None:
    made = MADE["evaluators"][name]["figures"]
    assert made
    for each in made:
        assert each["n"] >= each["groups"] >= 1
        assert math.isfinite(each["value"])
        assert (each["low"] is None) == (each["high"] is None)
        assert each["low"] is None or each["low"] <= each["value"] <= each["high"]


def test_figures_are_all_that_is_written_of_the_data() -> None:
    """The longest text is a measure's name: no message of a conversation has come along."""
    made = json.loads(json.dumps(MADE), parse_float=lambda _: None)
    texts = [
        str(each)
        for of in made["evaluators"].values()
        for row in of["tables"]
        for cells in row["rows"]
        for each in cells
    ]
    assert max(map(len, texts), default=0) < 80


def test_a_block_takes_the_place_of_the_one_before_and_of_nothing_else() -> None:
    page = "# A\n<!-- agreement:begin -->\nold\n<!-- agreement:end -->\nend\n"
    new = replaced(page, "new \\1\n")
    assert new == "# A\n<!-- agreement:begin -->\nnew \\1\n<!-- agreement:end -->\nend\n"
    assert block(new) == "new \\1\n"


@pytest.mark.parametrize("page", ["# A\n", "<!-- agreement:begin -->\n<!-- agreement:end -->\n" * 2])
def test_a_page_without_one_place_for_it_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="needed: one"):
        replaced(page, "new\n")


def test_statistics_on_examples_worked_out_by_hand() -> None:
    ranks, labels = np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, False, True, True])
    assert st.auc(ranks, labels) == 0.875  # 3 of 4 pairs in order, one tied
    assert st.spearman(np.array([1, 2, 3]), np.array([1, 4, 9])) == pytest.approx(1)
    assert st.spearman(np.array([1, 1, 2]), np.array([2, 1, 1])) == pytest.approx(-0.5)
    assert st.kappa(np.array([1, 1, 0, 0]), np.array([1, 0, 0, 0])) == pytest.approx(0.5)
    assert st.balanced_accuracy(np.array(["a", "c", "b"]), np.array(["a", "a", "b"])) == 0.75
    counts = np.array([[1, 2, 1], [0, 0, 2]])
    assert [st.counted(kind)(counts, counts) for kind in ("precision", "recall", "F1")] == pytest.approx(
        [1 / 2, 1 / 3, 0.4]
    )


def test_what_a_draw_cannot_tell_is_no_number() -> None:
    one = np.array([1, 1])
    assert math.isnan(st.auc(one, one))
    assert math.isnan(st.spearman(one, one))
    assert math.isnan(st.above_base(np.array([0, 0]), one))


def test_the_interval_is_drawn_over_groups_and_not_over_rows() -> None:
    rows = [(i % 2, f"group {i}") for i in range(60)]
    alone = figure("m", "on", st.share_said, [Pair(value, 0, name) for value, name in rows])
    twenty = figure("m", "on", st.share_said, [Pair(value, 0, f"group {value}") for value, _ in rows])
    assert (alone.n, alone.groups, alone.value) == (60, 60, 0.5)
    assert alone.low is not None
    assert alone.high is not None
    assert 0.3 < alone.low < 0.45
    assert 0.55 < alone.high < 0.7
    assert (twenty.groups, twenty.low, twenty.high) == (2, 0.0, 1.0)


def test_a_share_of_all_has_no_interval_and_no_data_no_figure() -> None:
    sure = figure("m", "on", st.share_said, [Pair(1, 1, "a"), Pair(1, 1, "b")])
    assert (sure.value, sure.low, sure.high) == (1.0, None, None)
    with pytest.raises(ValueError, match="no data for m on nothing"):
        figure("m", "nothing", st.share_said, [])


def test_flags_are_told_with_what_is_so_anyhow() -> None:
    pairs = [Pair(flag, so, str(i)) for i, (flag, so) in enumerate([(1, 1), (1, 0), (0, 1), (0, 0), (0, 0)])]
    told = {each.measure: (each.value, each.n) for each in st.flags("bad", "flagged", "on", pairs)}
    assert told == {
        "flagged, share of all": (0.4, 5),
        "flagged, of these bad": (0.5, 2),
        "bad, share of all": (0.4, 5),
        "bad, of these flagged": (0.5, 2),
    }
