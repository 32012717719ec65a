"""Thresholds of a user's own, from a TOML file."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from callboard.events import SpecError
from callboard.events.errors import TeamFileError
from callboard.projections.symptoms import Thresholds

from .toml import Faults, read_toml


def load_thresholds(path: str | PathLike[str]) -> Thresholds:
    """Return what the file at `path` says of when something is a symptom, and of the rest the defaults.

    Raises:
        SpecError: It cannot be read, is not TOML, or has a key or a value that cannot be; all of these are named.
    """
    file, faults = Path(path), Faults()
    if not file.exists():
        raise SpecError(f"there is no file {file}; write one with lines such as `monologue = 20`")
    thresholds = faults.keys(Thresholds, read_toml(file))
    if thresholds is None:
        raise TeamFileError(str(file), faults.found)
    return thresholds
