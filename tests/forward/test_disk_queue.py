"""The queue on disk: in order, bounded, and there again after whatever ended the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from spanwitness.errors import Busy, ConfigError
from spanwitness.forward import Parcel
from spanwitness.forward.disk_queue import DiskQueue
from tests.conftest import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from spanwitness.forward.disk_queue import Queued


def parcel(text: str, items: int = 1) -> Parcel:
    return Parcel("logs" if text.startswith("log") else "traces", text.encode(), items)


def texts(found: list[Queued]) -> list[str]:
    return [one.parcel.body.decode() for one in found]


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[DiskQueue]:
    opened = DiskQueue(tmp_path / "new" / "forward.queue", 20)
    yield opened
    opened.close()


def test_first_in_first_out(queue: DiskQueue) -> None:
    assert queue.put([parcel("a", 2), parcel("b", 3)]) == [None, None]
    assert queue.put([parcel("c")]) == [None]
    head = queue.head(100)
    assert texts(head) == ["a", "b", "c"]
    assert head[0].parcel == Parcel("traces", b"a", 2)
    assert (queue.requests, queue.bytes, queue.items) == (3, 3, 6)
    queue.remove(head[:2])
    assert texts(queue.head(100)) == ["c"]
    assert (queue.requests, queue.bytes, queue.items) == (1, 1, 1)


def test_the_head_is_of_one_kind_and_of_bounded_size(queue: DiskQueue) -> None:
    queue.put([parcel("aaaa"), parcel("bbbb"), parcel("log"), parcel("c")])
    assert texts(queue.head(8)) == ["aaaa", "bbbb"]
    assert texts(queue.head(7)) == ["aaaa"]
    assert texts(queue.head(1)) == ["aaaa"], "one always, or nothing would ever move"
    queue.remove(queue.head(8))
    assert texts(queue.head(8)) == ["log"]


def test_an_empty_queue_has_no_head(queue: DiskQueue) -> None:
    assert queue.head(100) == []


def test_a_full_queue_is_busy_and_takes_more_once_it_has_room(queue: DiskQueue) -> None:
    assert queue.put([parcel("a" * 12)]) == [None]
    refused, taken = queue.put([parcel("b" * 12), parcel("c" * 8)])
    assert isinstance(refused, Busy)
    assert taken is None
    with pytest.raises(Busy, match="full"):
        queue.check()
    queue.remove(queue.head(1))
    queue.check()
    assert queue.put([parcel("b" * 12)]) == [None]
    assert texts(queue.head(100)) == ["c" * 8, "b" * 12]


def test_one_request_larger_than_the_queue_is_taken_when_nothing_else_waits(queue: DiskQueue) -> None:
    assert queue.put([parcel("x" * 100)]) == [None]
    assert isinstance(queue.put([parcel("y")])[0], Busy)


def test_many_at_once_are_not_taken_beyond_the_limit_either(queue: DiskQueue) -> None:
    answers = queue.put([parcel("a" * 15), parcel("b" * 15), parcel("c" * 5), parcel("d" * 5)])
    assert [answer is None for answer in answers] == [True, False, True, False]
    assert queue.bytes == 20


def test_what_waits_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    first = DiskQueue(tmp_path / "q", 100)
    first.put([parcel("a", 2), parcel("b", 3)])
    first.remove(first.head(1))
    first.close()
    second = DiskQueue(tmp_path / "q", 100)
    assert texts(second.head(100)) == ["b"]
    assert (second.requests, second.bytes, second.items) == (1, 1, 3)
    second.close()


_CHILD = """
import sys
from pathlib import Path
from spanwitness.forward import Parcel
from spanwitness.forward.disk_queue import DiskQueue
queue = DiskQueue(Path(sys.argv[1]), 10**9)
for number in range(100_000):
    queue.put([Parcel("traces", b"%d " % number * 500, 1)])
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


def test_killed_while_it_writes_nothing_that_was_taken_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "q"
    for _ in range(3):
        child = subprocess.Popen(  # noqa: S603 - ours
            [sys.executable, "-c", _CHILD, str(path)], stdout=subprocess.PIPE, text=True, env=environment()
        )
        assert child.stdout is not None
        taken = [int(child.stdout.readline()) for _ in range(40)]
        with pytest.raises(ConfigError, match="another process has it"):
            DiskQueue(path, 10**9)
        os.kill(child.pid, signal.SIGKILL)
        taken += [int(line) for line in child.stdout.read().split()]
        child.wait()
        child.stdout.close()
        queue = DiskQueue(path, 10**9)
        found = [int(one.parcel.body.split()[0]) for one in queue.head(10**9)]
        assert found[: len(taken)] == taken
        assert found == list(range(len(found)))
        queue.remove(queue.head(10**9))
        queue.close()


@pytest.mark.parametrize("kind", ["no database", "a folder", "below a file"])
def test_a_path_that_cannot_be_one_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "q"
    if kind == "a folder":
        path.mkdir()
    else:
        path.write_bytes(b"no database " * 100)
    path = path / "q" if kind == "below a file" else path
    with pytest.raises(ConfigError, match=r"forward\.queue = .*q.*; allowed is a file of this process"):
        DiskQueue(path, 100)


def test_a_disk_that_refuses_is_busy(queue: DiskQueue) -> None:
    queue.put([parcel("a")])
    queue._db.execute("PRAGMA query_only = 1")  # noqa: SLF001 - stands for a disk that is full
    with pytest.raises(Busy, match="cannot be written"):
        queue.put([parcel("b")])
    with pytest.raises(Busy, match="cannot be written"):
        queue.remove(queue.head(10))
    queue._db.execute("PRAGMA query_only = 0")  # noqa: SLF001 - the same
    assert (queue.requests, texts(queue.head(10))) == (1, ["a"])
    assert queue.put([parcel("b")]) == [None]
