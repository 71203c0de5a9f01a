"""A watched folder gives out each image once it is whole, and again when it changes."""

import os
from pathlib import Path

import pytest
from PIL import Image

from cnnlab.core.errors import RequestError
from cnnlab.evaluation.stream import folder as folder_module
from cnnlab.evaluation.stream.folder import WatchedFolder


@pytest.fixture
def png(tmp_path: Path) -> bytes:
    Image.effect_noise((9, 9), 50).save(tmp_path / "a.png")
    return (tmp_path / "a.png").read_bytes()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def looked(watched: WatchedFolder) -> list[str]:
    return [path.name for path in watched.whole()]


def test_a_file_is_given_out_once_it_is_whole(png: bytes, inbox: Path) -> None:
    watched = WatchedFolder(inbox)
    (inbox / "slow.png").write_bytes(png[:20])
    assert [looked(watched) for _ in range(3)] == [[], [], []]  # it stands still, and cannot be read
    with (inbox / "slow.png").open("ab") as file:
        file.write(png[20:])
    assert [looked(watched) for _ in range(3)] == [[], ["slow.png"], []]


def test_what_is_renamed_into_the_folder_and_what_changes(png: bytes, inbox: Path, tmp_path: Path) -> None:
    watched = WatchedFolder(inbox)
    for _ in range(2):  # the same content again is another file
        (tmp_path / ".part").write_bytes(png)
        os.replace(tmp_path / ".part", inbox / "frame.png")
        assert [looked(watched) for _ in range(3)] == [[], ["frame.png"], []]
    (inbox / "frame.png").write_bytes(png + b"\0")
    (inbox / ".hidden.png").write_bytes(png)
    (inbox / "notes.txt").write_bytes(png)
    (inbox / "deep").mkdir()
    (inbox / "deep" / "猫\n.png").write_bytes(png)
    os.utime(inbox / "frame.png", ns=(1, 1))
    assert [looked(watched) for _ in range(3)] == [[], ["frame.png", "猫\n.png"], []]
    (inbox / "frame.png").unlink()
    assert looked(watched) == []
    (inbox / "frame.png").write_bytes(png)
    assert [looked(watched) for _ in range(2)] == [[], ["frame.png"]]


def test_what_stays_unreadable_is_told(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "PATIENCE", 0.0)
    watched = WatchedFolder(inbox)
    (inbox / "empty.png").touch()
    assert [looked(watched) for _ in range(3)] == [[], ["empty.png"], []]


def test_the_images_that_are_there_already(png: bytes, inbox: Path) -> None:
    (inbox / "old.png").write_bytes(png)
    script: list[str] = []

    def pause(seconds: float) -> None:
        assert 0 < seconds < 1
        script.append("pause")
        if len(script) == 2:
            (inbox / "new.png").write_bytes(png)
        if len(script) == 5:
            raise KeyboardInterrupt

    def names(*, existing: bool) -> list[str]:
        script.clear()
        (inbox / "new.png").unlink(missing_ok=True)
        found = []
        with pytest.raises(KeyboardInterrupt):
            found += [found.append(one) for one in WatchedFolder(inbox, existing, pause).arrivals()]
        return [Path(one.source.name).name for one in found]

    assert names(existing=False) == ["new.png"]
    assert names(existing=True) == ["old.png", "new.png"]


def test_a_folder_that_is_none_or_goes_away(inbox: Path, png: bytes, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no such folder"):
        next(WatchedFolder(tmp_path / "none").arrivals())
    with pytest.raises(RequestError, match=r"a\.png': is a file"):
        next(WatchedFolder(tmp_path / "a.png").arrivals())
    with pytest.raises(RequestError, match="inbox: the folder that is watched is gone"):
        next(WatchedFolder(inbox, pause=lambda seconds: inbox.rmdir()).arrivals())
