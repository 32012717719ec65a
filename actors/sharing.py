"""Findings of one agent's archive that another is told: how they read, and what the sender is told. All pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from callboard.events import Text
from callboard.projections.fencing import set_in
from callboard.projections.words import name_of

if TYPE_CHECKING:
    from .search import Hit

NOTHING = "nothing in your archive fits {query!r}; nothing was sent"
"""What a model is told that found nothing to share."""


def bullets(agent: str, archive: str, query: str, found: Sequence[Hit]) -> str:
    """Return what the other agent is told: a line for each finding, with where it comes from. Pure."""
    head = f"Memories of {agent} about {query!r}, from the archive {name_of(archive)}:"
    return "\n".join([head, *(_bullet(one) for one in found)])


def _bullet(one: Hit) -> str:
    tags = f"; {', '.join(one.tags)}" if one.tags else ""
    return set_in(f"- p{one.number} ({one.at:%Y-%m-%d}{tags}): {one.text}")


def told(text: str, to: str, came: tuple[Text, bool]) -> tuple[Text, bool]:
    """Return what the sender is told of findings that went to `to`, and whether they arrived. Pure."""
    numbers = ", ".join(re.findall(r"^- (p\d+) ", text, re.MULTILINE))
    return (Text(f"{to} was sent {numbers}: {came[0]}"), True) if came[1] else came
