"""Who speaks next: each pattern is a value with one pure rule over the group's state, which replay can ask."""

from .consensus import Consensus
from .debate import Debate
from .dynamic import Dynamic
from .handoff import Handoff
from .parallel import Parallel
from .pipeline import Pipeline
from .round_robin import RoundRobin
from .route import Route
from .sleeptime import Sleeptime
from .steps import Choose, Cue, Finish, Observe, Pattern, Pick, Speak, Step, Work, ending, last_answer
from .supervisor import Supervisor
from .voice import VoiceSleeptime

NAMED: dict[str, type[Pattern]] = {
    "consensus": Consensus,
    "debate": Debate,
    "dynamic": Dynamic,
    "handoff": Handoff,
    "parallel": Parallel,
    "pipeline": Pipeline,
    "round_robin": RoundRobin,
    "route": Route,
    "sleeptime": Sleeptime,
    "supervisor": Supervisor,
    "voice_sleeptime": VoiceSleeptime,
}
"""The patterns by the names that team files know them by."""

__all__ = [
    "NAMED",
    "Choose",
    "Consensus",
    "Cue",
    "Debate",
    "Dynamic",
    "Finish",
    "Handoff",
    "Observe",
    "Parallel",
    "Pattern",
    "Pick",
    "Pipeline",
    "RoundRobin",
    "Route",
    "Sleeptime",
    "Speak",
    "Step",
    "Supervisor",
    "VoiceSleeptime",
    "Work",
    "ending",
    "last_answer",
]
