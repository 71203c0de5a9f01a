"""A network behind a small page: what it needs is made ready and tried before the port opens."""

import atexit
from contextlib import AbstractContextManager
from dataclasses import replace
from io import BytesIO
from threading import Lock, Thread
from types import TracebackType
from typing import Any

from PIL import Image

from cnnlab.core.errors import RequestError
from cnnlab.deploy.serve.answerer import Answerer, ServeOptions, learned_images
from cnnlab.deploy.serve.server import Server
from cnnlab.network.network import Network
from cnnlab.network.session import Session
from cnnlab.rejection.kept import Rejection, is_kept, kept

LAST = 1.0
"""Seconds in which the last answer may be sent once the page has ended."""


def answerer_of(
    network: Network, session: Session, options: ServeOptions, turn: AbstractContextManager[Any] | None = None
) -> tuple[Answerer, tuple[str, ...]]:
    """What answers the page's requests, after one image was tried; and a sentence for each thing that is left out.

    Arguments:
        network: opened for images.
        session: where its training images lie.
        options: what the page shows.
        turn: held while an answer is made; a lock of its own by default.

    Raises: RequestError for a network that does not run, and for methods that were asked for and do not suit it.
    """
    remarks, learned = [], None
    if options.nearest and network.has_images:
        try:
            learned = learned_images(network, session)
        except RequestError as error:
            remarks.append(f"no nearest training images are shown: {error}")
    found = Answerer(network, session, options, learned, turn or Lock())
    blank = BytesIO()
    Image.new("RGB", (8, 8)).save(blank, "PNG")
    found.predict(blank.getvalue())
    try:
        found.explain(blank.getvalue())
    except RequestError as error:
        if options.methods != "auto":
            raise
        found = replace(found, options=replace(options, methods=()))
        remarks.append(f"no map is shown: {error}")
    return found, tuple(remarks)


def rule_for(network: Network, session: Session, asked: bool | None) -> tuple[Rejection | None, tuple[str, ...]]:
    """The rule of rejection that is kept for a network, and a sentence where it is there and not used.

    Arguments:
        network: opened for images.
        session: where runs lie.
        asked: whether there must be one; None where it is used if it is there and fits.

    Raises: RequestError where it is asked for, and missing or of other weights.
    """
    if asked or (asked is None and is_kept(network, session)):
        try:
            return kept(network, session), ()
        except RequestError as error:
            if asked:
                raise
            return None, (f"no image is called none of the classes: {error}",)
    return None, ()


class ServedPage:
    """A page that is answered by a thread of its own, until `close`; the end of the process closes it, too."""

    def __init__(self, server: Server) -> None:
        """Begin to answer."""
        self._server = server
        self._thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="serve", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    @property
    def url(self) -> str:
        """Where the page is, from this machine."""
        return self._server.url

    @property
    def is_open(self) -> bool:
        """Whether others than this machine reach it."""
        return self._server.is_open

    def close(self) -> None:
        """Close the port, after the answer that is being made; nothing is done where it is closed."""
        atexit.unregister(self.close)
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._server.answerer.end()
        self._server.wait_for_answers(LAST)

    def __enter__(self) -> "ServedPage":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        name = self._server.answerer.network.name
        return f"{name} at {self.url}; .close() ends it" if self._thread.is_alive() else f"{name}: the page has ended"
