"""Each member works on what the one before it made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from callboard.events import SpecError
from callboard.events.catalog import Part
from callboard.projections import GroupState

from .steps import Cue, Finish, Speak


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Members are the stages, in order: the first gets the request, each other the output of the one before.

    A stage that failed is passed over: the next gets the last output that there is.

    Attributes:
        stages: What a stage is called in `answer.data`, by the name of its member; the member's name otherwise.
    """

    stages: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        names = list(self.stages.values())
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SpecError(f"{', '.join(twice)} names more than one stage", where="Pipeline")

    def next(self, group: GroupState) -> Speak | Finish:
        """Return the next stage with its input, or the last output. Pure."""
        if group.open:
            return Speak()
        outputs = [said for _, said in group.replies if said is not None and not said.failed]
        stage = next((name for name in group.members if name not in group.turns), None)
        if stage is None:
            return Finish(outputs[-1].text if outputs else None, "end", self.data(group))
        given = (Part(outputs[-1].speaker, outputs[-1].text),) if outputs else group.request
        return Speak((Cue(stage, given),))

    def data(self, group: GroupState) -> dict[str, object]:
        """Return the output of every stage, and why those failed that have none. Pure."""
        came = [(self.stages.get(name, name), said) for name, said in group.replies if said is not None]
        return {
            "stages": {stage: said.text for stage, said in came if not said.failed},
            "failed": {stage: said.text for stage, said in came if said.failed},
        }
