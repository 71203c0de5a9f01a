import os
from pathlib import Path

import pytest
import torch

from cnnlab.data import cache
from cnnlab.data.cache import Decoded

DECODED = Decoded(
    torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8),
    torch.tensor([0, 1, 3, 4, 6]),
    ("b: is damaged", "é: is empty"),
)


def same(a: Decoded | None, b: Decoded) -> bool:
    return a is not None and torch.equal(a.images, b.images) and torch.equal(a.kept, b.kept) and a.skipped == b.skipped


def test_what_is_stored_is_found_under_the_same_key_only(tmp_path: Path) -> None:
    assert cache.load("name", "key", [tmp_path]) is None
    cache.store(DECODED, "name", "key", [tmp_path / "new" / "folder"])
    assert same(cache.load("name", "key", [tmp_path, tmp_path / "new" / "folder"]), DECODED)
    assert cache.load("name", "other", [tmp_path / "new" / "folder"]) is None
    assert cache.load("other", "key", [tmp_path / "new" / "folder"]) is None


def test_a_new_version_replaces_the_old_one_and_no_draft_stays(tmp_path: Path) -> None:
    cache.store(DECODED, "name", "old", [tmp_path])
    cache.store(DECODED, "name", "new", [tmp_path])
    assert cache.load("name", "old", [tmp_path]) is None
    assert same(cache.load("name", "new", [tmp_path]), DECODED)
    assert [file.name for file in tmp_path.iterdir()] == ["name.safetensors"]


@pytest.mark.parametrize("damage", ["cut short", "one byte", "emptied", "other file", "header"])
def test_a_damaged_file_counts_as_absent(tmp_path: Path, damage: str) -> None:
    cache.store(DECODED, "name", "key", [tmp_path])
    file = tmp_path / "name.safetensors"
    content = file.read_bytes()
    file.write_bytes(
        {
            "cut short": content[:-10],
            "one byte": content[:-100] + bytes([content[-100] ^ 1]) + content[-99:],
            "emptied": b"",
            "other file": b"x" * len(content),
            "header": content.replace(b'"crc"', b'"cRc"'),
        }[damage]
    )
    assert cache.load("name", "key", [tmp_path]) is None


def test_a_folder_that_cannot_be_written_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folders = [tmp_path / "file" / "decoded", tmp_path / "second"]
    cache.store(DECODED, "name", "key", folders)
    assert same(cache.load("name", "key", folders), DECODED)
    cache.store(DECODED, "name", "key", folders[:1])


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cache.store(DECODED, "name", "key", [tmp_path])
    assert not list(tmp_path.iterdir())


def test_digests_tell_apart_what_looks_alike() -> None:
    assert cache.digest("a", "b") == cache.digest("a", "b")
    assert len({cache.digest("ab"), cache.digest("a", "b"), cache.digest(1), cache.digest("1")}) == 4
