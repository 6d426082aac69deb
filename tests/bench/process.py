"""What a process has used, seen from outside: from /proc where there is one, from `ps` elsewhere (macOS)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc/self/stat").exists()
_UTIME: Final = 11  # fields of /proc/PID/stat behind the name, which stands in parentheses and may hold anything
_CLOCK: Final = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)")


def cpu_seconds(pid: int) -> float:
    """Processor time of all its threads so far, the engine's among them, in user and system mode."""
    if _PROC:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[_UTIME]) + int(fields[_UTIME + 1])) / os.sysconf("SC_CLK_TCK")
    return clock_seconds(_ps("time", pid))


def memory_bytes(pid: int) -> tuple[int, str]:
    """Resident memory, and whether it is the most there ever was ("peak") or, where only that is told, "now"."""
    if _PROC:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024, "peak"
    return int(_ps("rss", pid)) * 1024, "now"


def clock_seconds(text: str) -> float:
    """`[[days-]hours:]minutes:seconds` as ps writes it. Raises ValueError for anything else."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"not a time of ps: {text!r}")
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _ps(column: str, pid: int) -> str:
    command = [shutil.which("ps") or "/bin/ps", "-o", f"{column}=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - no text of others
