"""Run a scenario through crashes, and check what the contract says of any log that comes of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace

import anyio
from anyio.lowlevel import checkpoint

from callboard import Agent, Archive, Block, Group, System
from callboard.actors.agent import IN_DOUBT
from callboard.actors.fallbacks import wanted
from callboard.actors.system import KINDS
from callboard.events import MemoryStore, RecordedEvent, Text, catalog
from callboard.events.cache import MemoryCache
from callboard.projections import AgentState, BlockState, GroupState, Pending, agent_state, fold, pending
from callboard.projections.archive import ArchiveState
from callboard.projections.contexts import contexts
from callboard.projections.findings import Findings, Place
from callboard.projections.limit_laws import LimitLaws
from callboard.projections.paths import digest_of
from callboard.projections.prompt import Heard, Line, Replied, Result
from callboard.projections.request import rebuilt

from . import world as worlds
from .scripted import Scenario, beside
from .world import Life, World

Thing = Agent | Group | Block | Archive


@dataclass
class Outcome:
    """What a scenario left behind; `ticks` holds those of each life."""

    world: World
    log: MemoryStore
    events: list[RecordedEvent]
    answers: list[str]
    ticks: list[list[str]]
    live: dict[str, object]


async def run(
    scenario: Scenario,
    deaths: tuple[int, ...] = (),
    seed: int = 0,
    fault: str = "die",
    cache: MemoryCache | None = None,
) -> Outcome:
    """Run `scenario`; the n-th life has its fault at tick `deaths[n]`, the last one has none. The cache survives."""
    world, ticks = World(seed), list[list[str]]()
    log = MemoryStore(now=world.now, cache=cache or MemoryCache(every=3))
    answers, states = list[str](), dict[str, object]()
    for at in (*deaths, 0):
        life = Life(world, log, scenario.script, at, fault)
        worlds.begin(life)
        with anyio.fail_after(10), life.scope:
            answers, states = await live(life, scenario)
        ticks.append(life.ticks)
        if not life.scope.cancel_called:
            break
    events = [event async for event in log.read_all()]
    return Outcome(world, log, events, answers, ticks, states)


async def live(life: Life, scenario: Scenario) -> tuple[list[str], dict[str, object]]:
    """Open the log, let it finish what it had begun, and only then ask (again) for everything."""
    life.slots = scenario.options.get("calls_at_once", life.slots)
    async with scenario.opened(life, life, life.outside) as system:
        life.system = system
        answers = list[str]()
        async with beside(scenario, system):
            await settle(system)
            for spec in scenario.specs:
                await system.start(spec)
            life.driven = True
            answers += await scenario.drive(system)
            await settle(system)
        streams = {row.stream for row in life.log.rows} - {"system"}
        return answers, {stream: await system.look(stream) for stream in sorted(streams)}


async def settle(system: System) -> None:
    """Wait until nothing is open."""
    while (await system.pending()).items:
        for _ in range(5):
            await checkpoint()
    await system.quiet()  # what is in the log is in the states too


def states(events: list[RecordedEvent]) -> dict[str, object]:
    """Return the folded state of every stream."""
    found: dict[str, object] = {}
    for stream in sorted({event.stream for event in events} - {"system"}):
        kind = KINDS[stream.split("-")[0]]
        found[stream] = fold(kind.projection, (event for event in events if event.stream == stream))
    return found


def canonical(state: object) -> object:
    """Return `state` less what the order among strangers, and the luck of a call in doubt, decide."""
    match state:
        case AgentState():
            said = {name: sorted(repr(_plain(line)) for line in lines) for name, lines in contexts(state).items()}
            return said, state.desk, state.model, state.tools
        case GroupState(transcript=transcript):
            said, life = sorted(map(repr, transcript)), (state.spec, state.jobs, state.marks, state.start)
            return said, state.open, state.desk, life
        case ArchiveState(spec=spec, latest=latest):
            standing = sorted((n, passage.tags, passage.deleted) for n, passage in state.passages.items())
            return standing, sorted(latest), spec
        case BlockState(value=value):
            return sorted(value.splitlines()), state.spec
        case _:
            raise TypeError(state)


def _plain(line: Line) -> Line:
    """Return a line as the uninterrupted run has it, less names, sizes and differences."""
    match line:
        case Result(text=text):
            return replace(line, name="", text=Text("paid" if text == IN_DOUBT else text[:14]))
        case Replied(uses=uses):
            return replace(line, uses=tuple(("", tool, arguments) for _, tool, arguments in uses))
        case Heard(parts=parts):
            return replace(line, parts=tuple(sorted(parts)))
        case _:
            return line


def breaches(outcome: Outcome, whole: Outcome, *, loose: bool = False) -> list[str]:
    """Return every way in which `outcome` breaks the contract, given the uninterrupted run."""
    found = list(outcome.world.wrong)
    if not loose:
        found += different(outcome, whole) + unordered(outcome.events)
    requested = [e.data for e in outcome.events if isinstance(e.data, catalog.ToolCallRequested)]
    once = {data.id for data in requested if data.effect == "once"}
    found += [f"once tool ran {outcome.world.ran[id]} times: {id}" for id in once if outcome.world.ran[id] > 1]
    left = fold(pending, outcome.events)  # raises where a thing is closed twice
    opened = Counter((e.data.opens, e.data.id) for e in outcome.events if e.data.opens)
    found += [f"opened {n} times: {thing}" for thing, n in opened.items() if n > 1]
    found += [f"{e.data} at {e.ref}" for e in outcome.events if isinstance(e.data, catalog.ActorRestarted)]
    found += unlike(outcome.events) + unapproved(outcome.events) + misdirected(outcome.events)
    found += overspent(outcome.events)
    found += [f"left open: {item}" for item in left.items.values()]
    found += [f"{id}: {n} calls in {len(outcome.ticks)} lives" for id, n in outcome.world.called.items()
              if n > len(outcome.ticks) + 2]  # fmt: skip
    folded = states(outcome.events)
    found += [
        f"live state of {s}: {outcome.live[s]} not {folded[s]}" for s in folded if outcome.live.get(s) != folded[s]
    ]
    return found


def different(outcome: Outcome, whole: Outcome) -> list[str]:
    """Return where answers, states and what was done outside are not those of the whole run."""
    found: list[str] = []
    if outcome.answers != whole.answers:
        found.append(f"answers: {outcome.answers} not {whole.answers}")
    mine = {stream: canonical(state) for stream, state in states(outcome.events).items()}
    theirs = {stream: canonical(state) for stream, state in states(whole.events).items()}
    found += [f"state of {s}: {mine.get(s)} not {theirs[s]}" for s in theirs if mine.get(s) != theirs[s]]
    doubted = {event.data.id for event in outcome.events if event.type == "ToolCallInDoubt"}
    ran = set(outcome.world.ran)
    if not ran <= set(whole.world.ran) or not set(whole.world.ran) - doubted <= ran:
        found.append(f"ran: {sorted(ran)} not {sorted(whole.world.ran)}, in doubt {sorted(doubted)}")
    return found


async def unlike_prompts(outcome: Outcome) -> list[str]:
    """Return the attempts whose prompt, made again from the log, is not what the model read."""
    found: list[str] = []
    for event in outcome.events:
        if isinstance(event.data, catalog.ModelCallStarted):
            read = outcome.world.read.get((event.data.id, event.data.attempt))
            again = await rebuilt(outcome.log, event.stream, event.version)
            if read is not None and again != read:
                found.append(f"prompt of {event.ref}: {again} not {read}")
    return found


def unlike(events: list[RecordedEvent]) -> list[str]:
    """Return where the one fold `pending` and what an actor's own state has open differ."""
    streams = {event.stream for event in events} - {"system"}
    left, own = Pending(), {stream: KINDS[stream.split("-")[0]].projection.initial() for stream in streams}
    found: list[str] = []
    for event in events:
        left.take(event)
        if event.stream == "system":
            continue
        own[event.stream] = KINDS[event.stream.split("-")[0]].projection.evolve(own[event.stream], event)
        theirs = {(item.kind, item.id) for item in left.items.values() if item.stream == event.stream}
        if theirs != open_in(own[event.stream]):
            found.append(f"at {event.ref}: {theirs} pending, {open_in(own[event.stream])} in the state")
    return found


