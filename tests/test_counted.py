"""What a provider says it counted is taken where it can be, and never costs the reply."""

from __future__ import annotations

import pytest

from callboard.actors.openai_model import Draft
from callboard.events.catalog import Usage


def counted(*usages: object) -> Usage | None:
    draft = Draft(lambda _: None)
    draft.add({"choices": [{"delta": {"content": "hello"}, "finish_reason": "stop"}]})
    for usage in usages:
        draft.add({"choices": [], "usage": usage})
    reply = draft.whole("")
    assert reply.text == "hello"
    return reply.usage


@pytest.mark.parametrize(
    "usage",
    [None, {}, [], "none", {"prompt_tokens": "many"}, {"prompt_tokens": 1.5}, {"prompt_tokens": None},
     {"prompt_tokens": -5}, {"prompt_tokens": 5, "completion_tokens": -1}, {"prompt_tokens": 10**30}],
    ids=repr,
)  # fmt: skip
def test_a_count_that_cannot_be_is_as_good_as_none(usage: object) -> None:
    assert counted(usage) is None


def test_no_more_tokens_are_cached_than_the_prompt_has() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 99}}
    assert counted(usage) == Usage(input_tokens=5, output_tokens=1, cached_tokens=5)


def test_what_was_counted_stays_where_a_later_chunk_says_nothing_that_can_be() -> None:
    assert counted({"prompt_tokens": 5}, {}) == Usage(input_tokens=5)
