"""Secrets: keys by their form, and what is told to be a password or a code. None of those here opens anything."""

from __future__ import annotations

import pytest

from spanwitness.evaluators.pii_find import find

FILL = "a1B2c3D4" * 8


def secrets(text: str) -> list[str]:
    return [text[start:end] for kind, start, end in find(text) if kind == "SECRET"]


@pytest.mark.parametrize(
    "key",
    [
        "sk-" + FILL[:24],
        "sk-proj-" + FILL,
        "sk_live_" + FILL[:24],
        "AKIA" + "A1B2C3D4E5F6G7H8",
        "ghp_" + FILL[:36],
        "github_pat_" + FILL[:30],
        "glpat-" + FILL[:20],
        "xoxb-" + "1234567890-" + FILL[:12],
        "AIza" + FILL[:35],
        "ya29." + FILL[:30],
        "npm_" + FILL[:36],
        "hf_" + FILL[:34],
        "SG." + FILL[:22] + "." + FILL[:43],
        "eyJ" + FILL[:20] + ".eyJ" + FILL[:30] + "." + FILL[:20],
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n" + FILL + "\n-----END RSA PRIVATE KEY-----",
    ],
    ids=lambda key: key[:11],
)
def test_keys_and_tokens_by_their_form(key: str) -> None:
    assert secrets(f"Use {key} for it") == [key]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Your new password is Sommer2024!", "Sommer2024!"),
        ("Password: hunter22.", "hunter22"),
        ('{"password": "hunter22"}', "hunter22"),
        ("**Passwort** ist hunter22", "hunter22"),
        ("contraseña es hunter22", "hunter22"),
        ("密码\uff1ahunter22", "hunter22"),
        ("API key = abc123def456", "abc123def456"),
        ("Authorization: Bearer abc123def456ghi789", "abc123def456ghi789"),
        ("Your PIN is 4821", "4821"),
        ("The CVV: 123.", "123"),
        ("your verification code is 482913", "482913"),
        ("postgres://jo:s3cret@db.example.com/x", "s3cret"),
    ],
)
def test_what_is_told_to_be_a_secret(text: str, value: str) -> None:
    assert secrets(text) == [value]


@pytest.mark.parametrize(
    "text",
    [
        "Your password is required, 2 characters at least",
        "The password is incorrect. 3 tries left.",
        "Password: ******** 1",
        "Your password must have 8 characters",
        "shipping is 1234",
        "the zip code is 94105",
        "promo code is 123456",
        "The opinion is 1234",
        "sk-not-a-key-1",
        "task-a1b2c3d4a1b2c3d4a1b2c3d4",
        "-----BEGIN PUBLIC KEY-----1-----END PUBLIC KEY-----",
        "password: <SECRET_1>",
        "http://example.com:8080/@x",
    ],
)
def test_what_is_none(text: str) -> None:
    assert secrets(text) == []
