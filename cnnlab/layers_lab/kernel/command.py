"""`cnnlab kernel`."""

import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli.network import Named, with_network
from cnnlab.cli.options import MOST, OutOption
from cnnlab.cli.output import write_and_show
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import with_bars
from cnnlab.core.errors import RequestError
from cnnlab.network.session import Session

if TYPE_CHECKING:
    from cnnlab.layers_lab.kernel.subject import Subject
    from cnnlab.network.image_files import Source
    from cnnlab.network.network import Network

KernelArgument = Annotated[
    str,
    typer.Argument(
        metavar="KERNEL",
        help="A name such as sobel_x or gaussian:sigma=2; numbers, '1 0 -1; 2 0 -2'; or a MODEL, for a filter of it.",
        show_default=False,
    ),
]


@with_session("allow_plugins", "runs", "as_json")
@partial(with_network, model=KernelArgument)
def kernel(
    session: Session,
    named: Named,
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="A file; - for stdin.", show_default=False)],
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", show_default=False, help="Of a MODEL: a convolution; the first one.")
    ] = None,
    channel: Annotated[
        int | None, typer.Option(min=0, max=MOST, show_default=False, help="Of a MODEL: the filter, from 0; 0.")
    ] = None,
    border: Annotated[
        str, typer.Option(metavar="NAME", help="What lies outside: zero, reflect, replicate, circular; or valid.")
    ] = "zero",
    out: OutOption = None,
) -> None:
    """Slide a kernel over an image: correlation and true convolution, every border, loops, im2col, FFT and torch.

    The kernels are listed by `cnnlab list kernels`.

    Example: [bold]cnnlab kernel sobel_x photo.jpg[/]
    """
    from cnnlab.layers_lab.kernel.borders import border_of
    from cnnlab.layers_lab.kernel.report import kernel_json, kernel_report
    from cnnlab.layers_lab.kernel.run import kernel_facts

    wanted = border_of(border)
    subject, network = _subject(session, named, image, layer, channel)
    facts = with_bars(kernel_facts(subject, border=wanted))
    stem = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in named.text)[:60].strip("-.")
    folder = session.folder("kernel", None if network is None else network.run, out=out, without_run=f"kernel/{stem}")
    write_and_show(kernel_report(facts), kernel_json(facts), folder, session)


def _subject(
    session: Session, named: Named, image: str, layer: str | None, channel: int | None
) -> "tuple[Subject, Network | None]":
    """The kernel and the image; the network, where the kernel is a filter of one."""
    from cnnlab.layers_lab.kernel.subject import in_network, is_kernel, is_of_a_network, kernel_of, on_image
    from cnnlab.network.image_files import find_images
    from cnnlab.network.prepared_images import images_of_files

    given = [name for name, value in {"layer": layer, "channel": channel}.items() if value is not None]
    given += named.options
    if given and is_kernel(named.text):
        raise RequestError(f"`{given[0]}` is of a network, and '{named.text}' is a kernel by itself; leave it out")
    if not given and not is_of_a_network(named.text, session.runs):
        return on_image(kernel_of(named.text), _only(find_images([image], sys.stdin.buffer), image)), None
    network = named.open(session, for_images=True, device="cpu")
    source = _only(find_images([image], sys.stdin.buffer), image)
    found, unreadable = images_of_files([source], network.preparation, network.classes)
    if unreadable:
        raise RequestError(f"{unreadable[0].path}: {unreadable[0].reason}")
    return in_network(network, found[0], layer, channel or 0), network


def _only(sources: "list[Source]", named: str) -> "Source":
    if len(sources) > 1:
        raise RequestError(f"'{named}' names {len(sources)} images; a kernel is shown on one")
    return sources[0]
