"""What is passed on of each request: its own bytes, with the tags, without the items that were refused."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from spanwitness.columns import Problem
from spanwitness.forward import Parcel
from spanwitness.forward.splice import Tags, splice
from spanwitness.forward.tags import RESERVED, additions, claims
from spanwitness.receive import Signal
from spanwitness.store.batch import Work, both

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pyarrow as pa

    from spanwitness.columns import Batch
    from spanwitness.forward import Kind, Tally

Rows = TypeVar("Rows")
_NOT_PASSED_ON = "stored, but not passed on: its bytes could not be followed"
_KINDS: dict[Signal, Kind] = {Signal.TRACES: "traces", Signal.LOGS: "logs"}
log = logging.getLogger(__name__)


class Packer:
    """Packs what was stored for the next hop.

    Args:
        tally: where it is counted what cannot be passed on.
        signals: which of them are passed on.
    """

    def __init__(self, tally: Tally, signals: Collection[Signal]) -> None:
        self._tally = tally
        self._signals = frozenset(signals)

    def takes(self, signal: Signal) -> bool:
        """Whether this signal is passed on."""
        return signal in self._signals

    def work(self, rows: Rows, bodies: Sequence[bytes], batch: Batch, tagged: pa.Table, signal: Signal) -> Work[Rows]:
        """A batch ready for the store, and for the next hop after it. `tagged`: its rows, with every tag."""
        problems = dict(batch.problems)
        if signal not in self._signals:
            return Work(rows, problems)
        tags = Tags(additions(tagged), claims(batch), RESERVED) if signal is Signal.TRACES else None
        ends = np.searchsorted(batch.request, np.arange(len(bodies) + 1)).tolist()
        onward: dict[int, Parcel] = {}
        for index, body in enumerate(bodies):
            begin, end = ends[index], ends[index + 1]
            if begin == end:  # nothing of it is stored, so there is nothing to pass on
                continue
            try:
                spliced = splice(body, tags and tags.of(begin, end), batch.refused.get(index, ()))
                onward[index] = Parcel(_KINDS[signal], spliced, end - begin)
            except ValueError as error:
                # Decoders differ in what damage they overlook. It is stored; to refuse it now would be for ever.
                log.error("a request of %d bytes cannot be passed on: %s", len(body), error)
                self._tally.failed += end - begin
                told = both(problems.get(index), Problem(end - begin, _NOT_PASSED_ON))
                problems.update({index: told} if told else {})
        return Work(rows, problems, onward)
