"""One request: an address out of a short list, from this page or a program, or a sentence that says why not."""

import io
import json
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol

from cnnlab.core.characters import printable, shortened
from cnnlab.core.errors import CnnlabError, RequestError
from cnnlab.deploy.serve.answerer import EndedError

MOST_BYTES = 50_000_000
"""Of an image that is posted."""

LINGER = 2.0
"""Seconds in which what a refused client still sends is taken: it would not read the answer otherwise."""

KINDS = ("image/", "application/octet-stream", "application/x-www-form-urlencoded")
"""How a content type begins that is taken for the bytes of an image; curl says the last of whatever it sends."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Sent with every answer."""


class Serving(Protocol):
    """What a request needs of its server."""

    files: Mapping[str, tuple[bytes, str]]
    """Of each address that may be got the content and its kind."""
    asks: Mapping[str, Callable[[bytes], Any]]
    """Of each address that may be posted to what answers the bytes of an image."""
    log: Callable[[str], None]
    """Called with a line for each answer."""
    patience: float
    """Seconds that a client has for its whole request."""

    @property
    def url(self) -> str:
        """Where the page is."""

    def is_own(self, host: str) -> bool:
        """Whether a request for `host` is meant for this server."""


class _RefusedError(Exception):
    """A request that is answered by a sentence."""

    def __init__(self, status: HTTPStatus, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        self.status, self.headers = status, headers


class _Timely(io.RawIOBase):
    """What a client sends, as long as its time is not over."""

    def __init__(self, connection: socket.socket, patience: float) -> None:
        self._connection, self._until = connection, time.monotonic() + patience

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class Handler(BaseHTTPRequestHandler):
    """One request on one connection, which is closed after it. Nothing that it names is looked for on a disk."""

    server: Serving  # type: ignore[assignment]
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "cnnlab", ""

    def setup(self) -> None:
        """Take the connection; each read has what is left of the client's time."""
        super().setup()
        self.began, self.refused = time.perf_counter(), False
        self.rfile = io.BufferedReader(_Timely(self.connection, self.server.patience))

    def do_GET(self) -> None:
        """Answer any method: with a file, with what the network says, or with a sentence."""
        try:
            content, kind = self._content()
        except _RefusedError as refused:
            self._send(refused.status, _sentence(str(refused)), headers=refused.headers)
        except RequestError as error:
            self._send(HTTPStatus.BAD_REQUEST, _sentence(str(error)))
        except EndedError:
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, _sentence("the page has ended"))
        except (TimeoutError, ConnectionError):
            raise
        except (CnnlabError, MemoryError, RuntimeError, ValueError, TypeError) as error:
            said = str(error).split("\n")[0] or type(error).__name__
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, _sentence(f"the network failed: {said}"))
        else:
            self._send(HTTPStatus.OK, content, kind)

    do_HEAD = do_POST = do_GET  # noqa: N815 (http.server finds them by these names)

    def finish(self) -> None:
        """Send what is left; of a refused client take what it still sends, lest it is cut off before it has read."""
        super().finish()
        if not self.refused:
            return
        until = time.monotonic() + LINGER
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while (left := until - time.monotonic()) > 0:
                self.connection.settimeout(left)
                if not self.connection.recv(65_536):
                    break

    def _content(self) -> tuple[bytes, str]:
        """The body of the answer and its kind.

        Raises: _RefusedError for a request that is not answered, RequestError for an image that cannot be read.
        """
        self._check_host()
        files, asks = self.server.files, self.server.asks
        if self.path not in files and self.path not in asks:
            sentence = "there is no such address; the page is at /, images are posted to /predict"
            raise _RefusedError(HTTPStatus.NOT_FOUND, sentence)
        allowed = ("GET", "HEAD") if self.path in files else ("POST",)
        if self.command not in allowed:
            asked = printable(shortened(self.command, 20))
            sentence = f"{self.path} takes {' and '.join(allowed)}, not {asked}"
            raise _RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, sentence, Allow=", ".join(allowed))
        if self.path in files:
            return files[self.path]
        self._check_origin()
        return _json(asks[self.path](self._body())), "application/json"

    def _check_host(self) -> None:
        """Refuse a request for another name: one that was made to lead here (DNS rebinding)."""
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or not self.server.is_own(hosts[0]):
            raise _RefusedError(HTTPStatus.FORBIDDEN, f"this address is not answered; the page is at {self.server.url}")

    def _check_origin(self) -> None:
        """Refuse what the page of another site posts; a program has no origin."""
        origin, site = self.headers.get("Origin"), self.headers.get("Sec-Fetch-Site", "none")
        if (origin is not None and origin != f"http://{self.headers['Host']}") or site not in ("none", "same-origin"):
            raise _RefusedError(HTTPStatus.FORBIDDEN, "another page may not post images here")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") is not None:
            raise _RefusedError(HTTPStatus.LENGTH_REQUIRED, "send the image with its Content-Length, not in chunks")
        lengths = self.headers.get_all("Content-Length") or []
        if len(lengths) != 1 or not (lengths[0].isascii() and lengths[0].isdecimal()):
            raise _RefusedError(HTTPStatus.LENGTH_REQUIRED, "send the image with one Content-Length, in bytes")
        if len(lengths[0]) > 12 or int(lengths[0]) > MOST_BYTES:
            sentence = f"an image may have at most {MOST_BYTES:,} bytes"
            raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, sentence)
        kind = self.headers.get("Content-Type", KINDS[0]).split(";")[0].strip().lower()
        if not kind.startswith(KINDS):
            sentence = (
                f"'{printable(shortened(kind, 40))}' is no image: send its bytes alone, as curl --data-binary "
                "@photo.jpg does"
            )
            raise _RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, sentence)
        length = int(lengths[0])
        try:
            content = self.rfile.read(length)
        except TimeoutError:
            sentence = f"the image was not here within {self.server.patience:g} seconds"
            raise _RefusedError(HTTPStatus.REQUEST_TIMEOUT, sentence) from None
        if len(content) < length:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, f"the image ends after {len(content):,} of {length:,} bytes")
        return content

    def _send(
        self,
        status: HTTPStatus,
        content: bytes,
        kind: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.connection.settimeout(self.server.patience)
        self.close_connection, self.refused = True, status >= HTTPStatus.BAD_REQUEST
        self.request_version = self.protocol_version  # whatever was asked: a status and headers are sent
        self.send_response(status)
        for name, value in {**HEADERS, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what http.server itself refuses: a line that is no request, headers that are too long."""
        if code == HTTPStatus.NOT_IMPLEMENTED:  # a method without a function here
            self.do_GET()
        else:
            self._send(HTTPStatus(code), _sentence(f"this is no request that is understood: {message}"))

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log a line for each answer."""
        milliseconds = 1000 * (time.perf_counter() - self.began)
        line = printable(shortened(self.requestline, 100)).removesuffix(" HTTP/1.1")
        self.server.log(f"{int(code)} {line}  {milliseconds:,.0f} ms")

    def log_message(self, format: str, *values: Any) -> None:
        """Log what http.server has to say, such as of a client that was too slow."""
        self.server.log(printable(shortened(format % values, 200)))


def _json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")


def _sentence(text: str) -> bytes:
    return _json({"error": text})
