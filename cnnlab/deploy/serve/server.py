"""The server behind the page: a port of this machine, and a thread for each of a number of connections."""

import errno
import ipaddress
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import ThreadingHTTPServer
from socketserver import TCPServer
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import urlsplit

from cnnlab.core.errors import CnnlabError, RequestError, WorkError
from cnnlab.deploy.serve.answerer import Answerer
from cnnlab.deploy.serve.handler import MOST_BYTES, Handler
from cnnlab.deploy.serve.page import page_files

PATIENCE = 30.0
"""Seconds that a client has for its whole request, and for taking the answer."""

AT_ONCE = 32
"""Connections at a time; more are refused."""

FULL = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Server(ThreadingHTTPServer):
    """The page of one network at one address."""

    daemon_threads = True
    allow_reuse_port = False
    request_queue_size = AT_ONCE

    def __init__(
        self,
        answerer: Answerer,
        host: str,
        port: int,
        log: Callable[[str], None],
        *,
        patience: float = PATIENCE,
        at_once: int = AT_ONCE,
    ) -> None:
        """Open the port.

        Arguments:
            answerer: what answers the posted images.
            host: the name or number of this machine under which it listens.
            port: a free one where it is 0.
            log: called with a line for each answer, from several threads.
            patience: seconds that a client has for its whole request, and for taking the answer.
            at_once: connections at a time; more are refused.

        Raises: WorkError for a port that is in use or may not be opened, RequestError for a host that is not here.
        """
        self.answerer, self.host, self.log, self.patience = answerer, host, log, patience
        self.files: Mapping[str, tuple[bytes, str]] = page_files(answerer, MOST_BYTES)
        self.asks: Mapping[str, Callable[[bytes], Any]] = {
            "/predict": answerer.predict,
            "/explain": answerer.explain,
        }
        self._at_once, self._room = at_once, BoundedSemaphore(at_once)
        if not host:
            raise RequestError("`host` is empty; 127.0.0.1 is this machine")
        try:
            self.address_family, address = _address(host, port)
            super().__init__(address, Handler)
        except (socket.gaierror, ValueError):
            raise RequestError(f"`host` is '{host}', no name or number of this machine; such as 127.0.0.1") from None
        except OSError as error:
            raise _not_opened(error, host, port) from None

    def server_bind(self) -> None:
        """Bind without asking for the name of the address, which may take long."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.host, int(self.server_address[1])

    @property
    def is_open(self) -> bool:
        """Whether others than this machine reach it."""
        return not ipaddress.ip_address(str(self.server_address[0])).is_loopback

    @property
    def url(self) -> str:
        """Where the page is, from this machine."""
        address = str(self.server_address[0])
        anywhere = ipaddress.ip_address(address).is_unspecified
        host = "127.0.0.1" if anywhere else f"[{address}]" if ":" in address else address
        return f"http://{host}:{self.server_port}/"

    def is_own(self, host: str) -> bool:
        """Whether a request for `host` is meant for this server, and not for a name that was made to lead here.

        A number is: nobody can make it lead anywhere else. A name is where it is the machine's own.
        """
        try:
            found = urlsplit(f"//{host}")
            name, port = (found.hostname or ""), found.port or 80
        except ValueError:
            return False
        if port != self.server_port or found.path or found.username is not None or found.query or found.fragment:
            return False
        own = socket.gethostname().lower()
        if name in ("localhost", self.host.lower()) or (self.is_open and name in (own, f"{own}.local")):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.is_open or address.is_loopback

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, as long as there are not too many."""
        if not self._room.acquire(blocking=False):
            with suppress(OSError):
                request.sendall(FULL)
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer one request, and make room for another."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def wait_for_answers(self, seconds: float) -> None:
        """Wait until every answer is sent, so many seconds at most; no request is taken after it."""
        until = time.monotonic() + seconds
        for _ in range(self._at_once):
            self._room.acquire(timeout=max(0.0, until - time.monotonic()))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log that a client went away, or what else was wrong, in a line."""
        error = sys.exc_info()[1]
        gone = isinstance(error, (ConnectionError, TimeoutError))
        self.log("a client went away" if gone else f"a request failed: {type(error).__name__}: {error}")


def _address(host: str, port: int) -> tuple[socket.AddressFamily, Any]:
    """The family and the address of a name or a number; nobody is asked about a number."""
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return family, address
    return (socket.AF_INET6 if number.version == 6 else socket.AF_INET), (host, port)


def _not_opened(error: OSError, host: str, port: int) -> CnnlabError:
    if error.errno == errno.EADDRINUSE:
        return WorkError(f"`port` is {port}, which is in use on {host}; choose another, or 0 for a free one")
    if error.errno == errno.EACCES:
        return WorkError(f"`port` is {port}, which you may not open; choose one from 1024 on, or 0 for a free one")
    return RequestError(f"`host` is '{host}': {(error.strerror or str(error)).lower()}; this machine is 127.0.0.1")
