"""Texts from outside made storable, for all inputs."""

from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from callboard.actors.storable import storable, storable_arguments
from callboard.events.codec import MAX_TEXT


@given(st.text(st.one_of(st.characters(), st.sampled_from("\0\ud800\udfff"))))
def test_any_text_can_be_stored_and_what_was_fine_stays(text: str) -> None:
    clean, replaced = storable(text)
    assert "\0" not in clean and clean.encode().decode() == clean
    assert (replaced == 0) == (clean == text) and len(clean) == len(text)


def test_a_text_that_is_too_long_is_cut_and_says_so() -> None:
    clean, _ = storable("é" * MAX_TEXT)
    assert len(clean.encode()) <= MAX_TEXT and clean.endswith(f"[cut: {MAX_TEXT:,} characters in all]")


@given(
    st.recursive(st.one_of(st.text(max_size=5), st.integers(), st.none()), lambda inner: st.lists(inner, max_size=3))
)
def test_arguments_that_were_fine_stay_to_the_letter(value: object) -> None:
    written = to_json({"a": value}).decode()
    assert "\\u0000" in written or storable_arguments(written) == (written, 0)


def test_escaped_halves_of_surrogates_are_replaced() -> None:
    clean, replaced = storable_arguments('{"a": ["x\\ud83d", {"\\u0000": 1}]}')
    assert from_json(clean) == {"a": ["x\ufffd", {"\ufffd": 1}]} and replaced == 2


def test_escaped_whole_surrogate_pairs_stay() -> None:
    assert storable_arguments('{"a": "\\ud83d\\ude00"}') == ('{"a": "\\ud83d\\ude00"}', 0)


def test_what_is_not_json_stays_as_it_was_written() -> None:
    assert storable_arguments('{"a": "\\ud83d') == ('{"a": "\\ud83d', 0)
