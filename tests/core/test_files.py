import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cnnlab.core import files
from cnnlab.core.errors import RequestError, WriteError
from cnnlab.core.files import (
    PART,
    append_line,
    make_folder,
    place_whole,
    refuse_links,
    remove_file,
    remove_folder,
    remove_parts,
    write_whole,
)
from cnnlab.core.reading import open_file


def dead_process() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_text_and_bytes(tmp_path: Path) -> None:
    write_whole(tmp_path / "new" / "a.txt", "é\n")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "é\n".encode()
    write_whole(tmp_path / "new" / "a.txt", memoryview(b"\x00"))
    assert (tmp_path / "new" / "a.txt").read_bytes() == b"\x00"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]


def test_a_name_that_is_no_utf_8_comes_back_from_json(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9 \xc3\xa9.png")
    write_whole(tmp_path / "a.json", json.dumps([name], ensure_ascii=False))
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == [name]


REFUSALS = [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO]


@pytest.mark.parametrize("number", REFUSALS)
@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_what_the_disk_refuses_names_the_file_and_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, fails: str
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def refuse(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, fails, refuse)
    with pytest.raises(WriteError) as caught:
        write_whole(path, b"new")
    assert str(caught.value).startswith(f"{path}: cannot be written: {os.strerror(number)}; ")
    assert str(caught.value).endswith(" and repeat the command")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("fails", "named"), [("mkdir", ""), ("fsync", "a.txt"), ("rename", "")])
def test_a_folder_that_the_disk_refuses_is_named_as_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str, named: str
) -> None:
    made, there = tmp_path / "made", tmp_path / "there"
    write_whole(made / "a.txt", "new")

    def refuse(*arguments: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, fails, refuse)
    with pytest.raises(WriteError) as caught:
        place_whole(made, there)
    assert str(caught.value).startswith(f"{there / named}: cannot be written: {os.strerror(errno.EROFS)}; ")
    assert list(tmp_path.iterdir()) == [made]


def test_an_interruption_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def interrupt(handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_line_that_does_not_fit_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"first\n")
    code = f"""
import resource
from pathlib import Path
from cnnlab.core.errors import WriteError
from cnnlab.core.files import append_line
resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))
try:
    append_line(Path({str(path)!r}), "x" * 50)
except WriteError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{path}: cannot be written: File too large; raise the limit")
    assert path.read_bytes() == b"first\n"


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize(
    ("before", "after"),
    [("", ""), ('{"a": 1}\n', '{"a": 1}\n'), ('{"a": 1}\n{"a', '{"a": 1}\n'), ('{"a": 1}', '{"a": 1}\n'), ('{"a', "")],
)
def test_a_line_that_was_cut_off_does_not_run_into_the_next(
    tmp_path: Path, before: str, after: str, linked: bool
) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text(before)
    if linked:
        os.link(path, tmp_path / "other")
    append_line(path, '{"b": 2}')
    append_line(path, '{"c": 3}')
    assert path.read_text() == after + '{"b": 2}\n{"c": 3}\n'
    assert not linked or (tmp_path / "other").read_text() == before


def test_a_file_where_a_folder_is_needed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in ("file", "file/a", "file/a/b"):
        for write in (lambda path: write_whole(path / "x", ""), make_folder):
            with pytest.raises(WriteError) as caught:
                write(tmp_path / path)
            assert str(caught.value) == f"{tmp_path}/file: is a file, and a folder is needed there; move it away"


def test_what_killed_processes_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "checkpoints").mkdir()
    dead = dead_process()
    kept = [tmp_path / "checkpoints" / "last.pt", tmp_path / ".hidden", tmp_path / "a.part"]
    kept.append(tmp_path / f".index.{os.getppid()}.0123abcd{PART}.html")  # of a process that is at work
    left = [tmp_path / "checkpoints" / f".last.{dead}{PART}.pt", tmp_path / f".run.{dead}.0123abcd{PART}.json"]
    left += [tmp_path / f".noext.{dead}.0123abcd{PART}", tmp_path / f".long.{'9' * 30}{PART}.pt"]
    for path in kept + left:
        path.write_bytes(b"x")
    remove_parts(tmp_path)
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in left)
    monkeypatch.setattr(files, "SECONDS_OF_A_PART", -1.0)
    remove_parts(tmp_path)
    assert [path.exists() for path in kept] == [True, True, True, False]


LINKS = ("to a folder", "to a chain", "dangling", "relative", "to another run")


@pytest.fixture(params=LINKS)
def linked(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """A run whose `reports` is a link, and what it leads to."""
    run, elsewhere = tmp_path / "runs" / "tiny", tmp_path / "elsewhere"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    elsewhere.mkdir()
    target = elsewhere
    if request.param == "to a chain":
        (tmp_path / "between").symlink_to(elsewhere)
        target = tmp_path / "between"
    elif request.param == "dangling":
        elsewhere.rmdir()
    elif request.param == "relative":
        target = Path("../../elsewhere")
    elif request.param == "to another run":  # whose own run.json must not count
        (elsewhere / "run.json").write_text("{}")
    (run / "reports").symlink_to(target)
    return run, elsewhere


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


WRITES = {
    "a file": lambda run: write_whole(run / "reports" / "a.txt", "new"),
    "a file further below": lambda run: write_whole(run / "reports" / "b" / "c" / "a.txt", "new"),
    "a file beside its target": lambda run: write_whole(run / "reports" / ".." / "a.txt", "new"),
    "a line": lambda run: append_line(run / "reports" / "old.jsonl", "new"),
    "a folder": lambda run: make_folder(run / "reports" / "b"),
    "no folder": lambda run: remove_folder(run / "reports"),
    "no folder below": lambda run: remove_folder(run / "reports" / "old"),
    "no file": lambda run: remove_file(run / "reports" / "old.jsonl"),
}


@pytest.mark.parametrize("what", WRITES)
def test_nothing_goes_through_a_link_inside_a_run(linked: tuple[Path, Path], what: str) -> None:
    run, elsewhere = linked
    if elsewhere.exists():
        (elsewhere / "old").mkdir()
        (elsewhere / "old.jsonl").write_text("old\n")
    before = content(elsewhere)
    with pytest.raises(RequestError) as caught:
        WRITES[what](run)
    assert str(caught.value).startswith(f"{run / 'reports'}: is a link to {os.readlink(run / 'reports')}, and a run is")
    assert content(elsewhere) == before
    assert (run / "reports").is_symlink()


def test_links_to_files(tmp_path: Path) -> None:
    """A file that is written whole takes the link's place; a line is refused; a hard link keeps what it had."""
    run, outside = tmp_path / "tiny", tmp_path / "outside"
    write_whole(run / "run.json", "{}")
    outside.write_text("old\n")
    for name in ("whole", "line", "gone"):
        (run / name).symlink_to(outside)
    os.link(outside, run / "hard")
    os.link(outside, run / "backup")
    write_whole(run / "whole", "new\n")
    remove_file(run / "gone")
    write_whole(run / "backup", "new\n")
    append_line(run / "hard", "new")
    with pytest.raises(RequestError, match="line: is a link to "):
        append_line(run / "line", "new")
    (run / "dangling").symlink_to(tmp_path / "made")
    with pytest.raises(RequestError, match="dangling: is a link to "):
        append_line(run / "dangling", "new")
    assert outside.read_text() == "old\n"
    assert not (tmp_path / "made").exists()
    assert (run / "hard").read_text() == "old\nnew\n"
    assert [(run / name).read_text() for name in ("whole", "backup")] == ["new\n"] * 2
    assert sorted(path.name for path in run.iterdir()) == ["backup", "dangling", "hard", "line", "run.json", "whole"]


