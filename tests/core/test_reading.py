import sys
from pathlib import Path

import pytest
import torch

from cnnlab.core.reading import open_file, read_file


def test_no_more_is_read_than_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)
    assert len(read_file(tmp_path / "a", at_most=100)) == 100
    with pytest.raises(OSError, match="it has more than 99 bytes"):
        read_file(tmp_path / "a", at_most=99)


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no UTF-8 are Linux's")
def test_a_name_that_is_no_utf_8_holds_weights_and_a_cache(tmp_path: Path) -> None:
    from cnnlab.data import cache
    from cnnlab.fit.checkpoints import load_weights_file, save_weights
    from cnnlab.network.weights.reading import read_content

    path = tmp_path / "ru\udce9" / "caf\udce9.safetensors"
    save_weights(path, {"a": torch.ones(2)}, {"epoch": 1})
    weights, facts = load_weights_file(path)
    assert (weights["a"].tolist(), facts) == ([1, 1], {"epoch": 1})
    assert read_content(path).value["a"].tolist() == [1, 1]
    images = torch.zeros(1, 3, 2, 2, dtype=torch.uint8)
    wanted = cache.Wanted(name="x", key="k", count=1, shape=(3, 2, 2))
    decoded = cache.Decoded(images, torch.zeros(1, dtype=torch.int64), ())
    cache.store(decoded, wanted, [path.parent])
    found, refused = cache.load(wanted, [path.parent])
    assert (found is not None and found.images.equal(images), refused) == (True, ())


def test_a_name_with_a_nul_is_no_mistake_of_the_program() -> None:
    with pytest.raises(OSError, match="a character that no name of a file can have"):
        open_file(Path("a\0b"))
