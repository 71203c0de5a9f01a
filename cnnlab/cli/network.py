"""MODEL on the command line: its name, and the options that say what a network cannot say of itself."""

import inspect
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from cnnlab.cli.failures import with_options
from cnnlab.cli.streams import say
from cnnlab.core.errors import RequestError, did_you_mean
from cnnlab.network.session import Session

if TYPE_CHECKING:
    from cnnlab.network.description import ModelOptions
    from cnnlab.network.network import Network

PANEL = "The network and its images"
"""The heading of these options in --help."""

MODEL = "A run, a config, an exported file, FILE.py:NAME, torchvision:NAME or timm:NAME."

DATA = "Images to ask about: a folder, a CSV, a config or a data set; of a run, where its own lie now."

ASKED_ALIKE = (
    "Images to ask all of them about: a folder, a CSV, a config or a data set; by default the first run's own."
)

MODELS = f"""{MODEL[:-1]}; two or more, each with options of its own in quotes: "net.py:build --weights w.pt"."""

ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help=MODEL, show_default=False)]

ModelsArgument = Annotated[list[str], typer.Argument(metavar="MODEL…", help=MODELS, show_default=False)]


def _option(*names: str, metavar: str, help: str) -> Any:
    return Annotated[
        str | None, typer.Option(*names, metavar=metavar, help=help, show_default=False, rich_help_panel=PANEL)
    ]


INPUT = "--input"
"""What the size of a network's images is called."""

OPTIONS: dict[str, Any] = {
    "weights": _option(
        metavar="best|last|FILE|NAME", help="Of a run best or last; otherwise a file, or a zoo's own (DEFAULT)."
    ),
    "weights_key": _option(metavar="KEY", help="Where in the file they are, such as ema."),
    "size": _option(INPUT, metavar="SIZE", help="Of its images, in pixels: 224, 224,160 or C,H,W."),
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

FOR_ALL = ("size", "mean", "std", "classes", "fit", "activation")
"""Those of them that several networks may have in common; weights are of one."""


@dataclass(frozen=True)
class Named:
    """A network as the command line names it, not opened yet."""

    text: str
    """MODEL."""
    options: "ModelOptions"
    among: bool = False
    """Whether it is one of several, so that what is said of it begins with its name."""

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
            try:
                network = open_network(
                    self.text, session, values=values, for_images=for_images, any_channels=any_channels, **self.options
                )
            except RequestError as error:
                if self.among and self.text not in str(error):
                    error.args = (f"{self.text}: {error.args[0]}", *error.args[1:])
                raise
        self.tell(network.remarks)
        return network

    def tell(self, remarks: Sequence[str]) -> None:
        """Say what was assumed of the network on stderr."""
        for remark in remarks:
            say(f"{self.text}: " * self.among + with_options(remark))


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

    def named(text: str, said: "ModelOptions") -> Named:
        return Named(text, said)

    return _taking(command, model, OPTIONS, named)


def with_networks(command: Callable[..., None]) -> Any:
    """Give a command several MODELs and the options that may hold for all, which reach its parameter `named`.

    Each MODEL may bring options of its own: `"net.py:build --weights w.pt"`, as one word.

    Example:
        @with_session("runs", "as_json")
        @with_networks
        def compare(session: Session, named: list[Named]) -> None: ...
    """
    told = _taking(command, ModelsArgument, {name: OPTIONS[name] for name in FOR_ALL}, named_networks)
    told.ways = {
        _flag(name): f'{_flag(name)} is of one network: write it behind that one, in quotes, such as "net.py:build '
        f'{_flag(name)} …"'
        for name in OPTIONS
        if name not in FOR_ALL
    }
    return told


def _taking(
    command: Callable[..., None], argument: Any, offered: Mapping[str, Any], named: Callable[[Any, "ModelOptions"], Any]
) -> Any:
    """A command of the `argument` MODEL and of the options `offered`, of both of which `named` is made."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())
    place = next(n for n, parameter in enumerate(own) if parameter.name == "named")
    kind = inspect.Parameter.KEYWORD_ONLY
    first = inspect.Parameter("model", kind, annotation=argument)
    options = [inspect.Parameter(name, kind, default=None, annotation=one) for name, one in offered.items()]
    session = [p for p in own if p.name == "session"]
    others = [[p.replace(kind=kind) for p in part if p.name != "session"] for part in (own[:place], own[place + 1 :])]

    def called(**given: Any) -> None:
        said = {name: value for name in offered if (value := given.pop(name)) is not None}
        command(named=named(given.pop("model"), cast("ModelOptions", said)), **given)

    called.__name__, called.__qualname__, called.__doc__ = command.__name__, command.__qualname__, command.__doc__
    called.__module__ = command.__module__
    told: Any = called
    told.__signature__ = inspect.Signature(
        [*(p.replace(kind=kind) for p in session), first, *others[0], *others[1], *options]
    )
    called.__annotations__ = {p.name: p.annotation for p in told.__signature__.parameters.values()}
    told.shared_help = {"data": DATA}
    return called


def named_networks(texts: Sequence[str], shared: "ModelOptions") -> list[Named]:
    """Each of several networks as it is named, with the options that stand with it and those that hold for all.

    Arguments:
        texts: MODELs, each with options of its own where it has such: `net.py:build --weights w.pt --input 32`.
        shared: what stands beside them. It holds for each network that does not say it itself; runs and configs, which
            know it, leave it to the others where there are others.

    Raises:
        RequestError: for an option that no network has, or that lacks its value, with the nearest name.

    Example:
        >>> first, second = named_networks(["quickstart", "net.py:Net(depth=2) --weights w.pt"], {"size": "32"})
        >>> first.options, second.text, second.options
        ({}, 'net.py:Net(depth=2)', {'size': '32', 'weights': 'w.pt'})
    """
    from cnnlab.network.open import knows_itself

    split = [_own_options(text) for text in texts]
    leave = [knows_itself(model) for model, _ in split]
    if all(leave):
        leave = [False] * len(split)
    return [
        Named(model, cast("ModelOptions", own if left else {**shared, **own}), among=True)
        for (model, own), left in zip(split, leave, strict=True)
    ]


def _own_options(text: str) -> tuple[str, dict[str, str]]:
    """MODEL, and the options behind it.

    Raises: RequestError for what is none.
    """
    model, *rest = re.split(r"\s+(?=--[A-Za-z])", text.strip(), maxsplit=1)
    try:
        words = shlex.split(rest[0]) if rest else []
    except ValueError as error:
        raise RequestError(f"'{text}': {str(error).lower()}") from None
    known = {_flag(name): name for name in OPTIONS}
    found: dict[str, str] = {}
    while words:
        flag, joined, value = words.pop(0).partition("=")
        if not flag.startswith("--"):
            raise RequestError(f"'{text}': '{flag}' belongs to no option")
        if flag not in known:
            near = did_you_mean(flag, known)
            raise RequestError(f"'{text}': no option '{flag}' of a network; known: {', '.join(known)}.{near}")
        if not joined and (not words or words[0] in known):
            raise RequestError(f"'{text}': {flag} lacks its value")
        found[known[flag]] = value if joined else words.pop(0)
    return model, found


def _flag(name: str) -> str:
    return INPUT if name == "size" else f"--{name.replace('_', '-')}"
