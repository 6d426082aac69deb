from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.sdk.patching import Patch

if TYPE_CHECKING:
    from collections.abc import Callable


class Client:
    def send(self, text: str) -> str:
        """Sends."""
        return text


class AsyncClient:
    async def send(self, text: str) -> str:
        return text


def shouting(send: Callable[..., Any]) -> Callable[..., Any]:
    return lambda client, text: send(client, text).upper()


def test_it_wraps_and_gives_back() -> None:
    original = Client.send
    patch = Patch(Client, "send", shouting)
    assert (Client().send("a"), Client.send.__doc__) == ("A", "Sends.")
    patch.undo()
    patch.undo()
    assert Client.send is original


def test_an_async_method_stays_one() -> None:
    def around(send: Callable[..., Any]) -> Callable[..., Any]:
        async def wrapped(client: AsyncClient, text: str) -> str:
            return str(await send(client, text)).upper()

        return wrapped

    patch = Patch(AsyncClient, "send", around)
    assert inspect.iscoroutinefunction(AsyncClient.send)
    assert asyncio.run(AsyncClient().send("a")) == "A"
    patch.undo()
    assert asyncio.run(AsyncClient().send("a")) == "a"


def test_a_wrapper_over_it_survives_and_it_only_passes_on() -> None:
    class Ours(Client):
        pass

    patch = Patch(Ours, "send", shouting)
    wrapped = Ours.send
    theirs = lambda client, text: f"<{wrapped(client, text)}>"  # noqa: E731 - it takes the place of a method
    Ours.send = theirs  # type: ignore[method-assign]
    assert Ours().send("a") == "<A>"
    patch.undo()
    assert Ours.send is theirs
    assert Ours().send("a") == "<a>"


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(AttributeError):
        Patch(Client, "receive", shouting)
