"""Who judges, from the configuration, the environment and files."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.config import JudgeConfig
from spanwitness.errors import ConfigError
from spanwitness.judge.settings import JudgeSettings, judge_settings

if TYPE_CHECKING:
    from pathlib import Path


def test_without_a_model_nobody_judges() -> None:
    assert judge_settings(JudgeConfig()) is None
    assert judge_settings(JudgeConfig(url="", key_env="NOT_SET_ANYWHERE")) is None


def test_all_of_it_is_taken_over() -> None:
    config = JudgeConfig(
        url="https://judge.example/v1/",
        model="judge-large",
        timeout=dt.timedelta(seconds=9),
        redact=False,
        input_price=2.5,
        output_price=10,
    )
    settings = judge_settings(config)
    assert settings == JudgeSettings("https://judge.example/v1", "judge-large", "", 9.0, False, 2.5, 10)
    assert settings.cost_usd(1_000_000, 100_000) == 3.5
    assert settings.in_the_clear == []


def test_the_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-file\n")
    monkeypatch.setenv("JUDGE_KEY", " sk-env ")
    both = judge_settings(JudgeConfig(model="m", key_env="JUDGE_KEY", key_file=str(tmp_path / "key")))
    file = judge_settings(JudgeConfig(model="m", key_file=str(tmp_path / "key")))
    assert both is not None
    assert file is not None
    assert (both.key, file.key) == ("sk-env", "sk-file")
    assert "sk-" not in repr(both)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (JudgeConfig(model="m", url=""), "judge.url = ''"),
        (JudgeConfig(model="m", key_env="NOT_SET_ANYWHERE"), "judge.key_env = 'NOT_SET_ANYWHERE'"),
        (JudgeConfig(model="m", key_env="EMPTY_KEY"), "judge.key_env = 'EMPTY_KEY'"),
        (JudgeConfig(model="m", key_env="TWO_LINES"), "judge.key_env = 'TWO_LINES'"),
        (JudgeConfig(model="m", key_file="/no/such/file"), "judge.key_file = '/no/such/file'"),
        (JudgeConfig(model="m", key_file="/dev/null"), "judge.key_file = '/dev/null'"),
    ],
)
def test_a_key_that_cannot_be_had_is_told_by_its_setting(
    config: JudgeConfig, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPTY_KEY", " ")
    monkeypatch.setenv("TWO_LINES", "sk-one\nsk-two")
    with pytest.raises(ConfigError) as raised:
        judge_settings(config)
    assert told in str(raised.value)
    assert "allowed" in str(raised.value)
    assert "sk-" not in str(raised.value)


def test_a_key_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        judge_settings(JudgeConfig(model="m", key_file=str(tmp_path / "key")))


@pytest.mark.parametrize(
    ("url", "keys"),
    [
        ("http://judge.example/v1", ["judge.url"]),
        ("https://judge.example/v1", []),
        ("http://localhost:8000/v1", []),
        ("http://127.0.0.2/v1", []),
        ("http://[::1]:8000/v1", []),
        ("http://127.0.0.1.example/v1", ["judge.url"]),
    ],
)
def test_what_goes_without_tls_over_a_network_is_said(url: str, keys: list[str]) -> None:
    assert JudgeSettings(url, "m").in_the_clear == keys


def test_of_its_address_the_record_keeps_what_is_no_secret() -> None:
    one, other = (JudgeSettings(f"https://judge.example:8443/{path}/v1", "m") for path in ("of-us", "of-others"))
    assert one.origin == other.origin == "https://judge.example:8443"
    assert JudgeSettings("http://[::1]:8000", "m").origin == "http://[::1]:8000"
    assert (one.url_digest, other.url_digest) == ("bd29756b", "3f4e8b17")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"url": ""}, "judge.url"),
        ({"url": "judge.example/v1"}, "judge.url"),
        ({"url": "https://me:sk-secret@judge.example/v1"}, "judge.url"),  # the client logs the address
        ({"url": "https://judge.example/v1?key=sk-secret"}, "judge.url"),
        ({"url": "http://judge.example:99999/v1"}, "judge.url"),
        ({"model": ""}, "judge.model"),
        ({"key": "sk-secr\u00e9t"}, "key"),
        ({"key": "sk-secret\n"}, "key"),
        ({"key": "sk secret"}, "key"),
        ({"timeout_s": 0.0}, "timeout_s = 0.0"),
        ({"timeout_s": float("nan")}, "timeout_s = nan"),
        ({"input_price": -1.0}, "input_price = -1.0"),
        ({"output_price": float("inf")}, "output_price = inf"),
    ],
)
def test_what_would_fail_with_every_question_is_refused_at_once(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        JudgeSettings(**{"url": "https://judge.example/v1", "model": "m", **changes})
    assert told in str(raised.value)
    assert "allowed" in str(raised.value)
    assert "secr" not in str(raised.value)
