"""A mapping that states share."""

from hypothesis import given
from hypothesis import strategies as st

from callboard.projections.keyed import Keyed


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers())))
def test_every_version_stays_what_it_was_however_the_others_grow(steps: list[tuple[int, int, int]]) -> None:
    versions: list[tuple[Keyed[int, int], dict[int, int]]] = [(Keyed(), {})]
    for back, key, value in steps:
        old, plain = versions[-1 - min(back, len(versions) - 1)]
        versions.append((old.plus(key, value), {**plain, key: value}))
    for keyed, plain in versions:
        assert dict(keyed) == plain and len(keyed) == len(plain) and keyed == Keyed(plain.items())
        assert all((key in keyed, keyed.get(key)) == (key in plain, plain.get(key)) for key in range(6))


def test_setting_a_key_of_the_newest_copies_nothing() -> None:
    first = Keyed[int, str]([(1, "a")])
    second = first.plus(1, "b")
    assert first._ages is second._ages  # type: ignore[reportPrivateUsage]
