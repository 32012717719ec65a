"""Team files that tests write, and what is read from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from callboard.actors.team import Team, load_team
from callboard.events import SpecError


def team(folder: Path, text: str | bytes) -> Team:
    """Return the team that `text` says, in a file `essay.toml` of `folder`."""
    path = folder / "essay.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_team(path)


def refused(folder: Path, text: str | bytes) -> SpecError:
    """Return what is said of a file that holds `text`."""
    with pytest.raises(SpecError) as caught:
        team(folder, text)
    assert "essay.toml" in str(caught.value)
    return caught.value
