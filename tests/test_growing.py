"""A list that states share."""

from hypothesis import given
from hypothesis import strategies as st

from callboard.projections import Growing


@given(st.lists(st.tuples(st.integers(0, 5), st.lists(st.integers(), max_size=3))))
def test_every_version_stays_what_it_was_however_the_others_grow(steps: list[tuple[int, list[int]]]) -> None:
    versions: list[tuple[Growing[int], list[int]]] = [(Growing(), [])]
    for back, items in steps:
        old, plain = versions[-1 - min(back, len(versions) - 1)]
        versions.append((old.plus(*items), [*plain, *items]))
    for growing, plain in versions:
        assert list(growing) == growing[:] == plain and len(growing) == len(plain)
        assert growing.since(1) == plain[1:] and growing == Growing(plain)
        assert [growing[i] for i in range(-len(plain), len(plain))] == plain + plain


def test_growing_the_newest_copies_nothing() -> None:
    first = Growing([1])
    second = first.plus(2)
    assert first._items is second._items  # type: ignore[reportPrivateUsage]
