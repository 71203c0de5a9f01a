"""`cnnlab cost`."""

from typing import Annotated

import typer

from cnnlab.cli.network import Named, with_network
from cnnlab.cli.options import MOST, OutOption
from cnnlab.cli.output import write_and_show
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import with_bars
from cnnlab.core.limits import MOST_THREADS
from cnnlab.network.session import Session


@with_session(
    "max_batch", "device", "allow_plugins", "runs", "as_json", help={"max_batch": "The largest batch that is timed."}
)
@with_network
def cost(
    session: Session,
    named: Named,
    swap: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="depthwise_separable: beside it the same network with each dense convolution replaced.",
            show_default=False,
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, max=MOST, help="Passes that are timed, of each size of batch.")] = 30,
    threads: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_THREADS, help="Of the processor; by default torch's own.", show_default=False),
    ] = None,
    out: OutOption = None,
) -> None:
    """Tell what a network costs on this machine: parameters, operations, memory, latency, images/s, time by layer.

    Example: [bold]cnnlab cost torchvision:resnet18 --swap depthwise_separable[/]
    """
    from cnnlab.layers_lab.cost.report import cost_json, cost_report
    from cnnlab.layers_lab.cost.run import cost_facts
    from cnnlab.layers_lab.cost.swap import swap_of

    if swap is not None:
        swap_of(swap)
    network = named.open(session)
    facts = with_bars(cost_facts(network, session, swap=swap, repeats=repeats, thread_count=threads))
    folder = session.folder("cost", network.run, out=out, without_run=f"cost/{network.file_name}")
    write_and_show(cost_report(facts), cost_json(facts), folder, session)
