import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from cnnlab.data import cache
from cnnlab.data.cache import Decoded, Wanted

DECODED = Decoded(
    torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8),
    torch.tensor([0, 1, 3, 4, 6]),
    ("b: is damaged", "é: is empty"),
)
WANTED = Wanted("name", "key", 7, (3, 8, 8))
FILE = "name.safetensors"


def loaded(folders: Sequence[Path], wanted: Wanted = WANTED) -> Decoded | None:
    return cache.load(wanted, folders)[0]


def same(a: Decoded | None, b: Decoded) -> bool:
    return a is not None and torch.equal(a.images, b.images) and torch.equal(a.kept, b.kept) and a.skipped == b.skipped


def test_what_is_stored_is_found_under_the_same_key_only(tmp_path: Path) -> None:
    assert cache.load(WANTED, [tmp_path]) == (None, ())
    cache.store(DECODED, WANTED, [tmp_path / "new" / "folder"])
    assert same(loaded([tmp_path, tmp_path / "new" / "folder"]), DECODED)
    for other in (Wanted("name", "other", 7, (3, 8, 8)), Wanted("other", "key", 7, (3, 8, 8))):
        assert cache.load(other, [tmp_path / "new" / "folder"]) == (None, ())


def test_a_new_version_replaces_the_old_one_and_no_draft_stays(tmp_path: Path) -> None:
    abandoned, written_now = tmp_path / ".name-killed", tmp_path / ".name-now"
    abandoned.touch()
    written_now.touch()
    os.utime(abandoned, (0, time.time() - 2 * cache.ABANDONED))
    old = Wanted("name", "old", 7, (3, 8, 8))
    cache.store(DECODED, old, [tmp_path])
    cache.store(DECODED, WANTED, [tmp_path])
    assert loaded([tmp_path], old) is None
    assert same(loaded([tmp_path]), DECODED)
    assert {file.name for file in tmp_path.iterdir()} == {FILE, written_now.name}


@pytest.mark.parametrize("damage", ["cut short", "one byte", "emptied", "other file", "header"])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    cache.store(DECODED, WANTED, [tmp_path])
    file = tmp_path / FILE
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
    found, refused = cache.load(WANTED, [tmp_path])
    assert found is None
    said = "its content is not what was written" if damage == "one byte" else "it is damaged"
    assert refused == (f"{file}: not used: {said}",)


IMAGES, KEPT = DECODED.images, DECODED.kept


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"images": IMAGES.float()}, "its images are F32 of [5, 3, 8, 8], expected U8 of [5, 3, 8, 8]"),
        ({"images": torch.zeros(5, 3, 9, 9, dtype=torch.uint8)}, "its images are U8 of [5, 3, 9, 9], expected U8 of"),
        ({"images": IMAGES[:, :1]}, "its images are U8 of [5, 1, 8, 8], expected U8 of [5, 3, 8, 8]"),
        ({"images": IMAGES[:, 0]}, "its images are U8 of [5, 8, 8], expected U8 of [5, 3, 8, 8]"),
        ({"images": IMAGES[:4], "kept": KEPT[:4]}, "its images are U8 of [4, 3, 8, 8], expected U8 of [5, 3, 8, 8]"),
        ({"images": torch.tensor(1, dtype=torch.uint8)}, "its images are U8 of [], expected U8 of [5, 3, 8, 8]"),
        ({"kept": KEPT.int()}, "its kept are I32 of [5], expected I64 of [5]"),
        ({"kept": KEPT[:, None]}, "its kept are I64 of [5, 1], expected I64 of [5]"),
        ({"kept": KEPT + 1}, "it has images of files that are not among the 7"),
        ({"kept": KEPT - 1}, "it has images of files that are not among the 7"),
        ({"kept": KEPT.flip(0)}, "it has images of files that are not among the 7"),
        ({"kept": torch.tensor([0, 1, 1, 2, 3])}, "it has images of files that are not among the 7"),
        ({"skipped": "[1, 2]"}, "it names no list of images that cannot be read"),
        ({"skipped": "{}"}, "it names no list of images that cannot be read"),
        ({"skipped": "[" * 99_999}, "it is damaged"),
        ({"skipped": "["}, "it is damaged"),
        ({"skipped": None}, "it is damaged"),
        ({"images": None}, "it is damaged"),
    ],
)
def test_a_file_with_a_sound_checksum_is_checked_as_well(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    """Whoever can write a file can write its checksum, too."""
    whole: dict[str, Any] = {"images": IMAGES, "kept": KEPT, "skipped": json.dumps(DECODED.skipped)} | changed
    tensors = {name: whole[name].contiguous() for name in ("images", "kept") if whole[name] is not None}
    facts = {"key": "key"} | ({"skipped": whole["skipped"]} if whole["skipped"] else {})
    if len(tensors) == 2:
        facts["crc"] = cache._checksum("key", str(whole["skipped"]), tensors["images"], tensors["kept"])
    save_file(tensors, tmp_path / FILE, metadata=facts)
    (tmp_path / FILE).chmod(0o600)
    found, refused = cache.load(WANTED, [tmp_path])
    assert found is None
    assert len(refused) == 1
    assert refused[0].startswith(f"{tmp_path / FILE}: not used: {said}")


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no owners of files here")
@pytest.mark.parametrize("kind", ["file", "folder", "link", "pipe", "another user's"])
def test_what_somebody_else_can_have_written_is_refused(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.store(DECODED, WANTED, [tmp_path])
    file = tmp_path / FILE
    if kind == "file":
        file.chmod(0o666)
    elif kind == "folder":
        tmp_path.chmod(0o777)
    elif kind == "another user's":
        owner = os.stat(file).st_uid
        os.chown(file, 65_534, -1) if os.getuid() == 0 else monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    else:
        file.rename(tmp_path / "elsewhere")
        os.mkfifo(file) if kind == "pipe" else file.symlink_to(tmp_path / "elsewhere")
    found, refused = cache.load(WANTED, [tmp_path])
    assert found is None
    assert len(refused) == 1
    if kind == "folder":  # our own, made under a lax umask: the next one to write closes it
        cache.store(DECODED, WANTED, [tmp_path])
        assert same(loaded([tmp_path]), DECODED)


def test_a_folder_that_cannot_be_written_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folders = [tmp_path / "file" / "decoded", tmp_path / "second"]
    cache.store(DECODED, WANTED, folders)
    assert same(loaded(folders), DECODED)
    cache.store(DECODED, WANTED, folders[:1])


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_write_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, "replace", fail)
    if error is OSError:  # a full disk: only time is lost
        cache.store(DECODED, WANTED, [tmp_path])
    else:
        with pytest.raises(error):
            cache.store(DECODED, WANTED, [tmp_path])
    assert not list(tmp_path.iterdir())


def test_what_is_stored_is_what_safetensors_reads(tmp_path: Path) -> None:
    cache.store(DECODED, WANTED, [tmp_path])
    assert torch.equal(load_file(tmp_path / FILE)["images"], DECODED.images)


def test_digests_tell_apart_what_looks_alike() -> None:
    assert cache.digest("a", "b") == cache.digest("a", "b")
    assert len({cache.digest("ab"), cache.digest("a", "b"), cache.digest(1), cache.digest("1")}) == 4
    assert cache.digest("caf\udce9"), "a name that is no UTF-8"
