"""Secrets in a text: keys and tokens by the form that their issuers publish, and passwords and codes told as such."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# Forms as documented by the issuers: OpenAI and Anthropic (sk-), Stripe, AWS, GitHub, GitLab, Slack, Google, npm,
# Hugging Face, SendGrid; JSON web tokens (RFC 7519). Each begins with a letter, not a look-behind, which keeps the
# search fast.
_KEY: Final = re.compile(
    r"sk-[A-Za-z0-9_-]{20,256}"
    r"|[srp]k_(?:live|test)_[A-Za-z0-9]{16,128}"
    r"|A(?:KIA|SIA)[0-9A-Z]{16}"
    r"|gh[pousr]_[A-Za-z0-9]{36,255}"
    r"|github_pat_[A-Za-z0-9_]{22,255}"
    r"|glpat-[A-Za-z0-9_-]{20,128}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,255}"
    r"|AIza[0-9A-Za-z_-]{35}"
    r"|ya29\.[0-9A-Za-z_-]{20,512}"
    r"|npm_[A-Za-z0-9]{36}"
    r"|hf_[A-Za-z0-9]{30,64}"
    r"|SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,128}"
    r"|eyJ(?<![A-Za-z0-9_-]eyJ)[A-Za-z0-9_-]{8,4096}\.eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{0,4096}"
)
# A text without any of these holds no such key, and looking for them is much faster.
_KEY_MARKS: Final = (
    "sk-", "k_live_", "k_test_", "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox",
    "AIza", "ya29.", "npm_", "hf_", "SG.", "eyJ",
)  # fmt: skip
_BLOCK_BEGINS: Final = re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----")
_BLOCK: Final = re.compile(r"(?:[^\"'<>-]|-(?!-)){0,16384}-----END [A-Z ]{0,30}PRIVATE KEY-----")
_IN_URL: Final = re.compile(r"://[^\s\"'\\/@:<>]{0,64}:([^\s\"'\\/@<>*]{1,128})@")

# What is named before a secret, in lower case; then what stands between; then the secret.
_PASSWORD_NAME: Final = re.compile(
    r"pass(?:word|phrase|wd|code|wort)|pwd|kennwort|contrase[nñ]a|mot de passe|senha|парол[ья]|كلمة المرور|密码|密碼"
    r"|パスワード|비밀번호|api[ _-]?(?:key|token|secret)|access[ _-]?(?:key|token)|secret(?:[ _-]?key)?"
    r"|client[ _-]secret|auth[ _-]?token|bearer[ _-]token"
)
_CODE_NAME: Final = re.compile(
    r"pin|cv[vcn]2?|otp|passcode|暗証番号|验证码"
    r"|(?:one[- ]time|verification|security|access|authentication|login)[ -](?:pass)?(?:code|password|pin)"
)
_BEARER_NAME: Final = re.compile("bearer")
_MEANS: Final = r"[\"'`*_]{0,3} ?(?:(?:is|ist|est|es|was|lautet)(?![a-z])|[:=])[ :]{0,3}[\"'`*_]{0,3}"
_PASSWORD: Final = re.compile(
    _MEANS + r"(?=[^\s\"'`<>]{0,63}\d)([^\s\"'`\\<>\[\]{},*\u2022]{6,128})",
    re.IGNORECASE,
)
_CODE: Final = re.compile(r"(?: (?:code|number))?" + _MEANS + r"(\d{3,8})(?![A-Za-z0-9_]|[.,]\d)", re.IGNORECASE)
_BEARER: Final = re.compile(r" {1,3}(?=[^\s\"'<>]{0,127}\d)([A-Za-z0-9._~+/=-]{16,4096})")
# Likewise: each of the names holds one of these.
_PASSWORD_MARKS: Final = (
    "pass", "pwd", "key", "token", "secret", "kennwort", "contrase", "senha", "парол", "كلمة", "密", "パスワード",
    "비밀번호",
)  # fmt: skip
_CODE_MARKS: Final = ("pin", "cv", "otp", "pass", "code", "暗証番号", "验证码")
_TOLD: Final = (
    (_PASSWORD_MARKS, _PASSWORD_NAME, _PASSWORD),
    (_CODE_MARKS, _CODE_NAME, _CODE),
    (("bearer",), _BEARER_NAME, _BEARER),
)
_TRAILING: Final = ".,;:)"
_SHORTEST_PASSWORD: Final = 6
# A letter that is two in lower case; all others keep their place.
_DOTTED_I: Final = "\u0130"


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Spans of secrets: of one that is told, the value alone. A secret without a digit is taken for a word."""
    yield from _keys(text)
    for begin in _BLOCK_BEGINS.finditer(text):
        block = _BLOCK.match(text, begin.end())
        if block:
            yield begin.start(), block.end()
    for match in _IN_URL.finditer(text):
        yield match.span(1)
    yield from _told(text)


def _keys(text: str) -> Iterator[tuple[int, int]]:
    if any(mark in text for mark in _KEY_MARKS):
        for match in _KEY.finditer(text):
            if _begins_word(text, match.start()) and any(map(str.isdigit, match.group())):
                yield match.span()


def _told(text: str) -> Iterator[tuple[int, int]]:
    lower = text.replace(_DOTTED_I, "I").lower()
    for marks, name, value in _TOLD:
        if any(mark in lower for mark in marks):
            for named in name.finditer(lower):
                told = _begins_word(text, named.start()) and value.match(text, named.end())
                if told:
                    yield from _trimmed(told, _SHORTEST_PASSWORD if value is _PASSWORD else 1)


def _begins_word(text: str, start: int) -> bool:
    before = text[start - 1 : start]
    return not (before.isascii() and before.isalnum())


def _trimmed(told: re.Match[str], shortest: int) -> Iterator[tuple[int, int]]:
    """The value without the marks of its sentence, unless none of it or no digit is left."""
    value = told[1].rstrip(_TRAILING)
    if len(value) >= shortest and any(map(str.isdigit, value)):
        yield told.start(1), told.start(1) + len(value)
