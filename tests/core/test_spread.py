from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cnnlab.core.arithmetic import evenly


@given(st.integers(0, 200), st.integers(2, 70))
def test_a_few_of_many_with_both_ends_and_no_gap_twice_another(count: int, most: int) -> None:
    found = evenly(range(count), most)
    assert len(found) == min(count, most)
    assert found == sorted(set(found))
    if count:
        assert (found[0], found[-1]) == (0, count - 1)
    gaps = [b - a for a, b in pairwise(found)]
    assert not gaps or max(gaps) - min(gaps) <= 1
