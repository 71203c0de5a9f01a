"""`cnnlab cost`: what a network costs, counted by a walk and measured on this machine, alone or beside its twin."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import nn

from cnnlab.core.advance import Advance
from cnnlab.core.memory import machine_memory
from cnnlab.layers_lab.cost.facts import BatchSpeed, CostFacts, LayerTime, Machine, NetworkCost, kind_of
from cnnlab.layers_lab.cost.stopwatch import layer_seconds
from cnnlab.layers_lab.cost.swap import swap_of
from cnnlab.layers_lab.summary.report import Summary
from cnnlab.layers_lab.summary.run import summarize
from cnnlab.network.ceiling import product_speed
from cnnlab.network.network import Network
from cnnlab.network.session import Session
from cnnlab.network.speed import noise, pass_seconds, threads
from cnnlab.stats.repeats import Repeats

REPEATS = 30
"""Passes of each network and size of batch, where nothing else is said."""

LONGEST = 1.0
"""Seconds of a pass: no larger batch is tried than one that takes them."""


def cost_facts(
    network: Network,
    session: Session,
    *,
    swap: str | None = None,
    repeats: int = REPEATS,
    thread_count: int | None = None,
) -> Iterator[Advance | CostFacts]:
    """Count what a network's layers cost, and time its passes on this machine.

    Arguments:
        network: opened with its values; it is as it was afterwards.
        session: the largest batch that is tried.
        swap: a name of `SWAPS`: the network with its convolutions exchanged is timed in turn with it.
        repeats: passes of each size of batch.
        thread_count: of the processor; as many as torch takes where none is given.

    Yields:
        How far the timing is; at last the facts.

    Raises:
        RequestError: for a swap that is none, a network without a convolution to exchange, and one that cannot run at
            its size.

    Example:
        >>> from cnnlab.network.open import open_network
        >>> session = Session(device_name="cpu", max_batch=2)
        >>> network = open_network("torchvision:squeezenet1_1", session, size="32")
        >>> *_, found = cost_facts(network, session, repeats=2)
        >>> [speed.batch for speed in found.network.speeds]
        [1, 2]
    """
    made = None if swap is None else swap_of(swap)(network.model)
    networks = [network]
    if made is not None:
        networks.append(replace(network, model=made.model, name=f"{network.name}, {made.name}", trained=False))
    summaries = [summarize(one) for one in networks]
    models = [one.model for one in networks]
    speeds: list[list[BatchSpeed]] = [[] for _ in networks]
    gains: list[Repeats] = []
    sizes = _batches(session.max_batch)
    room = _most_images(summaries)
    for number, batch in enumerate(sizes):
        yield Advance("sizes of batch", number, len(sizes))
        if batch > 1 and (batch > room or 2 * max(own[-1].seconds.median for own in speeds) > LONGEST):
            break
        with threads(thread_count):
            times = pass_seconds(models, noise(network.shape, network.model, count=batch), repeats=repeats)
        for own, seconds in zip(speeds, times, strict=True):
            own.append(BatchSpeed(batch, seconds))
        gains += [times[0].over(times[1])] if len(times) == 2 else []
    yield Advance("sizes of batch", len(sizes), len(sizes))
    found = []
    for number, (one, summary, own) in enumerate(zip(networks, summaries, speeds, strict=True)):
        yield Advance("layers", number, len(networks))
        with threads(thread_count):
            found.append(_network_cost(one, summary, own, repeats))
    yield Advance("layers", len(networks), len(networks))
    with threads(thread_count) as count:
        machine = _machine(network.device, count)
    other = found[1] if made is not None else None
    yield CostFacts(found[0], network.shape, machine, other, made, tuple(gains))


def _batches(most: int) -> list[int]:
    """1, 2, 4, … and at last `most`."""
    powers = [2**n for n in range(most.bit_length()) if 2**n < most]
    return [*powers, most]


def _most_images(summaries: Sequence[Summary]) -> int:
    """Images of a batch whose activations take at most a quarter of this machine's memory."""
    memory, most = machine_memory(), max(one.costs.inference_bytes for one in summaries)
    return 2**31 if memory is None else max(1, memory // (4 * max(1, most)))


def _network_cost(network: Network, summary: Summary, speeds: list[BatchSpeed], repeats: int) -> NetworkCost:
    model = network.model
    timed = layer_seconds(model, noise(network.shape, model), repeats=repeats)
    macs: dict[str, int] = {}
    for operation in summary.fields.walk.operations:
        macs[operation.layer] = macs.get(operation.layer, 0) + operation.macs
    layers, between = [], 0.0
    for name, seconds in timed.own.items():
        module = model.get_submodule(name)
        if _made_of_layers(module) and not macs.get(name):
            between += seconds
            continue
        layers.append(LayerTime(name, kind_of(module), seconds, seconds / timed.whole, macs.get(name, 0)))
    layers.sort(key=lambda one: -one.seconds)
    return NetworkCost(network.name, summary.costs, tuple(speeds), tuple(layers), timed.whole, timed.unwatched, between)


def _made_of_layers(module: nn.Module) -> bool:
    return any(True for _ in module.children())


def _machine(device: torch.device, thread_count: int) -> Machine:
    """How fast one large matrix product is: what a convolution could reach at best."""
    side = 512 if device.type == "cpu" else 4096
    return Machine(str(device), thread_count, product_speed(device, side), side)
