"""cnnlab's epoch against a bare hand-written PyTorch loop: same network, same optimizer, batches already in memory.

    python benchmarks/training_epoch.py [--steps 60] [--rounds 5] [--threads 2]

Both sides train the chapter's SmallCNN on 32 × 32 images. The bare loop gets ready-made float batches: no cropping,
flipping or normalising, no accounting, no check for NaN. cnnlab's side draws, augments and normalises each batch, sums
loss and accuracy, measures the gradient norm and follows the schedule. The sides alternate step by step in one process,
so that a machine whose speed drifts treats both alike; the ratio of the medians is printed.
"""

import argparse
import time
from pathlib import Path
from statistics import median

import torch
from torch import nn

from cnnlab.config.config import check_config
from cnnlab.core.yaml import parse
from cnnlab.data.batches import TrainingBatches, channel_statistics
from cnnlab.fit.fit import StepDone, fit
from cnnlab.fit.parameter_groups import learning_parameters
from cnnlab.fit.state import TrainingState
from cnnlab.network.fresh import new_network

BATCH = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40, help="batches of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--config", type=Path, default=Path("configs/cifar.yaml"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    config = check_config(parse(arguments.config.read_text(), str(arguments.config)), [], default_name="x", base=Path())
    generator = torch.Generator().manual_seed(0)
    count = arguments.steps * BATCH
    images = torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8, generator=generator)
    labels = torch.randint(10, (count,), generator=generator)
    bare = bare_steps(config, images, labels)
    ours = our_steps(config, images, labels, arguments.rounds + 1)
    bare_times: list[float] = []
    our_times: list[float] = []
    for number in range((arguments.rounds + 1) * arguments.steps):
        bare_time, our_time = next(bare), next(ours)
        if number >= arguments.steps:  # the first round warms caches and kernels up
            bare_times.append(bare_time)
            our_times.append(our_time)
    ratios = [our / bare for our, bare in zip(our_times, bare_times, strict=True)]
    print(f"torch {torch.__version__}, {arguments.threads} threads, {len(bare_times)} steps of {BATCH} images a side")
    print(f"bare loop {1e3 * median(bare_times):8.2f} ms a step {BATCH / median(bare_times):10,.0f} images/s")
    print(f"cnnlab    {1e3 * median(our_times):8.2f} ms a step {BATCH / median(our_times):10,.0f} images/s")
    print(
        f"cnnlab / bare loop: {median(our_times) / median(bare_times):.3f} (median of step ratios {median(ratios):.3f})"
    )


def bare_steps(config, images, labels):  # type: ignore[no-untyped-def]
    """Seconds of each step of the loop that a textbook prints."""
    model = prepared_model(config)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    criterion = nn.CrossEntropyLoss()
    layout = torch.channels_last if config.training.channels_last else torch.contiguous_format
    batches = [
        (x.float().div(255).sub(0.5).div(0.25).contiguous(memory_format=layout), y)
        for x, y in zip(images.split(BATCH), labels.split(BATCH), strict=True)
    ]
    model.train()
    while True:
        for x, y in batches:
            started = time.perf_counter()
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            yield time.perf_counter() - started


def our_steps(config, images, labels, epochs):  # type: ignore[no-untyped-def]
    """Seconds of each of cnnlab's steps, making the batch included."""
    model = prepared_model(config)
    state = TrainingState(
        model=model,
        optimizer=config.optimizer.build(parameters=learning_parameters(model)),
        device=torch.device("cpu"),
    )
    batches = TrainingBatches(
        images,
        labels,
        batch_size=BATCH,
        seed=0,
        augmentations=[choice.build(classes=10) for choice in config.data.augment],
        statistics=channel_statistics(images),
        classes=10,
    )
    schedule = config.schedule.build(epochs=config.training.epochs)
    loss = config.loss.build(counts=torch.bincount(labels, minlength=10))
    facts = fit(state, batches, loss=loss, schedule=schedule, epochs=epochs)
    while True:
        started = time.perf_counter()
        while not isinstance(next(facts), StepDone):
            pass
        yield time.perf_counter() - started


def prepared_model(config):  # type: ignore[no-untyped-def]
    layout = torch.channels_last if config.training.channels_last else torch.contiguous_format
    return new_network(config, (3, 32, 32), 10).to(memory_format=layout)


if __name__ == "__main__":
    main()
