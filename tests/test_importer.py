"""Recorded telemetry out of files: every form, and every kind of damage named with its place."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING

import orjson
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanwitness.errors import SpanWitnessError
from spanwitness.importer import Recording
from spanwitness.receive import Signal
from spanwitness.testing import chat, framed, log_request, trace_request

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from spanwitness.importer import Recorded

BODIES = [trace_request([chat(number, 1, number, f"c{number}")]) for number in range(1, 6)]


def read(path: Path) -> tuple[list[Recorded], list[str]]:
    recording = Recording(path)
    return list(recording.requests()), [str(damage) for damage in recording.damage]


def bodies(path: Path) -> list[bytes]:
    found, damage = read(path)
    assert damage == []
    return [request.body for request in found]


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def span(number: int) -> dict[str, str]:
    return {"traceId": f"{number:032x}", "spanId": f"{number:016x}", "name": "chat"}


def traces_json(*numbers: int) -> bytes:
    return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span(number) for number in numbers]}]}]})


LOGS_JSON = b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "hello"}}]}]}]}'


def numbers(path: Path) -> list[int]:
    requests = [ExportTraceServiceRequest.FromString(body) for body in bodies(path)]
    return [
        int.from_bytes(span.span_id, "big")
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def metrics_request() -> bytes:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="gen_ai.client.token.usage")
    metric.sum.data_points.add(as_int=1, time_unix_nano=1)
    return request.SerializeToString()


def zstd_framed(contents: list[bytes]) -> bytes:
    return framed([zstd.compress(content) for content in contents])


class TestForms:
    def test_frames_are_read_byte_for_byte(self, tmp_path: Path) -> None:
        assert bodies(written(tmp_path / "a.otlp", framed(BODIES))) == BODIES

    def test_each_request_knows_where_it_stood(self, tmp_path: Path) -> None:
        found, _ = read(written(tmp_path / "a.otlp", framed(BODIES)))
        assert [request.offset for request in found] == [n * (4 + len(BODIES[0])) for n in range(5)]

    def test_logs_are_told_by_the_name(self, tmp_path: Path) -> None:
        body = log_request("hello", trace=1, span=1)
        found, damage = read(written(tmp_path / "a.logs.otlp", framed([body])))
        assert ([request.signal for request in found], damage) == ([Signal.LOGS], [])

    def test_an_empty_request_is_one(self, tmp_path: Path) -> None:
        assert bodies(written(tmp_path / "a.otlp", framed([b"", BODIES[0]]))) == [b"", BODIES[0]]

    @pytest.mark.parametrize("name", ["a.otlp.gz", "a.otlp"])
    def test_gzip_is_told_by_its_content(self, tmp_path: Path, name: str) -> None:
        assert bodies(written(tmp_path / name, gzip.compress(framed(BODIES)))) == BODIES

    def test_gzip_in_several_members_is_one_file(self, tmp_path: Path) -> None:
        content = gzip.compress(framed(BODIES[:2])) + gzip.compress(framed(BODIES[2:]))
        assert bodies(written(tmp_path / "a.otlp.gz", content)) == BODIES

    def test_logs_in_gzip_are_told_by_the_name_before_gz(self, tmp_path: Path) -> None:
        found, _ = read(written(tmp_path / "a.logs.otlp.gz", gzip.compress(framed([b""]))))
        assert [request.signal for request in found] == [Signal.LOGS]

    @pytest.mark.parametrize("name", ["a.json", "a.otlp.json", "a"])
    def test_a_json_document_is_one_request(self, tmp_path: Path, name: str) -> None:
        assert numbers(written(tmp_path / name, traces_json(1, 2))) == [1, 2]

    def test_an_indented_json_document_is_one_request(self, tmp_path: Path) -> None:
        content = orjson.dumps(orjson.loads(traces_json(1)), option=orjson.OPT_INDENT_2)
        assert numbers(written(tmp_path / "a.json", content)) == [1]

    def test_a_json_array_of_documents_is_one_request_each(self, tmp_path: Path) -> None:
        content = b"[" + traces_json(1) + b"," + traces_json(2) + b"]"
        found, damage = read(written(tmp_path / "a.json", content))
        assert (len(found), damage) == (2, [])

    @pytest.mark.parametrize("pack", [bytes, gzip.compress])
    def test_json_lines_of_the_collector_may_mix_signals(self, tmp_path: Path, pack: type) -> None:
        metrics = b'{"resourceMetrics": []}'
        content = b"\n".join([traces_json(1), LOGS_JSON, b"", metrics, traces_json(2)]) + b"\n"
        found, damage = read(written(tmp_path / "a.jsonl", pack(content)))
        assert [request.signal for request in found] == [Signal.TRACES, Signal.LOGS, Signal.TRACES]
        assert damage == []


class TestFileExporter:
    """The framings of the Collector's file exporter, told by their content whatever the name is."""

    @pytest.mark.parametrize("name", ["agents.jsonl", "agents-2026-11-21T02-45-13.123-size.jsonl", "agents", "a.binpb"])
    @pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd.compress])
    def test_json_lines(self, tmp_path: Path, name: str, pack: Callable[[bytes], bytes]) -> None:
        assert numbers(written(tmp_path / name, pack(traces_json(1) + b"\n" + traces_json(2) + b"\n"))) == [1, 2]

    @pytest.mark.parametrize("name", ["agents", "agents.binpb.zst", "agents.json", "a.logs.otlp"])
    @pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd.compress])
    def test_proto(self, tmp_path: Path, name: str, pack: Callable[[bytes], bytes]) -> None:
        assert bodies(written(tmp_path / name, pack(framed(BODIES)))) == BODIES

    @pytest.mark.parametrize("name", ["agents", "agents.jsonl.zst", "a.otlp"])
    def test_requests_that_are_packed_one_by_one(self, tmp_path: Path, name: str) -> None:
        assert bodies(written(tmp_path / name, zstd_framed(BODIES))) == BODIES
        assert numbers(written(tmp_path / name, zstd_framed([traces_json(1), traces_json(2)]))) == [1, 2]

    def test_spans_logs_and_metrics_of_one_file_are_told_apart(self, tmp_path: Path) -> None:
        log = log_request("hello", trace=1, span=1)
        found, damage = read(written(tmp_path / "agents", framed([BODIES[0], log, metrics_request(), BODIES[1], log])))
        assert [request.signal for request in found] == [Signal.TRACES, Signal.LOGS, Signal.TRACES, Signal.LOGS]
        assert [request.body for request in found] == [BODIES[0], log, BODIES[1], log]
        assert damage == []

    def test_what_is_neither_spans_nor_logs_by_its_content_is_what_the_name_says(self, tmp_path: Path) -> None:
        nothing = ExportTraceServiceRequest()
        nothing.resource_spans.add().scope_spans.add()
        body = nothing.SerializeToString()
        found, _ = read(written(tmp_path / "a.logs.otlp", framed([body])))
        assert [request.signal for request in found] == [Signal.LOGS]
        found, _ = read(written(tmp_path / "agents", framed([b"", body])))
        assert [request.signal for request in found] == [Signal.TRACES, Signal.TRACES]

    def test_a_document_whose_line_was_not_ended_does_not_take_the_next_with_it(self, tmp_path: Path) -> None:
        content = traces_json(1) + traces_json(2) + b"\n" + traces_json(3) + b"\n"
        assert numbers(written(tmp_path / "a.jsonl", content)) == [1, 2, 3]

    @pytest.mark.parametrize("cut", [5, 40, 80])
    def test_a_document_cut_by_a_kill_is_named_and_what_was_written_behind_it_is_read(
        self, tmp_path: Path, cut: int
    ) -> None:
        first = traces_json(1) + b"\n"
        path = written(tmp_path / "a.jsonl", first + traces_json(2)[:cut] + traces_json(3) + b"\n" + traces_json(4))
        found, (damage,) = read(path)
        assert [request.offset for request in found] == [0, len(first) + cut, len(first) * 2 + cut]
        (offset,) = re.findall(rf"^{path}: offset (\d+): not JSON", damage)
        assert len(first) < int(offset) < len(first) + cut + 10

    def test_a_file_that_begins_in_the_middle_of_a_document_is_read_from_the_next(self, tmp_path: Path) -> None:
        found, (damage,) = read(written(tmp_path / "a.jsonl", traces_json(1)[30:] + b"\n" + traces_json(2) + b"\n"))
        assert len(found) == 1
        assert "not JSON" in damage

    @pytest.mark.parametrize("cut", [1, 20, 60])
    def test_a_packed_request_cut_by_a_kill_costs_itself_alone(self, tmp_path: Path, cut: int) -> None:
        before = zstd_framed(BODIES[:2])
        content = before + zstd_framed([BODIES[2]])[:-cut] + zstd_framed(BODIES[3:])
        found, (damage,) = read(written(tmp_path / "agents", content))
        assert [request.body for request in found] == BODIES[:2] + BODIES[3:]
        assert f"offset {len(before)}:" in damage

    def test_zstd_that_is_cut_short_gives_what_was_before_the_cut(self, tmp_path: Path) -> None:
        many = [trace_request([chat(number, 1, number, f"c{number * 7919 % 1000}")]) for number in range(1, 3000)]
        content = zstd.compress(framed(many))
        found, damage = read(written(tmp_path / "a.otlp.zst", content[: len(content) * 2 // 3]))
        assert 100 < len(found) < 2999
        assert [request.body for request in found] == many[: len(found)]
        assert "the zstd stream is cut short" in damage[0]


class TestMemory:
    """Files are read piece by piece: what a file needs does not grow with it."""

    PEAK = """
import resource, sys
from pathlib import Path
from spanwitness.importer import Recording
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
recording = Recording(Path(sys.argv[1]))
count = sum(1 for _ in recording.requests())
unit = 1 if sys.platform == "darwin" else 1024
print(count, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit, len(recording.damage))
"""

    def measured(self, path: Path) -> tuple[int, int, int]:
        done = subprocess.run(  # noqa: S603 - ours
            [sys.executable, "-c", self.PEAK, str(path)], capture_output=True, text=True, check=True
        )
        count, peak, damage = done.stdout.split()
        return int(count), int(peak), int(damage)

    @pytest.mark.parametrize("form", ["frames", "lines", "gzip", "damaged", "hole"])
    def test_a_file_of_64_mb_takes_less_than_a_third_of_that(self, tmp_path: Path, form: str) -> None:
        many = 8000
        big = trace_request([chat(1, n, n, "c", attributes={"gen_ai.input.messages": "x" * 980}) for n in range(1, 7)])
        line = traces_json(*range(1, 90)) + b"\n"
        content = {
            "frames": lambda: framed([big]) * many,
            "lines": lambda: line * many,
            "gzip": lambda: gzip.compress(framed([big]) * many, 1),
            "damaged": lambda: framed([big]) + b"\xff" * (len(big) * many) + framed([big]),
            "hole": lambda: framed([big]) + bytes(len(big) * many) + framed([big]),
        }[form]()
        plain = len(zlib.decompress(content, wbits=31)) if form == "gzip" else len(content)
        assert plain > 60 * 10**6
        count, peak, damage = self.measured(written(tmp_path / ("a.jsonl" if form == "lines" else "a.otlp"), content))
        assert (count, damage) == ((2, 1) if form in {"damaged", "hole"} else (many, 0))
        assert peak < 20 * 10**6


class TestDamage:
    def test_a_frame_that_cannot_be_decoded_is_skipped_and_named(self, tmp_path: Path) -> None:
        broken = b"\xff" * len(BODIES[2])
        path = written(tmp_path / "a.otlp", framed([*BODIES[:2], broken, *BODIES[3:]]))
        found, damage = read(path)
        assert [request.body for request in found] == BODIES[:2] + BODIES[3:]
        at = len(framed(BODIES[:2]))
        assert damage == [f"{path}: offset {at}: the request cannot be decoded; {4 + len(broken)} bytes skipped"]

    def test_a_wrong_length_costs_one_request_alone(self, tmp_path: Path) -> None:
        content = bytearray(framed(BODIES))
        at = len(framed(BODIES[:2]))
        content[at : at + 4] = (2**31).to_bytes(4, "big")
        found, (damage,) = read(written(tmp_path / "a.otlp", bytes(content)))
        assert [request.body for request in found] == BODIES[:2] + BODIES[3:]
        assert f"offset {at}: no whole request" in damage

    def test_bytes_that_are_missing_in_the_middle_cost_what_they_cut(self, tmp_path: Path) -> None:
        content = framed(BODIES)
        at = len(framed(BODIES[:2]))
        found, damage = read(written(tmp_path / "a.otlp", content[: at + 20] + content[at + 30 :]))
        assert [request.body for request in found] == BODIES[:2] + BODIES[3:]
        assert len(damage) == 1
        assert f"offset {at}:" in damage[0]

    @pytest.mark.parametrize("cut", [1, 50, 170])
    def test_a_file_cut_short_loses_its_last_request_alone(self, tmp_path: Path, cut: int) -> None:
        path = written(tmp_path / "a.otlp", framed(BODIES)[:-cut])
        found, (damage,) = read(path)
        assert [request.body for request in found] == BODIES[:4]
        assert damage.startswith(f"{path}: offset {len(framed(BODIES[:4]))}: no whole request")

    @pytest.mark.parametrize("rest", [1, 3, 4])
    def test_a_file_cut_within_a_length_or_after_it(self, tmp_path: Path, rest: int) -> None:
        whole = framed(BODIES[:4])
        found, (damage,) = read(written(tmp_path / "a.otlp", framed(BODIES)[: len(whole) + rest]))
        assert [request.body for request in found] == BODIES[:4]
        assert f"offset {len(whole)}: no whole request; {rest} bytes skipped" in damage

    def test_gzip_that_is_cut_short_gives_what_was_before_the_cut(self, tmp_path: Path) -> None:
        many = [trace_request([chat(number, 1, number, f"c{number * 7919 % 1000}")]) for number in range(1, 300)]
        content = gzip.compress(framed(many))
        found, damage = read(written(tmp_path / "a.otlp.gz", content[: len(content) * 2 // 3]))
        assert 100 < len(found) < 299
        assert [request.body for request in found] == many[: len(found)]
        assert "the gzip stream is cut short" in damage[0]

    def test_gzip_that_is_damaged_gives_what_was_before_it(self, tmp_path: Path) -> None:
        first, second = gzip.compress(framed(BODIES[:2])), bytearray(gzip.compress(framed(BODIES[2:])))
        second[12:40] = b"\xff" * 28
        found, damage = read(written(tmp_path / "a.otlp.gz", first + bytes(second)))
        assert [request.body for request in found] == BODIES[:2]
        assert "damaged gzip" in damage[0]

    def test_a_broken_json_line_is_named_and_the_others_are_read(self, tmp_path: Path) -> None:
        first = traces_json(1) + b"\n"
        path = written(tmp_path / "a.jsonl", first + b'{"resourceSpans": [\n' + traces_json(2))
        found, (damage,) = read(path)
        assert len(found) == 2
        assert f"{path}: offset " in damage
        assert "not JSON" in damage

    def test_a_line_that_is_json_and_no_otlp_is_named_with_what_is_allowed(self, tmp_path: Path) -> None:
        first = traces_json(1) + b"\n"
        found, (damage,) = read(written(tmp_path / "a.jsonl", first + b'{"hello": 1}\n' + b"[1]\n"[:0]))
        assert len(found) == 1
        assert f"offset {len(first)}: neither resourceSpans nor resourceLogs in it; allowed: .otlp" in damage

    def test_ids_that_are_no_hex_are_named(self, tmp_path: Path) -> None:
        found, (damage,) = read(written(tmp_path / "a.json", b'{"resourceSpans": {"no": "list"}}'))
        assert found == []
        assert "offset 0:" in damage

    @pytest.mark.parametrize("content", [b"", b"  \n"])
    def test_an_empty_json_file_is_named(self, tmp_path: Path, content: bytes) -> None:
        assert "the file is empty" in read(written(tmp_path / "a.json", content))[1][0]

    @pytest.mark.parametrize("content", [b"\x00\x01\x02", b"PK\x03\x04zip", b"plain words"])
    def test_a_form_that_is_not_known_is_damage_and_no_crash(self, tmp_path: Path, content: bytes) -> None:
        found, damage = read(written(tmp_path / "a.bin", content))
        assert found == []
        assert len(damage) == 1

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(SpanWitnessError, match=r"nowhere\.otlp: No such file or directory"):
            read(tmp_path / "nowhere.otlp")

    def test_a_folder_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(SpanWitnessError, match="Is a directory"):
            read(tmp_path)
