from pathlib import Path

import pytest

from cnnlab.core.files import PART, remove_parts, write_whole, write_with


def test_text_and_bytes(tmp_path: Path) -> None:
    write_whole(tmp_path / "new" / "a.txt", "é\n")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "é\n".encode()
    write_whole(tmp_path / "new" / "a.txt", b"\x00")
    assert (tmp_path / "new" / "a.txt").read_bytes() == b"\x00"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt(), ValueError("no")])
def test_a_writer_that_fails_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def write(temporary: Path) -> None:
        temporary.write_bytes(b"half of the ne")
        raise error

    with pytest.raises(type(error)):
        write_with(path, write)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_temporary_file_keeps_the_suffix_and_the_folder(tmp_path: Path) -> None:
    seen: list[Path] = []

    def write(temporary: Path) -> None:
        seen.append(temporary)
        temporary.write_bytes(b"x")

    write_with(tmp_path / "curves.png", write)
    assert seen[0].parent == tmp_path
    assert seen[0].suffix == ".png"
    assert seen[0].name.startswith(".")


def test_a_writer_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_with(tmp_path / "a", lambda temporary: None)
    assert not list(tmp_path.iterdir())


def test_what_killed_processes_left_behind(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    kept = [tmp_path / "checkpoints" / "last.pt", tmp_path / ".hidden", tmp_path / "a.part"]
    left = [tmp_path / "checkpoints" / f".last.123{PART}.pt", tmp_path / f".run.7{PART}.json"]
    for path in kept + left:
        path.write_bytes(b"x")
    remove_parts(tmp_path)
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in left)
