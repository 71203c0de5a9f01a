"""MODEL on the command line: its name, and the options that say what a network cannot say of itself."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from cnnlab.cli.failures import with_options
from cnnlab.cli.streams import say
from cnnlab.network.session import Session

if TYPE_CHECKING:
    from cnnlab.network.description import ModelOptions
    from cnnlab.network.network import Network

PANEL = "The network and its images"
"""The heading of these options in --help."""

MODEL = "A run, a config, FILE.py:NAME, torchvision:NAME or timm:NAME."

DATA = "Images to ask about: a folder, a CSV, a config or a data set; of a run, where its own lie now."

ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help=MODEL, show_default=False)]


def _option(*names: str, metavar: str, help: str) -> Any:
    return Annotated[
        str | None, typer.Option(*names, metavar=metavar, help=help, show_default=False, rich_help_panel=PANEL)
    ]


OPTIONS: dict[str, Any] = {
    "weights": _option(metavar="best|last|FILE", help="Of a run best or last; a file for any other network."),
    "weights_key": _option(metavar="KEY", help="Where in the file they are, such as ema."),
    "size": _option("--input", metavar="SIZE", help="Of its images, in pixels: 224, 224,160 or C,H,W."),
    "mean": _option(metavar="M,…", help="Taken off the channels, of pixels in 0 … 1."),
    "std": _option(metavar="S,…", help="What the channels are divided by."),
    "classes": _option(metavar="A,B,…|FILE", help="Names of its classes, or a file with one a line."),
    "fit": _option(metavar="crop|letterbox|stretch", help="How an image of another shape is made to fit."),
    "preparation": _option(
        metavar="FILE", help="YAML with these, or a hub's JSON; found by itself beside the weights."
    ),
    "output": _option(metavar="NAME|INDEX", help="Which of several outputs holds the logits."),
    "activation": _option(metavar="softmax|sigmoid", help="sigmoid: each class is a question of its own."),
}
"""In the order of --help; the names are those of `ModelOptions`."""


@dataclass(frozen=True)
class Named:
    """A network as the command line names it, not opened yet."""

    text: str
    """MODEL."""
    options: "ModelOptions"

    def open(
        self,
        session: Session,
        *,
        values: bool = True,
        for_images: bool = False,
        any_channels: bool = False,
        device: str | None = None,
    ) -> "Network":
        """The network, with what was assumed of it said on stderr.

        Arguments:
            session: where runs lie, and the device.
            values: False where shapes alone are looked at; a file of weights is read all the same.
            for_images: whether images are to go through it.
            any_channels: whether none of them is of a file.
            device: in place of the session's.

        Raises: RequestError as `cnnlab.network.open.open_network`.
        """
        from cnnlab.models.own import said_to
        from cnnlab.network.open import open_network

        if device is not None:
            session = replace(session, device_name=device)
        with said_to(say):
            values = values or self.options.get("weights") is not None
            network = open_network(
                self.text, session, values=values, for_images=for_images, any_channels=any_channels, **self.options
            )
        for remark in network.remarks:
            say(with_options(remark))
        return network


def with_network(command: Callable[..., None], *, model: Any = ModelArgument) -> Any:
    """Give a command MODEL and the options of a network, which reach its parameter `named` as one thing.

    Arguments:
        command: has a parameter `named`.
        model: the annotation of MODEL, for a command that takes something else in its place.

    Example:
        @with_session("runs", "as_json")
        @with_network
        def summary(session: Session, named: Named) -> None: ...
    """
    own = list(inspect.signature(command, eval_str=True).parameters.values())
    place = next(n for n, parameter in enumerate(own) if parameter.name == "named")
    kind = inspect.Parameter.KEYWORD_ONLY
    first = inspect.Parameter("model", kind, annotation=model)
    options = [inspect.Parameter(name, kind, default=None, annotation=one) for name, one in OPTIONS.items()]
    session = [p for p in own if p.name == "session"]
    others = [[p.replace(kind=kind) for p in part if p.name != "session"] for part in (own[:place], own[place + 1 :])]

    def called(**given: Any) -> None:
        said = {name: value for name in OPTIONS if (value := given.pop(name)) is not None}
        command(named=Named(given.pop("model"), cast("ModelOptions", said)), **given)

    called.__name__, called.__qualname__, called.__doc__ = command.__name__, command.__qualname__, command.__doc__
    called.__module__ = command.__module__
    told: Any = called
    told.__signature__ = inspect.Signature(
        [*(p.replace(kind=kind) for p in session), first, *others[0], *others[1], *options]
    )
    called.__annotations__ = {p.name: p.annotation for p in told.__signature__.parameters.values()}
    told.shared_help = {"data": DATA}
    return called