def test_a_temporary_name_that_lies_there_as_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = tmp_path / "outside"
    outside.write_text("old")
    monkeypatch.setattr("secrets.token_hex", lambda count: "0" * 8)
    (tmp_path / f".a.{os.getpid()}.00000000{PART}.txt").symlink_to(outside)
    with pytest.raises(WriteError):
        write_whole(tmp_path / "a.txt", "new")
    assert outside.read_text() == "old"


def test_the_whole_folder_of_a_run_may_be_a_link(tmp_path: Path) -> None:
    disk, runs = tmp_path / "disk", tmp_path / "runs"
    disk.mkdir()
    write_whole(disk / "run.json", "{}")
    runs.mkdir()
    (runs / "tiny").symlink_to(disk)
    (tmp_path / "more").symlink_to(runs)
    for folder in (disk, runs / "tiny", tmp_path / "more" / "tiny"):
        write_whole(folder / "reports" / "a.txt", str(folder))
        assert (disk / "reports" / "a.txt").read_text() == str(folder)
    refuse_links(tmp_path / "more" / "new")  # outside of runs, links are the user's own


@pytest.mark.parametrize("name", ["pipe", "device"])
def test_what_may_never_end_is_not_read_and_not_written_to(tmp_path: Path, name: str) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    if name == "device":
        path = Path("/dev/zero")
    with pytest.raises(OSError, match=f"it is a {name}"):
        open_file(path)
    with pytest.raises((RequestError, WriteError), match=str(path)):
        append_line(path, "x")


@pytest.mark.skipif(os.name == "nt", reason="no pipes with names")
def test_no_file_takes_the_place_of_a_pipe_or_a_device(tmp_path: Path) -> None:
    """What is written to /dev/stdout, or by root to /dev/null, must leave them as they are."""
    pipe, link = tmp_path / "pipe", tmp_path / "out.json"
    os.mkfifo(pipe)
    link.symlink_to("/dev/null")  # a link, as /dev/stdout is one: a mistake of the code harms the link only
    for path, kind in ((pipe, "a pipe"), (link, "a device")):
        with pytest.raises(WriteError, match=f"{path}: is {kind}.*, and a file is needed there"):
            write_whole(path, "x")
    assert pipe.is_fifo()
    assert link.is_symlink()
