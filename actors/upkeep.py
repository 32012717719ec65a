"""What a group does beside its requests: it gives and takes shared blocks, begins and ends members. All pure."""

from __future__ import annotations

from callboard.events import Event, Text
from callboard.events.catalog import CueSpec, JobFailed, JobFinished, MessageSent
from callboard.events.specs import BlockUse
from callboard.projections import GroupState
from callboard.projections.words import name_of

from .cues import brought
from .memory import tool_specs


def follow(state: GroupState) -> list[Event]:
    """Return what is to be done; nothing where all is as it should be."""
    return ended_jobs(state) or _begun(state) or _shared(state)


def ended_jobs(state: GroupState) -> list[Event]:
    """Return what closes the background work that has ended."""
    found: list[Event] = []
    for job in state.jobs.values():
        if job.phase == "ended":
            failed = None if job.failure is None else JobFailed(id=job.id, text=job.failure)
            found.append(failed or JobFinished(id=job.id))
        elif job.phase == "scheduled" and job.member not in state.members:
            found.append(JobFailed(id=job.id, text=Text(f"{job.member} left the group")))
    return found


def _begun(state: GroupState) -> list[Event]:
    """Return the messages that begin and end the members that the group makes itself."""
    if not state.due and not state.leaving:
        return []
    for member in state.spec.members if state.spec else ():
        if member.stream in state.due:
            assert state.scaling is not None
            spec = state.scaling.template.model_copy(update={"name": member.name})
            return [MessageSent(id=_id(state, member.name), recipient=member.stream, kind="start", spec=spec)]
    for stream in state.leaving:
        if name_of(stream) not in state.talking and not state.shares.get(stream):
            return [MessageSent(id=_id(state, name_of(stream)), recipient=stream, kind="retire")]
    return []


def _id(state: GroupState, name: str) -> str:
    """Return the id of a message of the group's own; it belongs to no request."""
    assert state.spec is not None
    group, n = state.spec.name, state.shared + 1
    return f"callboard:{group}:{n}/{group}/{n}/{name}"


def wanted(state: GroupState, name: str) -> dict[str, BlockUse]:
    """Return the blocks that the group gives to `name`, by label."""
    assert state.spec is not None
    found = {use.label: use for _, use in state.given}
    for share in state.spec.blocks:
        read_only = share.writers is not None and name not in share.writers
        read_only = name not in state.members if share.by_members else read_only
        found[share.label] = BlockUse(label=share.label, stream=share.stream, read_only=read_only, form=share.form)
    return found


def _shared(state: GroupState) -> list[Event]:
    """Return one message that gives or takes a block: who is here has those of the group, who left has none."""
    if state.spec is None or not (state.spec.blocks or state.given or state.shares):
        return []
    here = state.streams
    for name, stream in here.items():
        if stream in state.unreached:
            continue
        held, due = {use.label: use for use in state.shares.get(stream, ())}, wanted(state, name)
        for label, use in held.items():
            if label not in due or due[label].stream != use.stream:
                return [_message(state, stream, "detach", use)]
        for label, use in due.items():
            if held.get(label) != use:
                return [_message(state, stream, "attach", use)]
    for stream, uses in state.shares.items():
        if stream not in here.values() and uses and name_of(stream) not in state.talking:
            return [_message(state, stream, "detach", uses[0])]
    return []


def _message(state: GroupState, stream: str, kind: str, use: BlockUse) -> Event:
    name, cue = name_of(stream), None
    if kind == "attach" and not use.read_only:
        forms = {one.form for one in wanted(state, name).values() if not one.read_only}
        cue = CueSpec(tools=brought(state, tool_specs(*sorted(forms))))
    id = _id(state, name)
    return MessageSent.model_validate({"id": id, "recipient": stream, "kind": kind, "use": use, "cue": cue})
