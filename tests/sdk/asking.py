"""How the tests ask the model on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import openai

if TYPE_CHECKING:
    from tests.sdk.model_server import ModelServer

HELLO: Any = [{"role": "user", "content": "hello"}]
ASKED = {"model": "gpt-4o", "messages": HELLO}


def openai_at(server: ModelServer) -> openai.OpenAI:
    """OpenAI's client; it does not try again."""
    return openai.OpenAI(api_key="none", base_url=f"{server.address}/v1", max_retries=0)


def ask_httpx(server: ModelServer) -> None:
    httpx.post(f"{server.address}/v1/chat/completions", json=ASKED)
