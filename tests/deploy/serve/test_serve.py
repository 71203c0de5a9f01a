"""The page over HTTP: answers are those of `predict`, and whatever else is asked gets a sentence and nothing more."""

import base64
import http.client
import io
import json
import socket
import struct
import tempfile
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from bad_inputs.deployment import onnx_of
from networks import small
from numpy.typing import NDArray
from PIL import Image

import cnnlab
from cnnlab.api.opened import OpenedNetwork
from cnnlab.deploy.serve import handler
from cnnlab.deploy.serve.answerer import POSTED
from cnnlab.deploy.serve.run import ServedPage
from cnnlab.deploy.serve.server import Server

Pixels = NDArray[np.uint8]


def png(pixels: Pixels) -> bytes:
    """The file of an image [h, w, 3]."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def bomb() -> bytes:
    """A PNG of some bytes that says it has 40,000 × 40,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


class Answer:
    """What came back; every answer has the headers that keep a browser from anything but this page."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.content = response.status, response.headers, response.read()
        assert "default-src 'none'" in self.headers["Content-Security-Policy"]
        assert "unsafe" not in self.headers["Content-Security-Policy"]
        assert self.headers["X-Content-Type-Options"] == "nosniff"
        assert self.headers["Referrer-Policy"] == "no-referrer"
        assert self.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert self.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in self.headers
        assert "Python" not in self.headers["Server"]

    @property
    def json(self) -> Any:
        assert self.headers["Content-Type"] == "application/json"
        return json.loads(self.content)

    @property
    def refusal(self) -> tuple[int, str]:
        """Status and sentence, where there is nothing else."""
        assert self.json.keys() == {"error"}
        assert "\n" not in self.json["error"]
        return self.status, self.json["error"]


def ask(page: ServedPage, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
    connection = http.client.HTTPConnection(urlsplit(page.url).netloc, timeout=20)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    try:
        return Answer(connection.getresponse())
    finally:
        connection.close()


def opened(page: ServedPage) -> socket.socket:
    return socket.create_connection((urlsplit(page.url).hostname or "", urlsplit(page.url).port or 0), timeout=20)


def sent(page: ServedPage, *parts: bytes, ends: bool = True, pause: float = 0.0) -> Answer:
    """The answer to these bytes; where it `ends`, nothing comes after them."""
    with opened(page) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        response = http.client.HTTPResponse(connection, method=parts[0].split(b" ")[0].decode("latin-1"))
        response.begin()
        return Answer(response)


def head(page: ServedPage, line: str, *headers: str) -> bytes:
    return "\r\n".join([line, f"Host: {urlsplit(page.url).netloc}", *headers, "", ""]).encode("latin-1")


@pytest.fixture(scope="module")
def hasty(page: ServedPage) -> Iterator[ServedPage]:
    """The same answers by a server with little time and little room."""
    server = Server(page._server.answerer, "127.0.0.1", 0, said.append, patience=0.3, at_once=3)
    with ServedPage(server) as found:
        yield found


said: list[str] = []
"""What the hasty server has logged."""


def test_the_answer_is_that_of_predict(page: ServedPage, net: OpenedNetwork, images: Pixels) -> None:
    answer = ask(page, "POST", "/predict", png(images[5]))
    (expected,) = net.predict(images[5], top=2).to_dict()["predictions"]
    assert answer.status == 200
    assert answer.json == expected | {"path": POSTED}


def test_beside_it_are_map_and_nearest_training_images(page: ServedPage, net: OpenedNetwork, images: Pixels) -> None:
    wide = np.concatenate([images[5][:, :1]] * 4 + [images[5]] + [images[5][:, -1:]] * 4, axis=1)  # its middle is seen
    found = ask(page, "POST", "/explain", png(wide), Content_Type="image/png").json
    best = net.predict(images[5])[0]
    assert found["said"].startswith(f"{best.label}, {best.probability:.1%}"[:-1])
    (map_,) = found["maps"]
    assert map_["title"].startswith("Grad-CAM at relu2 for ")
    drawn, seen = (pixels_at(one) for one in (map_["image"], found["seen"]))
    assert drawn.shape[1] / drawn.shape[0] == pytest.approx(24 / 16, abs=0.02)  # over the whole image
    times = len(seen) // 16
    assert np.array_equal(seen[::times, ::times], images[5])
    first, *others = found["nearest"]
    assert first["label"] == net.classes[5 % 4]
    assert first["cosine"] == 1.0
    assert np.array_equal(pixels_at(first["image"])[::times, ::times], images[5])
    assert [one["cosine"] for one in others] == sorted((one["cosine"] for one in others), reverse=True)
    assert len(others) == 2


def pixels_at(address: str) -> Pixels:
    """The image in an address of the page."""
    kind, _, content = address.partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB"))


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "the posted image"),
        (b"no image at all", "the posted image"),
        (bomb(), "the posted image has 1,600,000,000 pixels"),
        (png(np.zeros((40, 40, 3), np.uint8))[:60], "the posted image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "the posted image"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "the posted image"),
    ],
    ids=["empty", "text", "bomb", "cut off", "svg", "zeros"],
)
def test_what_is_no_image_is_told_in_a_sentence(page: ServedPage, body: bytes, named: str) -> None:
    for path in ("/predict", "/explain"):
        status, sentence = ask(page, "POST", path, body).refusal
        assert status == 400
        assert named in sentence


def test_a_body_that_is_not_taken(page: ServedPage, monkeypatch: pytest.MonkeyPatch) -> None:
    post = "POST /predict HTTP/1.1"
    for kind in ("multipart/form-data; boundary=x", "text/html", "application/json"):
        status, sentence = ask(page, "POST", "/predict", b"x", Content_Type=kind).refusal
        assert (status, kind.split(";")[0] in sentence) == (415, True)
    for headers in ((), ("Transfer-Encoding: chunked",), ("Content-Length: 1", "Content-Length: 2")):
        assert sent(page, head(page, post, *headers)).refusal[0] == 411
    for length in ("-1", "1.5", "٣", "x"):
        assert sent(page, head(page, post)[:-2] + f"Content-Length: {length}\r\n\r\n".encode()).refusal[0] == 411
    assert sent(page, head(page, post, "Content-Length: 50000001")).refusal[0] == 413
    assert sent(page, head(page, post, "Content-Length: " + "9" * 5000)).refusal[0] == 413
    assert sent(page, head(page, post, "Content-Length: 100"), b"0123456789").refusal == (
        400,
        "the image ends after 10 of 100 bytes",
    )
    monkeypatch.setattr(handler, "MOST_BYTES", 1000)
    assert ask(page, "POST", "/predict", bytes(3_000_000)).refusal == (413, "an image may have at most 1,000 bytes")


CLIMBING = (
    *("/../../etc/passwd", "/..", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd", "/..%5c..%5cetc"),
    *("//etc/passwd", "/etc/passwd", "etc/passwd", "file:///etc/passwd", "http://127.0.0.1/etc/passwd", "*"),
    *("/serve.js/../server.py", "/serve.js%00", "/serve.js/", "/server.py", "/page.html.j2", "/predict/.."),
    *("/.", "/?x", "/runs", "\\..\\etc", "/\xff"),
)


def test_there_is_nothing_but_the_page(page: ServedPage) -> None:
    for path in CLIMBING:
        for method in ("GET", "POST", "HEAD", "DELETE"):
            answer = sent(page, head(page, f"{method} {path} HTTP/1.1"))
            assert answer.status == 404, path
            assert method == "HEAD" or answer.refusal[1].startswith("there is no such address; the page is at /")


def test_the_page_is_whole_and_its_own(page: ServedPage, net: OpenedNetwork) -> None:
    whole = ask(page, "GET", "/").content.decode()
    assert f"<title>{net.name} · cnnlab</title>" in whole  # at once, not by a script
    for address in ("/serve.js", "/serve.css", "/page.css"):
        assert f'"{address}"' in whole
        found, alone = ask(page, "GET", address), ask(page, "HEAD", address)
        assert found.status == alone.status == 200
        assert int(alone.headers["Content-Length"]) == len(found.content) > 0
        assert alone.content == b""
    assert "//" not in whole.replace("data:,", "")  # no address of another site


def test_methods(page: ServedPage) -> None:
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "BREW"):
        answer = ask(page, method, "/predict")
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    for method in ("POST", "PUT", "OPTIONS"):
        answer = ask(page, method, "/")
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_what_is_no_request(page: ServedPage) -> None:
    for line in (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        assert sent(page, line).status in (400, 505)
    assert sent(page, b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n").status == 414
    assert sent(page, b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n").status == 431


def test_a_name_that_was_made_to_lead_here_is_not_answered(page: ServedPage) -> None:
    """DNS rebinding: a page of another site whose name leads to 127.0.0.1 may ask, and learns nothing."""
    port = urlsplit(page.url).port
    others = (
        *("evil.example", f"evil.example:{port}", f"localhost.evil.example:{port}", f"10.0.0.1:{port}"),
        *("127.0.0.1:1", "127.0.0.1", f"a@127.0.0.1:{port}", f"127.0.0.1:{port}/x", f"[::1:{port}", "x:99999", ""),
    )
    for host in others:
        for method, path in (("GET", "/"), ("POST", "/predict")):
            assert ask(page, method, path, Host=host).refusal[0] == 403, host
    assert sent(page, b"GET / HTTP/1.1\r\n\r\n").refusal[0] == 403
    assert sent(page, head(page, "GET / HTTP/1.1", "Host: evil.example")).refusal[0] == 403
    for host in (f"localhost:{port}", f"LOCALHOST:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"):
        assert ask(page, "GET", "/", Host=host).status == 200, host


def test_another_page_may_not_post(page: ServedPage, images: Pixels) -> None:
    own = page.url.rstrip("/")
    for origin in ("http://evil.example", "null", own.replace("http", "https"), own + "0", ""):
        assert ask(page, "POST", "/predict", png(images[0]), Origin=origin).refusal[0] == 403, origin
    for site in ("cross-site", "same-site"):
        assert ask(page, "POST", "/predict", png(images[0]), Sec_Fetch_Site=site).refusal[0] == 403
    assert ask(page, "POST", "/predict", png(images[0]), Origin=own, Sec_Fetch_Site="same-origin").status == 200


def test_who_is_slow_is_not_waited_for(hasty: ServedPage) -> None:
    begun = time.monotonic()
    with opened(hasty) as connection:
        assert connection.recv(1) == b""  # not a word
    with opened(hasty) as connection:
        connection.sendall(b"GET / HT")
        assert connection.recv(1) == b""
    body = head(hasty, "POST /predict HTTP/1.1", "Content-Length: 100")
    drops = sent(hasty, body, *[b"x"] * 4, ends=False, pause=0.1)  # each in time, all together not
    assert drops.refusal == (408, "the image was not here within 0.3 seconds")
    assert time.monotonic() - begun < 5
    assert ask(hasty, "GET", "/").status == 200


def test_many_at_once(page: ServedPage, hasty: ServedPage, images: Pixels) -> None:
    alone = ask(page, "POST", "/explain", png(images[1])).json
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: ask(page, "POST", "/explain", png(images[1])).json, range(6)))
    assert found == [alone] * 6
    with ExitStack() as held:
        waiting = [held.enter_context(opened(hasty)) for _ in range(4)]
        assert b"503" in waiting[-1].recv(100)
    until = time.monotonic() + 10
    while (full := b"503" in first_line(hasty)) and time.monotonic() < until:
        time.sleep(0.02)
    assert not full


def first_line(page: ServedPage) -> bytes:
    with opened(page) as connection:
        connection.sendall(head(page, "GET / HTTP/1.1"))
        return connection.makefile("rb").readline()


def test_a_network_that_fails_is_told_and_the_page_goes_on(hasty: ServedPage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(content: bytes) -> None:
        raise RuntimeError("out of \x1b[2Jluck\nand more")

    asks: dict[str, Any] = hasty._server.asks  # type: ignore[assignment]
    monkeypatch.setitem(asks, "/predict", fails)
    assert ask(hasty, "POST", "/predict", b"x").refusal == (500, "the network failed: out of \x1b[2Jluck")
    assert ask(hasty, "GET", "/").status == 200
    assert any(line.startswith("500 POST /predict  ") for line in said)
    sent(hasty, b"GET /\x1b[2J HTTP/1.1\r\n\r\n")
    assert not any("\x1b" in line for line in said)


def test_nothing_is_written(page: ServedPage, images: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for body in (png(images[2]), b"", bomb()):
        ask(page, "POST", "/predict", body)
        ask(page, "POST", "/explain", body)
    assert list(tmp_path.iterdir()) == []


def test_a_page_ends(net: OpenedNetwork, images: Pixels) -> None:
    page = net.serve(methods=[])
    assert page.url in repr(page)
    assert ask(page, "POST", "/explain", png(images[0])).json["maps"] == []
    assert ask(page, "POST", "/explain", png(images[0])).json["nearest"] == []
    with pytest.raises(cnnlab.WorkError, match=r"`port` is \d+, which is in use on 127.0.0.1"):
        net.serve(methods=[], port=urlsplit(page.url).port or 0)
    answerer = page._server.answerer
    with ThreadPoolExecutor(3) as pool:
        with answerer.turn:  # of an answer that is being made
            waiting = pool.submit(ask, page, "POST", "/predict", png(images[0]))
            ending = pool.submit(answerer.end)
            assert wait([waiting, ending], timeout=0.2).done == set()
        ending.result(10)
        assert ask(page, "POST", "/predict", png(images[0])).refusal == (503, "the page has ended")
        assert waiting.result(10).refusal[0] == 503  # what was asked and not begun
    page.close()
    page.close()
    assert "has ended" in repr(page)
    with pytest.raises(ConnectionRefusedError):
        opened(page)


def test_the_network_that_is_served_is_a_copy(images: Pixels) -> None:
    """Training goes on while the page is up: what was served stays, and the trained network is not touched."""
    model = small(seed=2).train()
    with cnnlab.open(model, size=16, device="cpu").serve(methods=[]) as page:
        before = ask(page, "POST", "/predict", png(images[0])).json
        assert model.training
        for parameter in model.parameters():
            parameter.data.zero_()
        assert ask(page, "POST", "/predict", png(images[0])).json == before


def test_none_of_these(net: OpenedNetwork, images: Pixels) -> None:
    rule = net.reject((images, [0, 1, 2, 3] * 3), outside="noise", score="energy", count=4).rejection
    (likeliest,) = net.predict(images[0]).labels
    with net.serve(methods=[], rejection=replace(rule, threshold=1e9)) as page:
        found = ask(page, "POST", "/explain", png(images[0])).json
        assert "none of them" in ask(page, "GET", "/").content.decode()
    assert (found["label"], found["answer"]) == (None, "none of these")
    assert found["said"].startswith("None of these: its score is ")
    with net.serve(methods=[], rejection=replace(rule, threshold=-1e9)) as page:
        assert ask(page, "POST", "/predict", png(images[0])).json["answer"] == likeliest
    with net.serve(methods=[], reject_below=1.0) as page:
        assert ask(page, "POST", "/explain", png(images[0])).json["said"].startswith("No label: ")


def test_a_page_for_other_machines_answers_to_their_names_for_this_one(page: ServedPage) -> None:
    server = Server(page._server.answerer, "0.0.0.0", 0, said.append)  # which answers nothing yet
    try:
        port, own = server.server_port, socket.gethostname()
        assert server.is_open
        assert server.url == f"http://127.0.0.1:{port}/"
        for host in (f"192.0.2.7:{port}", f"{own}:{port}", f"{own}.local:{port}", f"[2001:db8::1]:{port}"):
            assert server.is_own(host), host
        for host in (f"evil.example:{port}", f"192.0.2.7.evil.example:{port}", "192.0.2.7:1"):
            assert not server.is_own(host), host
    finally:
        server.server_close()


def test_an_onnx_file_is_answered_without_maps(images: Pixels, tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(onnx_of())
    net = cnnlab.open(file, size=8, device="cpu")
    with net.serve(top=1) as page:
        found = ask(page, "POST", "/explain", png(images[0])).json
    (expected,) = net.predict(images[0], top=1).to_dict()["predictions"]
    assert {name: found[name] for name in expected} == expected | {"path": POSTED}
    assert found["maps"] == found["nearest"] == []