def unapproved(events: list[RecordedEvent]) -> list[str]:
    """Return the calls that began without the approval that their tool needs, or with that of another attempt."""
    needs, wanted, given = set[tuple[str, str]](), dict[str, str](), dict[str, str]()
    found: list[str] = []
    for event in events:
        match event.data:
            case catalog.AgentStarted(spec=spec) | catalog.AgentChanged(spec=spec):
                needs |= {(event.stream, tool.name) for tool in spec.tools if tool.needs_approval is not False}
            case catalog.ToolCallRequested(id=id, tool=tool) if (event.stream, tool) in needs:
                wanted[id] = digest_of(tool, event.data.arguments, 1)
            case catalog.ToolCallRetried(id=id) if id in wanted:
                wanted[id] = ""
            case catalog.ApprovalGiven(id=id, digest=digest):
                given[id] = digest
                wanted[id] = wanted[id] or digest
            case catalog.ToolCallStarted(id=id) if id in wanted and given.get(id) != wanted[id]:
                found.append(f"began without approval: {id} at {event.ref}")
            case _:
                pass
    return found


def overspent(events: list[RecordedEvent]) -> list[str]:
    """Return where more was spent than was allowed, in all that a request led to."""
    found = Findings()
    laws = LimitLaws(found)
    for event in events:
        laws.take(event, Place(event.position, event.stream, event.version))
    kinds = {"model_calls": "ModelCallRequested", "tool_calls": "ToolCallRequested"}
    raised = {event.data.id for event in events if isinstance(event.data, catalog.LimitRaised)}
    for event in events:
        if isinstance(event.data, catalog.MessageReceived) and event.data.grant and event.data.id not in raised:
            for name, type in kinds.items():
                most, prefix = getattr(event.data.grant, name), f"{event.data.id}/"
                made = [one for one in events if one.type == type and one.data.id.startswith(prefix)]
                if most is not None and len(made) > most:
                    found.add(Place(event.position), "limit", f"{len(made)} {name}", most)
    return [f"{one.where}: {one.found}, not {one.wanted}" for one in found.kept]


