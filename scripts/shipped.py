"""The teams that callboard comes with, by their names."""

from __future__ import annotations

from pathlib import Path

from callboard.actors.patterns import NAMED
from callboard.actors.toml import nearest
from callboard.scripts.border import BadUse

TEAMS = Path(__file__).parent / "teams"
"""Where they are."""

NAMES = tuple(NAMED)
"""One for each pattern, by its name."""


def team_file(given: Path) -> Path:
    """Return the team file that is meant: what stands there, else the shipped one of that name.

    Raises:
        BadUse: It is a bare name, and there is neither.
    """
    if given.exists() or given.suffix or len(given.parts) != 1:
        return given
    if given.name not in NAMES:
        near = nearest(given.name, NAMES)
        raise BadUse(f"there is no file {given}, and no team of that name comes with callboard{near}")
    return TEAMS / f"{given.name}.toml"
