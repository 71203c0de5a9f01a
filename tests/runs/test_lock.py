import errno
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cnnlab.core.errors import RequestError, WriteError
from cnnlab.runs import lock
from cnnlab.runs.lock import LOCK, is_abandoned, is_held, training_lock

HOLDER = """
import sys, time
from pathlib import Path
from cnnlab.runs.lock import training_lock
with training_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_second_is_refused_with_the_firsts_number_until_it_ends(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout
        assert first.stdout.readline() == "held\n"
        for _ in range(2):  # asking changes nothing
            assert is_held(tmp_path)
            assert not is_abandoned(tmp_path)
            with pytest.raises(RequestError) as caught, training_lock(tmp_path):
                pass
            assert str(caught.value) == f"the run {tmp_path.name} is being trained by process {first.pid}"
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert (tmp_path / LOCK).exists()  # nobody tidied up, and the lock is free all the same
    left = (tmp_path / LOCK).read_bytes()
    assert is_abandoned(tmp_path)
    (tmp_path / LOCK).write_text("4711 another.machine\n")
    assert not is_abandoned(tmp_path)  # it may live there
    (tmp_path / LOCK).write_bytes(left)
    with training_lock(tmp_path) as remark:
        assert remark is None
        assert (tmp_path / LOCK).read_text().split()[0] == str(os.getpid())
        with pytest.raises(RequestError, match=f"by process {os.getpid()}$"), training_lock(tmp_path):
            pass
    assert list(tmp_path.iterdir()) == []


def test_the_lock_holds_room_for_the_record_of_a_full_disk(tmp_path: Path) -> None:
    with training_lock(tmp_path):
        assert (tmp_path / LOCK).stat().st_size > lock.ROOM
        lock.give_room(tmp_path)
        assert (tmp_path / LOCK).read_text() == f"{os.getpid()} {socket.gethostname()}\n"


def test_the_lock_ends_with_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="x"), training_lock(tmp_path):
        raise ValueError("x")
    assert not is_held(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF])
def test_a_file_system_without_locks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lock, "_lock", refuse)
    with training_lock(tmp_path) as remark:
        assert remark == f"the file system of {tmp_path} has no locks: train this run in one process at a time"


def test_a_lock_file_that_is_something_else(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("another's")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.json").write_text("{}")
    os.link(outside, folder / LOCK)
    with training_lock(folder):
        assert (folder / LOCK).read_text().split()[0] == str(os.getpid())
    (folder / LOCK).symlink_to(outside)
    with pytest.raises(RequestError, match=r"training.lock: is a link to "), training_lock(folder):
        pass
    (folder / LOCK).unlink()
    os.mkfifo(folder / LOCK)
    with pytest.raises(RequestError, match="is no regular file"), training_lock(folder):
        pass
    (folder / LOCK).unlink()
    (folder / LOCK).mkdir()
    with (
        pytest.raises(WriteError, match=r"training.lock: is a folder, and a file is needed there"),
        training_lock(folder),
    ):
        pass
    assert outside.read_text() == "another's"
