"""What a user says of an archive: a frozen value, checked when it is made."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from callboard.events import SpecError
from callboard.events.specs import ArchiveSpec

from .names import checked_name, checked_text


@dataclass(frozen=True, slots=True)
class Archive:
    """Where passages are put away that stand in no prompt, and are found by search.

    Agents that name the same archive share it; an agent's own is called like the agent.
    """

    name: str
    _: KW_ONLY
    description: str = ""

    def __post_init__(self) -> None:
        checked_name(self.name, "an archive")
        checked_text(self.description, f"the description of archive {self.name!r}")

    @property
    def stream(self) -> str:
        """Its stream in the log."""
        return f"archive-{self.name}"

    def spec(self) -> ArchiveSpec:
        """Return this as data."""
        return ArchiveSpec(name=self.name, description=self.description)


def checked_archive(archive: object, what: str) -> None:
    """Check that `archive` is one, or None.

    Raises:
        SpecError: It is something else.
    """
    if archive is not None and not isinstance(archive, Archive):
        raise SpecError(f"{what} is {archive!r}; an Archive is wanted, such as Archive('team')")
