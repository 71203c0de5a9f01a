"""A network on a small web page of this machine."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from cnnlab.api.given import GivenData
from cnnlab.api.question import TURN, Questions, listed
from cnnlab.api.values import check_number
from cnnlab.attribution.catalog import Asked, chosen_methods
from cnnlab.deploy.serve.answerer import ServeOptions
from cnnlab.deploy.serve.run import ServedPage, answerer_of
from cnnlab.deploy.serve.server import Server
from cnnlab.network.own import copied
from cnnlab.rejection.kept import Rejection


class Serving(Questions):
    """What shows a network to whoever has a browser."""

    def serve(
        self,
        data: GivenData | None = None,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        top: int = 5,
        reject_below: float = 0.0,
        rejection: Rejection | None = None,
        methods: str | Sequence[Asked] | Literal["auto"] = "auto",
        nearest: int = 6,
    ) -> ServedPage:
        """Serve a page on which an image is dropped, and which shows answer, map and nearest training images.

        A copy of the network answers, in a thread of this process: what becomes of the network later does not change
        it.

        Arguments:
            data: as of `evaluate`; its training part is searched for the nearest images.
            port: 0 for a free one.
            host: another address than 127.0.0.1 opens the page to other machines.
            top: how many classes are named, the likeliest first.
            reject_below: the least probability, 0 … 1, with which an image gets a label.
            rejection: the rule of `reject(…).rejection`, which says what is none of the classes.
            methods: whose maps are shown, as of `explain`; none for an empty list.
            nearest: how many training images are shown, 0 … 50.

        Returns:
            The page, with its `url`; `close()`, the end of a `with` block and the end of the process end it.

        Raises:
            RequestError: for a network that does not run or cannot be copied, and for a host that is not here.
            WorkError: for a port that is in use.

        Example:
            >>> import cnnlab, urllib.request
            >>> net = cnnlab.open("torchvision:squeezenet1_1", size=64, device="cpu")
            >>> with net.serve(top=3) as page:
            ...     urllib.request.urlopen(page.url).status
            200
        """
        check_number("port", port, 0, 65_535)
        check_number("top", top, 1)
        check_number("reject_below", reject_below, 0.0, 1.0)
        check_number("nearest", nearest, 0, 50)
        with self._asked(data) as network:
            chosen: tuple[Asked, ...] | Literal["auto"] = "auto"
            if methods != "auto":
                chosen = chosen_methods(listed(methods)) if methods else ()
            own = replace(network, model=copied(network.model, network.name))
            options = ServeOptions(top, reject_below, rejection, chosen, nearest)
            answerer, _ = answerer_of(own, self._session, options, TURN)
            return ServedPage(Server(answerer, host, port, _unsaid))


def _unsaid(line: str) -> None:
    """Of a page in a notebook no request is logged."""
