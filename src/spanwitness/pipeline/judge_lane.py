"""The judging lane as a server and an import run it: the configured judge, and a thread of its own."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from spanwitness.errors import ConfigError, StoreError, fault
from spanwitness.judge.endpoint import Endpoint
from spanwitness.judge.settings import judge_settings
from spanwitness.pipeline.judge_rules import JudgeRules
from spanwitness.pipeline.judging import Judging

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from spanwitness.config import JudgeConfig
    from spanwitness.metrics import Meters
    from spanwitness.model import Slot
    from spanwitness.pipeline.judge_rules import Judge
    from spanwitness.store import Store

log = logging.getLogger(__name__)
GRACE_S: Final = 3.0
"""How long the end of a process waits for calls that are under way. Their tasks wait in the store."""


def judge_rules(config: JudgeConfig) -> JudgeRules:
    """How judges are asked, as configured.

    Raises:
        ConfigError: a budget without prices, which nothing would ever be held to.
    """
    rules = JudgeRules(config.concurrency, config.attempts, config.budget, config.budget_by_tenant, config.cache)
    if rules.limited and not (config.input_price or config.output_price):
        key = "budget" if config.budget else "budget_by_tenant"
        raise ConfigError(f"judge.{key} has no effect without judge.input_price and judge.output_price")
    return rules


def open_judge(config: JudgeConfig) -> Judge | None:
    """The configured judge; None where there is none. Raises ConfigError."""
    settings = judge_settings(config)
    if settings is None:
        return None
    for key in settings.in_the_clear:
        log.warning("%s is http://: conversations can be read on the way; https:// is safe", key)
    return Endpoint(settings)


class JudgeLane:
    """Judges beside both other lanes, neither of which waits for it."""

    def __init__(self, judging: Judging) -> None:
        self._judging = judging
        # Nobody waits for it at the end but `stop`, and that not for long.
        self._thread = threading.Thread(target=self._run, name="spanwitness-judge", daemon=True)

    @classmethod
    def configured(
        cls,
        config: JudgeConfig,
        store: Store,
        clock: Callable[[], dt.datetime],
        touched: Callable[[dict[Slot, int]], None],
        meters: Meters,
    ) -> JudgeLane | None:
        """The lane of the configured judge; None where there is none. Raises ConfigError."""
        rules, judge = judge_rules(config), open_judge(config)
        return cls(Judging(store, judge, rules, clock, touched, meters)) if judge is not None else None

    def start(self) -> None:
        """Judges from now on."""
        self._thread.start()

    def wake(self) -> None:
        """Conversations have closed. From any thread."""
        self._judging.wake()

    def hurry(self) -> None:
        """Nothing more is asked. From any thread."""
        self._judging.hurry()

    def stop(self) -> None:
        """Ends within a few seconds, whatever the judge does. Also where it was never started."""
        self._judging.hurry()
        if self._thread.is_alive():
            self._thread.join()
        else:
            self._finish()

    def _run(self) -> None:
        self._judging.run()
        self._finish()

    def _finish(self) -> None:
        try:
            self._judging.finish(GRACE_S)
        except Exception as error:  # noqa: BLE001 - what is not recorded is asked again
            why = str(error) if isinstance(error, StoreError) else fault(error)
            log.warning("answers of the judge that came at the end could not be recorded: %s", why)
