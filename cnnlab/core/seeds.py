"""Stateless randomness: a seed for each purpose, so that nothing needs to be rewound."""

from hashlib import blake2b


def derive_seed(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for (seed, purpose…), such as `derive_seed(0, "order", epoch)`; independent streams by hashing."""
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
