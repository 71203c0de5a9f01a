from hypothesis import given
from hypothesis import strategies as st

from cnnlab.core.seeds import derive_seed


def test_stays_the_same_for_ever() -> None:
    assert derive_seed(0, "order", 3) == derive_seed(0, "order", 3)
    assert derive_seed(0) == int.from_bytes(__import__("hashlib").blake2b(b"0", digest_size=8).digest(), "big") >> 1


@given(st.integers(0, 2**32), st.integers(0, 10_000))
def test_fits_a_torch_generator(seed: int, epoch: int) -> None:
    assert 0 <= derive_seed(seed, "order", epoch) < 2**63


def test_no_two_purposes_share_a_stream() -> None:
    purposes = [
        (seed, word, epoch) for seed in range(20) for word in ("order", "augment", "model") for epoch in range(50)
    ]
    assert len({derive_seed(*purpose) for purpose in purposes}) == len(purposes)
