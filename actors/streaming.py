"""Text as it arrives: a live preview of replies that are not yet facts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .model import ModelRequest


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of a reply on its way. It is not recorded; the whole reply is, when it is whole.

    Attributes:
        call: The model call.
        attempt: Which attempt; a new one begins the text anew.
    """

    agent: str
    call: str
    attempt: int
    text: str


Listener = Callable[[TextDelta], None]


class Deltas:
    """Hands pieces of text to whoever listens to their request. A listener must not block."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Listener]] = {}

    def listen(self, trace: str, listener: Listener) -> None:
        """Call `listener` with every piece that comes of the request `trace`."""
        self._listeners.setdefault(trace, []).append(listener)

    def ignore(self, trace: str, listener: Listener) -> None:
        """Call `listener` no more."""
        left = [other for other in self._listeners.get(trace, []) if other is not listener]
        if left:
            self._listeners[trace] = left
        else:
            self._listeners.pop(trace, None)

    def sayer(self, request: ModelRequest, *, aloud: bool = True) -> Callable[[str], None]:
        """Return what a model calls with each piece of its reply; nobody hears it unless it is said aloud."""
        trace = request.id.split("/", 1)[0]

        def say(text: str) -> None:
            for listener in self._listeners.get(trace, ()) if aloud else ():
                listener(TextDelta(request.agent, request.id, request.attempt, text))

        return say
