"""What stands outside the configuration file: headers and certificates. Credentials are never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.config import ForwardConfig
from spanwitness.errors import ConfigError
from spanwitness.forward.settings import HopSettings, hop_settings
from tests.forward.conftest import CERTIFICATE

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cr3t"  # noqa: S105 - of this test


def settings(**keys: Any) -> HopSettings:
    return hop_settings(ForwardConfig(**{"endpoint": "grpc://next:4317", **keys}))


def test_the_defaults_send_nothing_extra() -> None:
    found = settings()
    assert (found.gzip, found.timeout_s, found.ca, found.headers) == (False, 4.0, None, {})


@pytest.mark.parametrize(
    ("endpoint", "over_grpc", "secure", "by_proxy"),
    [
        ("grpc://next:4317", True, False, True),
        ("grpcs://next:443", True, True, True),
        ("http://127.0.0.1:4318", False, False, False),
        ("https://localhost:4318", False, True, False),
        ("http://[::1]:4318", False, False, False),
    ],
)
def test_the_scheme_says_which_way(endpoint: str, over_grpc: bool, secure: bool, by_proxy: bool) -> None:
    found = settings(endpoint=endpoint)
    assert (found.over_grpc, found.secure, found.by_proxy) == (over_grpc, secure, by_proxy)


def test_headers_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text(f"# for the backend\n\nAuthorization: Bearer {SECRET}\nX-Scope : a:b \n")
    found = settings(headers_file=str(file))
    assert found.headers == {"authorization": f"Bearer {SECRET}", "x-scope": "a:b"}
    assert SECRET not in repr(found)


def test_headers_from_the_environment_go_before_those_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "headers"
    file.write_text("x-a: file\nx-b: file\n")
    monkeypatch.setenv("NEXT_HEADERS", "x-a=one%20two%3D, X-C=3,")
    found = settings(headers_file=str(file), headers_env="NEXT_HEADERS")
    assert found.headers == {"x-a": "one two=", "x-b": "file", "x-c": "3"}


@pytest.mark.parametrize("line", [SECRET, f": {SECRET}", "x-a:", f"x a: {SECRET}", f"x-a: {SECRET}\x01", "x-ä: 1"])
def test_a_line_that_is_no_header_is_told_by_its_number_alone(tmp_path: Path, line: str) -> None:
    file = tmp_path / "headers"
    file.write_text(f"x-good: 1\n{line}\n")
    with pytest.raises(ConfigError) as told:
        settings(headers_file=str(file))
    assert str(told.value) == f"forward.headers_file = {str(file)!r}: line 2: allowed is `Name: value`"


@pytest.mark.parametrize(
    "text",
    [SECRET, f"={SECRET}", "x-a=", f"x-a={SECRET}%0d%0ax-b: 1", f"x-key-bin={SECRET}", "Content-Length=3"],
)
def test_a_variable_that_holds_no_headers_is_named_without_them(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("NEXT_HEADERS", text)
    with pytest.raises(ConfigError) as told:
        settings(headers_env="NEXT_HEADERS")
    assert str(told.value) == "forward.headers_env = 'NEXT_HEADERS': allowed in it is name=value,name=value"


def test_a_variable_that_is_not_set_is_told() -> None:
    with pytest.raises(
        ConfigError, match=r"forward\.headers_env = 'SURELY_NOT_SET': allowed is an environment variable"
    ):
        settings(headers_env="SURELY_NOT_SET")


@pytest.mark.parametrize("key", ["headers_file", "ca"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError, match=rf"forward\.{key} = .*none.*: No such file or directory; allowed is a file"):
        settings(**{key: str(tmp_path / "none")})


def test_headers_that_are_no_text_are_told(tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="allowed is text"):
        settings(headers_file=str(file))


def test_certificates_are_looked_at_before_anything_is_opened(tmp_path: Path) -> None:
    assert settings(endpoint="grpcs://next:443", ca=str(CERTIFICATE)).ca == CERTIFICATE.read_bytes()
    for content in (b"", b"no certificate", b"\xff"):
        file = tmp_path / "ca.pem"
        file.write_bytes(content)
        with pytest.raises(ConfigError, match=r"forward\.ca = .*: allowed is a file of certificates as PEM"):
            settings(ca=str(file))
