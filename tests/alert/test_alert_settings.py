"""Who is told of alerts, and with which credentials; these are never shown."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.alert.settings import AlertSettings, alert_settings
from spanwitness.config import AlertsConfig, parse
from spanwitness.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cr3t"  # noqa: S105 - of this test
HOOK = "https://hooks.example/services/T0/s3cr3t?token=s3cr3t"


def settings(**keys: Any) -> AlertSettings:
    return alert_settings(AlertsConfig(**{"webhook": HOOK, **keys}))


def test_the_defaults_tell_nobody() -> None:
    found = alert_settings(parse({}).alerts)
    assert (found.alertmanager, found.webhook, found.secret, dict(found.headers)) == ("", "", "", {})


def test_neither_a_secret_nor_a_header_nor_the_path_of_a_webhook_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("HOOK_HEADERS", f"authorization=Bearer%20{SECRET}")
    found = settings(secret_env="HOOK_SECRET", headers_env="HOOK_HEADERS")  # noqa: S106 - a name
    assert (found.secret, found.headers) == (SECRET, {"authorization": f"Bearer {SECRET}"})
    assert SECRET not in repr(found)


def test_a_secret_from_a_file_without_the_end_of_its_line(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    assert settings(secret_file=str(file)).secret == SECRET


def test_what_stands_in_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("of the file")
    (tmp_path / "headers").write_text("# both receivers\n\nx-a: file\nX-B: file\n")
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("HOOK_HEADERS", "x-a=one%20two%3D,")
    found = settings(
        secret_file=str(tmp_path / "secret"),
        secret_env="HOOK_SECRET",  # noqa: S106 - a name
        headers_file=str(tmp_path / "headers"),
        headers_env="HOOK_HEADERS",
    )
    assert (found.secret, found.headers) == (SECRET, {"x-a": "one two=", "x-b": "file"})


@pytest.mark.parametrize("key", ["secret_env", "headers_env"])
def test_a_variable_that_is_not_set_is_told(key: str) -> None:
    with pytest.raises(ConfigError) as told:
        settings(**{key: "SURELY_NOT_SET"})
    assert str(told.value) == f"alerts.{key} = 'SURELY_NOT_SET': allowed is an environment variable that is set"


@pytest.mark.parametrize("key", ["secret_file", "headers_file"])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, key: str) -> None:
    missing, binary = tmp_path / "none", tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=rf"alerts\.{key} = .*none.*: No such file .*; allowed is a file that"):
        settings(**{key: str(missing)})
    with pytest.raises(ConfigError, match=rf"alerts\.{key} = .*binary.*: allowed is a file of text in UTF-8"):
        settings(**{key: str(binary)})


@pytest.mark.parametrize("content", ["", " \n"])
def test_an_empty_secret_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    file = tmp_path / "secret"
    file.write_text(content)
    monkeypatch.setenv("HOOK_SECRET", content)
    for keys in ({"secret_file": str(file)}, {"secret_env": "HOOK_SECRET"}):
        with pytest.raises(ConfigError, match="allowed in it is a secret that is not empty"):
            settings(**keys)


@pytest.mark.parametrize("line", [SECRET, f": {SECRET}", "x-a:", f"x a: {SECRET}", f"content-type: {SECRET}"])
def test_a_line_that_is_no_header_is_told_by_its_number_alone(tmp_path: Path, line: str) -> None:
    file = tmp_path / "headers"
    file.write_text(f"x-good: 1\n{line}\n")
    with pytest.raises(ConfigError) as told:
        settings(headers_file=str(file))
    assert str(told.value) == f"alerts.headers_file = {str(file)!r}: line 2: allowed is `Name: value`"


def test_a_variable_that_holds_no_headers_is_named_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_HEADERS", SECRET)
    with pytest.raises(ConfigError) as told:
        settings(headers_env="HOOK_HEADERS")
    assert str(told.value) == "alerts.headers_env = 'HOOK_HEADERS': allowed in it is name=value,name=value"


@pytest.mark.parametrize(
    ("keys", "needs"),
    [
        ({"secret_env": "X"}, "alerts.secret_env has no effect without alerts.webhook"),
        ({"secret_file": "X", "alertmanager": "http://a"}, "alerts.secret_file has no effect without alerts.webhook"),
        ({"headers_env": "X"}, "alerts.headers_env has no effect without alerts.alertmanager or alerts.webhook"),
        ({"headers_file": "X"}, "alerts.headers_file has no effect without alerts.alertmanager or alerts.webhook"),
    ],
)
def test_a_credential_that_nobody_would_get_is_told(keys: dict[str, str], needs: str) -> None:
    with pytest.raises(ConfigError, match=f"^{needs}$"):
        settings(**{"webhook": "", **keys})


def test_what_no_alertmanager_can_do_with_is_told() -> None:
    with pytest.raises(ConfigError, match=r"^alerts\.alertmanager: allowed is an address without \? and #") as told:
        settings(alertmanager=f"http://am:9093/?key={SECRET}")
    assert SECRET not in str(told.value)
    with pytest.raises(ConfigError, match=r"^alerts\.resend = '2 days, 0:00:00': allowed is a duration up to '1d'$"):
        settings(resend=dt.timedelta(days=2))


@pytest.mark.parametrize(
    ("url", "secret", "warned"),
    [
        ("http://hooks.example/x", "s", ["alerts.webhook"]),
        ("http://hooks.example/x", "", []),
        ("https://hooks.example/x", "s", []),
        ("http://127.0.0.1:9000/x", "s", []),
        ("http://localhost/x", "s", []),
    ],
)
def test_a_signed_body_over_an_open_network_is_told(url: str, secret: str, warned: list[str]) -> None:
    assert AlertSettings(webhook=url, secret=secret).in_the_clear == warned


def test_a_credential_to_alertmanager_over_an_open_network_is_told() -> None:
    assert AlertSettings(alertmanager="http://am:9093", headers={"x": "y"}).in_the_clear == ["alerts.alertmanager"]
