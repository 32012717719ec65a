"""Archives: passages of text that agents and people put away, and what became of each."""

from __future__ import annotations

from .event import Event
from .mail import Reply, TextReply
from .specs import ArchiveSpec
from .text import SaidData, SaidNames, Text


class ArchiveStarted(Event, takes_in=True):
    """An archive began; it holds nothing yet."""

    spec: ArchiveSpec


class ArchiveChanged(Event, takes_in=True):
    """The spec of an archive changed; its passages stay."""

    spec: ArchiveSpec


class PassageReply(Reply):
    """An answer about passage number `n`, which is called `p<n>`; `verb` is the tool that asked for it."""

    verb: str
    n: int


class PassageInserted(PassageReply, takes_in=True):
    """A passage was stored under the next number.

    Attributes:
        text: What it says, as it was said.
        metadata: What else is known of it.
        same: Number of a passage that says the same, but for case and blanks; 0 for none.
        same_at: Version of the event that this one's text stands in.
    """

    text: Text
    tags: SaidNames = ()
    metadata: SaidData = {}
    same: int = 0
    same_at: int = 0

    @property
    def words(self) -> Text:
        also = f"; the same text stands as p{self.same}" if self.same else ""
        return Text(f"stored as p{self.n}{also}")


class PassageUpdated(PassageReply, takes_in=True):
    """A passage has another text, and these tags now; its metadata stay."""

    text: Text
    tags: SaidNames = ()
    same: int = 0
    same_at: int = 0

    @property
    def words(self) -> Text:
        also = f"; the same text stands as p{self.same}" if self.same else ""
        return Text(f"p{self.n} is updated{also}")


class PassageDeleted(PassageReply, takes_in=True):
    """A passage is found no more. What it said stays in the log, until that is redacted."""

    @property
    def words(self) -> Text:
        return Text(f"p{self.n} is deleted")


class PassageRefused(TextReply, takes_in=True):
    """A change of an archive was refused; `text` says why, `arguments` what was asked for."""

    ok = False
    verb: str = ""
    arguments: Text = Text()
