"""One request to many, from outside."""

from __future__ import annotations

from collections.abc import Iterable

import anyio
from pydantic import BaseModel

from callboard.events import CallboardError
from callboard.projections.answer import Answer

from .ref import Ref

Outcome = Answer | CallboardError | TimeoutError


async def broadcast(
    to: Iterable[Ref], text: str | BaseModel, *, key: str | None = None, timeout: float | None = None, at_once: int = 16
) -> dict[str, Outcome]:
    """Ask each of `to`, `at_once` at the same time; return what came of each by its name. Raises for none of them.

    Args:
        key: Each is asked under this key, so that the same broadcast again is the same requests.
        timeout: Seconds that each is waited for.
    """
    found: dict[str, Outcome] = {}
    free = anyio.CapacityLimiter(at_once)

    async def ask(ref: Ref) -> None:
        async with free:
            try:
                found[ref.name] = await ref.ask(text, key=key, timeout=timeout)
            except (CallboardError, TimeoutError) as error:
                found[ref.name] = error

    refs = list({ref.address: ref for ref in to}.values())
    async with anyio.create_task_group() as tasks:
        for ref in refs:
            tasks.start_soon(ask, ref)
    return {ref.name: found[ref.name] for ref in refs}
