"""`cnnlab serve` from its first line to Ctrl-C."""

import os
import signal
import socket
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from threading import Thread, get_ident, main_thread

import pytest
from command_line import Place
from networks import small

from cnnlab.core.errors import RequestError
from cnnlab.core.registry import component
from cnnlab.deploy.serve.run import rule_for
from cnnlab.network.open import open_network
from cnnlab.network.session import Session
from cnnlab.rejection.kept import Measured, Rejection, fingerprint, kept_at, write

NETWORK = """
from torch import nn

def build():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
"""

SERVE = ("serve", "net.py:build", "--input", "8", "--classes", "day,night", "--device", "cpu")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "net.py").write_text(NETWORK)
    return Place(tmp_path)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_a_page_until_ctrl_c(place: Place) -> None:
    port, found = free_port(), []

    def visit() -> None:
        """Read the page once it is there, then press Ctrl-C."""
        until = time.monotonic() + 60
        while time.monotonic() < until and not found:
            try:
                found.append(urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read().decode())
            except OSError:
                time.sleep(0.02)
        signal.pthread_kill(main_thread().ident or get_ident(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # which a background process begins without
    visitor = Thread(target=visit)
    visitor.start()
    try:
        result = place(*SERVE, "--port", port)
    finally:
        visitor.join()
        signal.signal(signal.SIGINT, before)
    assert "<title>net.py:build · cnnlab</title>" in found[0]
    assert result.code == 0
    assert result.out == f"net.py:build is served at http://127.0.0.1:{port}/; Ctrl-C ends it\n"
    assert "200 GET /  " in result.err
    assert result.err.endswith("the page has ended\n")
    with socket.create_server(("127.0.0.1", port)):  # which is free again
        pass
    assert os.listdir(place.folder) == ["net.py"]


def test_the_address(place: Place) -> None:
    result = place(*SERVE, "--port", 0, "--json", "--check", "--method", "none")
    assert result.code == 0
    assert result.json()["model"] == "net.py:build"
    assert result.json()["url"].startswith("http://127.0.0.1:")
    assert "whoever" not in result.err
    result = place(*SERVE, "--port", 0, "--json", "--check", "--host", "0.0.0.0", "--method", "none")
    assert result.json()["url"].startswith("http://127.0.0.1:")
    assert "whoever reaches this machine can use the page, since it listens on 0.0.0.0" in result.err


def test_the_kept_rule_is_used_where_it_fits(tmp_path: Path) -> None:
    session = Session(runs=tmp_path / "runs", device_name="cpu")
    network = open_network(small(), session, for_images=True, size="16")
    assert rule_for(network, session, None) == (None, ())
    with pytest.raises(RequestError, match="there is none"):
        rule_for(network, session, True)
    rule = Rejection(component("score", "energy"), "linear", {}, 0.5, 0.95, fingerprint(network), {})
    write(rule, Measured({}, {}), kept_at(network, session))
    for asked in (None, True):
        found, said = rule_for(network, session, asked)
        assert found is not None
        assert (found.threshold, said) == (0.5, ())
    assert rule_for(network, session, False) == (None, ())
    other = replace(network, model=small(seed=1))
    found, (sentence,) = rule_for(other, session, None)
    assert found is None
    assert sentence.startswith("no image is called none of the classes: ")
    with pytest.raises(RequestError, match="made for other weights"):
        rule_for(other, session, True)
