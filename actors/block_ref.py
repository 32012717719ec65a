"""The address of a block, with all that people can do to one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import JsonValue
from pydantic_core import from_json

from callboard.events import NoSuchBlock, NoSuchVersion, SpecError
from callboard.events.specs import BlockSpec
from callboard.projections import BlockHistory, BlockState, BlockVersion, block_history, replay
from callboard.projections.block import difference
from callboard.projections.impact import Impact, impact_of
from callboard.projections.provenance import Blamed, blamed
from callboard.projections.words import name_of

from . import editing, inbox
from .block_fields import checked_fields
from .commands import Configure
from .library import Library
from .people import checked_name
from .ref import USER, checked_key

if TYPE_CHECKING:
    from .system import System


@dataclass(frozen=True, slots=True)
class BlockRef:
    """The address of a block. What people change through it is recorded with their name, once for each key."""

    address: str
    system: System

    @property
    def name(self) -> str:
        """Its name in the log, which stays when it is renamed."""
        return name_of(self.address)

    async def value(self) -> str:
        """Return what it holds now."""
        return (await self._state()).value

    async def spec(self) -> BlockSpec:
        """Return its label, description, limit, tags and the rest, as they are now."""
        state = await self._state()
        assert state.spec is not None
        return state.spec

    async def data(self) -> JsonValue:
        """Return what a block holds that holds JSON.

        Raises:
            ValueError: It holds no JSON.
        """
        return from_json(await self.value())

    # -- history --------------------------------------------------------------------------------

    async def history(self) -> BlockHistory:
        """Return every version and every refused edit, oldest first.

        Raises:
            NoSuchBlock: There is no such block.
        """
        await self._state()
        return await replay(self.system.store, block_history, stream=self.address)

    async def at(self, *, version: int | None = None, position: int | None = None) -> str:
        """Return what it held at a version of its own, or at a position of the log.

        Raises:
            NoSuchVersion: It had begun by then not yet, or has not come so far.
        """
        end = self.system.store.position
        return version_at(await self.history(), self.name, version=version, position=position, end=end).value

    async def difference(self, a: int, b: int | None = None) -> tuple[str, ...]:
        """Return the lines that differ between version `a` and version `b`, or now: each with `+`, `-` or a blank.

        Raises:
            NoSuchVersion: There is no such version.
        """
        history = await self.history()
        upto = history.state.events if b is None else b
        old, new = (version_at(history, self.name, version=version).value for version in (a, upto))
        return difference(old, new)

    async def blame(self, *, at: int | None = None) -> Blamed:
        """Return who wrote what of it, now or at position `at`, and where that comes from.

        Raises:
            NotInBlock: It had not begun by then.
        """
        return await blamed(self.system.store, self.address, at=at)

    async def impact(
        self, *, version: int | None = None, line: int | None = None, at: int | None = None, follow: bool = False
    ) -> Impact:
        """Return which model calls had the text of a version, or a line, in their prompt; as `impact_of`."""
        return await impact_of(self.system.store, self.address, version=version, line=line, at=at, follow=follow)

    # -- edits ----------------------------------------------------------------------------------

    async def append(self, text: str, *, key: str | None = None, by: str = USER) -> str:
        """Add `text` as new lines at the end; return what the block answers.

        Raises:
            RequestFailed: The edit was refused; says why.
            TextRefused: A text, the key or the name cannot be recorded.
            KeyReused: The key came before with another edit.
        """
        return await self.edit("memory_append", {"text": text}, key=key, by=by)

    async def replace(self, old: str, new: str, *, key: str | None = None, by: str = USER) -> str:
        """Put `new` where `old` stands, exactly once; else as `append`."""
        return await self.edit("memory_replace", {"old": old, "new": new}, key=key, by=by)

    async def insert(self, line: int, text: str, *, seen: int = 0, key: str | None = None, by: str = USER) -> str:
        """Insert `text` after `line`, 0 for the top and -1 for the end; else as `append`.

        Args:
            seen: The version whose lines are meant; 0 for the one that there is now.
        """
        return await self.edit("memory_insert", {"line": line, "text": text}, seen=seen, key=key, by=by)

    async def rewrite(self, text: str, *, seen: int = 0, key: str | None = None, by: str = USER) -> str:
        """Replace all of it; refused where somebody else changed it since version `seen`; else as `append`."""
        return await self.edit("memory_rewrite", {"text": text}, seen=seen, key=key, by=by)

    async def undo(self, *, key: str | None = None, by: str = USER) -> str:
        """Take the newest edit back that was not taken back, by an edit; else as `append`."""
        return await self.edit("undo", key=key, by=by)

    async def redo(self, *, key: str | None = None, by: str = USER) -> str:
        """Make the edit again that was taken back last, where nobody edited since; else as `append`."""
        return await self.edit("redo", key=key, by=by)

    async def edit(
        self,
        verb: str,
        fields: Mapping[str, JsonValue] | None = None,
        *,
        seen: int = 0,
        key: str | None = None,
        by: str = USER,
        **more: JsonValue,
    ) -> str:
        """Ask for the edit `verb`, such as `task_claim` of a board; else as `append`.

        Args:
            fields, more: Its arguments, less the label.
            seen: The version that whoever asks had read; 0 for the one that there is now.
        """
        name = self.system.outside.key() if key is None else checked_key(key)
        said = inbox.Edit.model_construct(
            key=name, block=self.name, verb=verb, fields={**(fields or {}), **more}, seen=seen, by=by
        )
        return await editing.edit(self.system, said)

    # -- life -----------------------------------------------------------------------------------

    async def rename(self, label: str, *, key: str | None = None, by: str = USER) -> None:
        """Give it another label in the prompts of all who have it, from their next turn on; its name in the log stays.

        Raises:
            SpecError: It cannot be a label, or an agent that has the block has another one of that label.
        """
        await self.edit("rename", {"label": label}, key=key, by=by)

    async def retire(self, *, key: str | None = None, by: str = USER) -> None:
        """Take no edits any more, and stand in no prompt from the next turn on; its history stays.

        Starting it by itself brings it back, with what it held.
        """
        await self.edit("retire", key=key, by=by)

    async def configure(
        self,
        *,
        limit: int | None = None,
        description: str | None = None,
        tags: Iterable[str] | None = None,
        metadata: Mapping[str, JsonValue] | None = None,
        locked: bool | None = None,
        key: str | None = None,
        by: str = USER,
    ) -> None:
        """Change what is given. A limit may be lower than what it holds: then it cannot grow.

        Raises:
            SpecError: A value cannot be.
        """
        fields = checked_fields(
            f"block {self.name!r}", description=description, limit=limit, locked=locked, tags=tags, metadata=metadata
        )
        await self._state()
        name = self.system.outside.key() if key is None else checked_key(key)
        await self.system.deliver(self.address, Configure(f"{name}/{self.name}", USER, fields, checked_name(by), name))

    async def _state(self) -> BlockState:
        state: BlockState = await self.system.look(self.address)
        if state.spec is None:
            raise NoSuchBlock(self.name, await Library.of(self.system).labels())
        return state


def version_at(
    history: BlockHistory, name: str, *, version: int | None = None, position: int | None = None, end: int = 0
) -> BlockVersion:
    """Return the step of a block's history at a version of its own, or at a position of the log, whose last is `end`.

    Raises:
        NoSuchVersion: It had begun by then not yet, or has not come so far.
        SpecError: Not exactly one of both is given.
    """
    if (version is None) == (position is None):
        raise SpecError("say either a version or a position")
    last = history.state.events
    if version is not None and not 1 <= version <= last:
        raise NoSuchVersion(name, f"version {version}", f"it has 1 to {last}")
    if position is not None and position > end:
        raise NoSuchVersion(name, f"value at position {position}", f"the log has positions 1 to {end}")
    found = history.version_at(version=version, position=position)
    if found is None:
        first = history.versions[0].position if history.versions else 0
        raise NoSuchVersion(name, f"value at position {position}", f"it began at position {first}")
    return found
