"""Which images the words of a command line name."""

import io
from pathlib import Path

import pytest

from cnnlab.core.errors import RequestError
from cnnlab.network.image_files import find_images


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("[bold]", "bo", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "[1] 0.png").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("[bold]/*", ["[bold]/[1] 0.png", "b/[1] 0.png"]),  # the folder b is of the set, and [bold] is called so
        ("[bold]/[1]*", ["[bold]/[1] 0.png", "b/[1] 0.png"]),
        ("b[o]/[[]1] 0.png", ["bo/[1] 0.png"]),
        ("**/[1] ?.png", ["[bold]/[1] 0.png", "b/[1] 0.png", "bo/[1] 0.png"]),
    ],
)
def test_brackets_in_a_pattern_are_a_set_or_a_name(place: Path, pattern: str, found: list[str]) -> None:
    assert [source.name for source in find_images([pattern], io.BytesIO())] == found
    assert [source.name for source in find_images([f"{place}/{pattern}"], io.BytesIO())] == [
        f"{place}/{one}" for one in found
    ]


def test_a_list_may_hold_any_name(place: Path) -> None:
    names = ["caf\udce9.png", "a\x85b\u2028.png", " blank ", "[bold]/[1] 0.png"]
    for name in names:
        (place / name).touch()
    lines = "\r\n".join([*names, "", "  bo/[1] 0.png  "]).encode(errors="surrogateescape")
    assert [one.name for one in find_images(["-"], io.BytesIO(lines.replace(b"\r", b"")))] == [*names, "bo/[1] 0.png"]
    assert [one.name for one in find_images(["-"], io.BytesIO(b"b/[1] 0.png\r\n"))] == ["b/[1] 0.png"]


def test_a_path_that_leads_nowhere_is_told_with_the_others(place: Path) -> None:
    good, missing, empty = find_images(["b", "none*.png", "a\0b"], io.BytesIO())
    assert (good.fault, missing.fault) == ("", "no such image, folder or pattern")
    assert empty.name == "a\0b"
    with pytest.raises(RequestError, match=r"none\*\.png: no such image"):
        missing.read(3)
    with pytest.raises(RequestError, match="nowhere: no such image, folder or pattern\nneither: "):
        find_images(["nowhere", "neither"], io.BytesIO())


def test_an_empty_name_is_not_the_folder_one_is_in() -> None:
    with pytest.raises(RequestError, match="'': names no image"):
        find_images([""], io.BytesIO())


def test_what_never_ends_or_fits_nowhere_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            assert 0 < size < 2000, "without a limit"
            return b"\0" * size

    monkeypatch.setattr("cnnlab.network.image_files.LONGEST_LIST", 999)
    with pytest.raises(RequestError, match="standard input is no image, and as a list of paths longer than 999 bytes"):
        find_images(["-"], Endless())
    (tmp_path / "a.png").touch()
    good, long = find_images([str(tmp_path / "a.png"), "x" * 5000], io.BytesIO())
    assert (good.fault, long.fault) == ("", "no such image, folder or pattern")
