"""Search by meaning beside words: what is embedded when, one order of two, and embedders that fail."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import anyio
import pytest

from callboard import OpenAIEmbedder, System
from callboard.actors import semantic
from callboard.actors.search import Index
from callboard.actors.semantic import BATCH, nearest, packed, ranked
from callboard.actors.testing import HashEmbedder, ScriptedModel, words_in
from callboard.events import MemoryStore, SpecError
from callboard.events.places import Row, Wanted

from .loop import SeededLoop
from .rawserver import Answer, raw_server, refusal
from .shelves import deleted, heard, inserted, keep, said, stocked, updated

LINES = ["The harbourmaster opens the locks.", "Bread is baked at dawn.", "Two boats left the harbour."]
WORDS_ALONE = "searched by words alone: the embedder "


class Counting(HashEmbedder):
    """Counts what it embeds, and answers what a test wants."""

    def __init__(self, *answers: object, name: str = "counting", dimensions: int = 64) -> None:
        super().__init__(dimensions=dimensions)
        self.batches: list[list[str]] = []
        self._answers, self._name = list(answers), name
        self.at_once = self.most_at_once = 0

    @property
    def name(self) -> str:
        return self._name

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.batches.append(list(texts))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await anyio.lowlevel.checkpoint()
        self.at_once -= 1
        if self._answers:
            answer = self._answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            if answer is not None:
                return answer  # type: ignore[return-value]
        return await super().embed(texts)


@pytest.fixture
async def store() -> MemoryStore:
    store = MemoryStore()
    await stocked(store, LINES)
    return store


async def test_what_shares_no_word_is_found_by_its_vector(store: MemoryStore) -> None:
    assert said(await Index(store).search("harbormaster")) == []
    hits = await Index(store, HashEmbedder()).search("harbormaster")
    assert said(hits)[0] == LINES[0] and hits.note == ""


async def test_what_fits_by_words_and_by_vector_comes_first(store: MemoryStore) -> None:
    hits = await Index(store, HashEmbedder()).search("harbour boats")
    assert said(hits)[0] == LINES[2] and hits[0].relevance > hits[1].relevance


async def test_bounds_hold_for_vectors_too(store: MemoryStore) -> None:
    await keep(store, "archive-team", inserted(4, "harbourmaster again", "x"), deleted(1), updated(3, "nothing"))
    index = Index(store, HashEmbedder())
    assert said(await index.search("harbormaster", tags=["x"])) == ["harbourmaster again"]
    assert LINES[0] not in said(await index.search("harbormaster", limit=50))
    assert await index.search("harbormaster", owners=["archive-other"]) == []


async def test_each_text_is_embedded_once_and_the_query_each_time(store: MemoryStore) -> None:
    embedder = Counting()
    index = Index(store, embedder)
    for _ in range(2):
        await index.search("harbour")
    await keep(store, "archive-team", inserted(4, "a fourth"))
    await index.search("harbour")
    assert embedder.batches == [["harbour"], LINES, ["harbour"], ["harbour"], ["a fourth"]]


async def test_messages_are_embedded_where_that_is_wanted(store: MemoryStore) -> None:
    await keep(store, "agent-a", *heard("k/a", "harbourmaster, hello"))
    for wanted, count in ((False, 3), (True, 4)):
        embedder = Counting()
        await Index(store, embedder, embed_messages=wanted).search("x")
        assert sum(map(len, embedder.batches[1:])) == count


async def test_batches_are_bounded_and_one_is_in_flight(store: MemoryStore) -> None:
    await keep(store, "archive-team", *(inserted(n, f"passage {n}") for n in range(4, 200)))
    embedder = Counting()
    index = Index(store, embedder)
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(index.search, "harbour")
    assert max(map(len, embedder.batches)) == BATCH and embedder.most_at_once == 1
    assert sum(len(batch) for batch in embedder.batches) == 199 + 3


async def test_an_embedder_of_another_name_or_size_embeds_again(store: MemoryStore) -> None:
    index = Index(store, Counting())
    await index.search("harbour")
    for embedder in (Counting(name="other"), Counting(name="other", dimensions=32)):
        index._semantic = semantic.Semantic(store, embedder)  # type: ignore[reportPrivateUsage]
        hits = await index.search("harbour")
        assert hits.note == "" and embedder.batches == [["harbour"], LINES]


FAILURES: list[tuple[tuple[object, ...], str]] = [
    ((ValueError("no credit"),), "failed: ValueError: no credit"),
    (([],), "answers 0 vectors for 1 texts"),
    (([[1.0], [2.0]],), "answers 2 vectors for 1 texts"),
    (([[]],), "answers vectors of 0 numbers"),
    (([[float("nan")]],), "not finite"),
    (("text",), "something else than lists of numbers"),
    (([["x"]],), "something else than lists of numbers"),
    (([[10**400]],), "something else than lists of numbers"),
    ((None, [[1.0] * 64, [1.0] * 64, [1.0] * 63]), "answers vectors of 63 and of 64 numbers"),
    ((None, [[1.0] * 3] * 3), "answers vectors of 64 and of 3 numbers"),
    ((None, OSError("gone")), "failed: OSError: gone"),
]


@pytest.mark.parametrize(("answers", "why"), FAILURES)
async def test_an_embedder_that_fails_leaves_words_and_says_so(
    store: MemoryStore, answers: tuple[object, ...], why: str
) -> None:
    index = Index(store, Counting(*answers))
    hits = await index.search("harbour")
    assert said(hits) == [LINES[2]] and hits.note.startswith(WORDS_ALONE) and why in hits.note
    assert len(await index.search("harbour")) >= 1  # and the next time all is well again
    assert (await index.search("harbormaster")).note == ""


def test_a_slow_embedder_is_waited_for_no_longer_than_half_a_minute() -> None:
    class Slow(HashEmbedder):
        async def embed(self, texts: Sequence[str]) -> list[list[float]]:
            await anyio.sleep_forever()
            raise AssertionError

    async def search() -> float:
        store = MemoryStore()
        await stocked(store, LINES)
        hits = await Index(store, Slow()).search("harbour")
        assert said(hits) == [LINES[2]] and "was not done within 30 s" in hits.note
        return anyio.current_time()

    took = anyio.run(search, backend_options={"loop_factory": lambda: SeededLoop(0)})
    assert semantic.PATIENCE <= took < semantic.PATIENCE + 2


async def test_the_note_reaches_the_agent() -> None:
    from callboard import Agent
    from callboard.actors.testing import calls

    model = ScriptedModel({"a": [calls(("conversation_search", {"query": "x"})), "done"]})
    async with System.open(MemoryStore(), model=model, embedder=Counting(ValueError("no credit"))) as system:
        await (await system.start(Agent("a", tools=["conversation_search"]))).ask("go")
    [result] = [words_in(line) for line in model.requests[-1].messages if line["role"] == "tool"]
    assert WORDS_ALONE in json.loads(result)["note"]


async def test_without_numpy_an_embedder_is_refused_when_the_system_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    monkeypatch.setattr("callboard.actors.embedder.find_spec", dict[str, object]().get)
    with pytest.raises(SpecError, match=r"callboard\[embeddings\]"):
        async with System.open(MemoryStore(), model=ScriptedModel({}), embedder=HashEmbedder()):
            pass


# -- the order ----------------------------------------------------------------------------------------


def row(text: int, position: int = 0, score: float = 1.0) -> Row:
    return Row(position or text, score, text, "archive-team", 1, "passage", "", "a", "", 0, text, (), ("s", text, 0))


def test_ranks_count_and_scores_do_not() -> None:
    words, vectors = [row(1, score=900.0), row(2), row(3)], [3, 2, 4]
    fused = ranked(words, vectors, [row(3), row(2), row(4)])
    assert [one.text for one in fused] == [3, 2, 1, 4]
    assert fused[0].score == 1 / 63 + 1 / 61 and fused[2].score == 1 / 61


def test_the_nearest_come_first_and_those_at_a_right_angle_not_at_all() -> None:
    known = [(1, packed([1, 0])), (2, packed([1, 1])), (3, packed([0, 1])), (4, packed([-1, 0])), (5, packed([0, 0]))]
    assert nearest([2, 0], known, 10) == [1, 2] and nearest([2, 0], known, 1) == [1] and nearest([1], [], 5) == []


# -- the embeddings API -------------------------------------------------------------------------------


def answer(data: object) -> Answer:
    content = json.dumps(data).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {len(content)}"
    return [head.encode() + b"\r\n\r\n" + content]


async def test_vectors_come_from_the_embeddings_api_in_the_order_of_the_texts() -> None:
    rows = [{"index": 1, "embedding": [0.0, 1.0]}, {"index": 0, "embedding": [1.0, 0.0]}]
    async with raw_server(answer({"data": rows})) as server:
        embedder = OpenAIEmbedder("small", base_url=server.base_url, api_key="a-long-key", dimensions=2)
        assert await embedder.embed(["one", "two"]) == [[1.0, 0.0], [0.0, 1.0]]
    [request] = server.requests
    assert request.line.startswith("POST /v1/embeddings") and request.headers["authorization"] == "Bearer a-long-key"
    wanted = {"model": "small", "input": ["one", "two"], "encoding_format": "float", "dimensions": 2}
    assert json.loads(request.body) == wanted and embedder.name == f"small/2 at {server.base_url}"


@pytest.mark.parametrize(
    "given",
    [
        refusal(401, {"message": "bad key a-long-key"}),
        refusal(500, {"message": "oh"}),
        answer({"nothing": 1}),
        answer({"data": [{"index": 0}]}),
        answer({"data": [{"index": 0, "embedding": "text"}]}),
        answer([1]),
        [b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{"],
        [],
    ],
)
async def test_an_api_that_fails_leaves_words_and_keeps_the_key_to_itself(store: MemoryStore, given: Answer) -> None:
    async with raw_server(given) as server:
        embedder = OpenAIEmbedder("small", base_url=server.base_url, api_key="a-long-key")
        hits = await Index(store, embedder).search("harbour")
    assert said(hits) == [LINES[2]] and hits.note.startswith(WORDS_ALONE)
    assert "a-long-key" not in hits.note and len(server.requests) == 1
    assert hits.note.count("EmbedderFailed") == 1


@pytest.mark.parametrize("wrong", [{"model": ""}, {"base_url": "ftp://x"}, {"dimensions": 0}, {"base_url": None}])
def test_an_embedder_that_cannot_be_is_refused(wrong: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    given = {"model": "m", "base_url": "http://127.0.0.1:1/v1", **wrong}
    with pytest.raises(SpecError):
        OpenAIEmbedder(**given)  # type: ignore[arg-type]


# -- what happens while an embedder is at work --------------------------------------------------------


class Meanwhile(Counting):
    """Erases the first passage while it embeds passages the first time."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__()
        self._store: MemoryStore | None = store

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        if len(texts) > 1 and self._store is not None:
            store, self._store = self._store, None
            await store.redact([("archive-team", 2)], reason="asked for")
        return await super().embed(texts)


async def test_vectors_go_to_the_texts_they_are_of_where_the_index_is_built_again_meanwhile(store: MemoryStore) -> None:
    index = Index(store, Meanwhile(store))
    await index.search("bread")
    found = [(one.text, one.relevance) for one in await index.search("bread baking")]
    fresh = [(one.text, one.relevance) for one in await Index(store, Counting()).search("bread baking")]
    assert found == fresh and found[0][0] == LINES[1]
    tables = await index._file.tables()  # type: ignore[reportPrivateUsage]
    erased = packed((await HashEmbedder(dimensions=64).embed(LINES[:1]))[0])
    kept = await tables.vectors("counting", 64, Wanted())
    assert len(kept) == 2 and erased not in [vector for _, vector in kept]