def misdirected(events: list[RecordedEvent]) -> list[str]:
    """Return the attempts at another model than what failed before calls for, by what the log says alone."""
    own, found = dict[str, AgentState](), list[str]()
    for event in (event for event in events if event.stream.startswith("agent-")):
        before = own.get(event.stream, AgentState())
        if isinstance(event.data, catalog.ModelCallStarted) and event.data.model != wanted(before):
            found.append(f"{event.ref} asks for {event.data.model!r}, not {wanted(before)!r}")
        own[event.stream] = agent_state.evolve(before, event)
    return found


def open_in(state: object) -> set[tuple[str, str]]:
    """Return what the state of one actor has open."""
    assert isinstance(state, AgentState | GroupState | BlockState | ArchiveState)
    desk = state.desk
    turns = [*([desk.turn] if desk.turn else []), *desk.backlog]
    found = {("turn", turn.id) for turn in turns} | {("send", id) for id in desk.sends}
    if isinstance(state, AgentState):
        found |= {("tool", id) for id in state.tools}
        found |= {("call", state.model.id)} if state.model else set()
    if isinstance(state, GroupState):
        found |= {("job", id) for id in state.jobs}
    return found


def unordered(events: list[RecordedEvent]) -> list[str]:
    """Return the pairs of sender and recipient whose messages were lost, doubled or reordered."""
    sent, got = defaultdict[tuple[str, str], list[str]](list), defaultdict[tuple[str, str], list[str]](list)
    for event in events:
        match event.data:
            case catalog.MessageSent(kind="start" | "retire"):
                pass  # these leave no event of their id
            case catalog.MessageSent(id=id, recipient=recipient):
                sent[event.stream, recipient].append(id)
            case catalog.MessageReceived(id=id, sender=sender) if sender != "user":
                got[sender, event.stream].append(id)
            case catalog.BlockAttached(id=id, by=by) | catalog.BlockDetached(id=id, by=by):
                got[by, event.stream].append(id)
            case catalog.BlockEdited(id=id, to=to) | catalog.BlockEditRefused(id=id, to=to) if to != "user":
                got[to, event.stream].append(id)
            case catalog.PassageReply(id=id, to=to) | catalog.PassageRefused(id=id, to=to) if to != "user":
                got[to, event.stream].append(id)
            case _:
                pass
    unsent = {e.data.id for e in events if isinstance(e.data, catalog.SendFailed) and "waits for" in e.data.text}
    unsent |= {e.data.id for e in events if isinstance(e.data, catalog.MessageRefused)}  # a cancel was faster
    went = {pair: [id for id in ids if id not in unsent] for pair, ids in sent.items()}
    return [
        f"order of {pair}: {went.get(pair)} but {got[pair]}" for pair in sent | got if went.get(pair, []) != got[pair]
    ]
