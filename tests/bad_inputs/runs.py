"""Runs that are missing, half-written, foreign or hostile."""

import functools
import json
import os
import pickle
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from bad_inputs.case import TINY, Case, Make, both, file
from bad_inputs.images import class_folders
from bad_inputs.known import TRAINING_KEYS
from bad_inputs.own_networks import NET
from safetensors.torch import save_file

from cnnlab.config.config import check_config
from cnnlab.core.yaml import parse

TINY_RUN = Path("runs/tiny")
EVAL = "cnnlab eval tiny"
RESUME = "cnnlab train --resume tiny training.epochs=2 --stretch-schedule"
BEST = "runs/tiny/checkpoints/best.safetensors"
LAST = "runs/tiny/checkpoints/last.pt"


class Malice:
    """Unpickled carelessly, it makes a file."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return open, ("owned", "w")


@functools.cache
def line_of(key: str) -> int:
    """The line of an option in the config that the run keeps, which says every option there is."""
    config = check_config(parse(TINY, "tiny.yaml"), (), default_name="tiny", base=Path())
    lines = config.as_yaml().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.startswith(f"  {key}:"))


def damaged(name: str, change: Callable[[bytes], bytes]) -> Make:
    """A file with its bytes changed."""

    def make(folder: Path) -> None:
        path = folder / name
        path.write_bytes(change(path.read_bytes()))

    return make


def removed(name: str) -> Make:
    """A file taken away."""
    return lambda folder: (folder / name).unlink()


def rewritten(name: str, change: Callable[[dict[str, Any]], object]) -> Make:
    """A JSON file with its content changed."""

    def make(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        change(content)
        (folder / name).write_text(json.dumps(content))

    return make


def replaced(name: str, old: str, new: str) -> Make:
    """A text in a file changed."""

    def make(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return make


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped_bit(folder: Path) -> None:
    """In the first tensor."""
    with zipfile.ZipFile(folder / LAST) as archive:
        (entry,) = [entry for entry in archive.infolist() if entry.filename.endswith("/data/0")]
        tensor = archive.read(entry)
    content = bytearray((folder / LAST).read_bytes())
    content[content.index(tensor, entry.header_offset)] ^= 1
    (folder / LAST).write_bytes(content)


def other_optimizer(folder: Path) -> None:
    path = folder / "runs/tiny/config.yaml"
    path.write_text(re.sub(r"optimizer:\n  sgd:\n(    .*\n)+", "optimizer: adamw\n", path.read_text()))


def malicious(folder: Path) -> None:
    torch.save({"model": Malice()}, folder / LAST)


def bare_pickle(folder: Path) -> None:
    (folder / LAST).write_bytes(pickle.dumps(Malice()))


def foreign_state(folder: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, folder / LAST)


def tensor_only(folder: Path) -> None:
    torch.save(torch.zeros(3), folder / LAST)


def foreign_weights(folder: Path) -> None:
    save_file({"weight": torch.zeros(3)}, folder / BEST)


def infinite_weights(folder: Path) -> None:
    from cnnlab.fit.checkpoints import load_weights_file, save_weights

    weights, facts = load_weights_file(folder / BEST)
    infinite = {name: torch.full_like(w, torch.inf) if w.is_floating_point() else w for name, w in weights.items()}
    save_weights(folder / BEST, infinite, facts)


def facts_changed(folder: Path) -> None:
    from cnnlab.fit.checkpoints import load_weights_file, save_weights

    weights, facts = load_weights_file(folder / BEST)
    save_weights(folder / BEST, weights, {"accuracy": facts["val_accuracy"]})


def checkpoint(path: str, value: object) -> Make:
    """Another value in the state that is resumed from; `path` are its keys."""

    def make(folder: Path) -> None:
        state = torch.load(folder / LAST)
        keys = [int(key) if key.isdecimal() else key for key in path.split()]
        functools.reduce(lambda part, key: part[key], keys[:-1], state)[keys[-1]] = value
        torch.save(state, folder / LAST)

    return make


def own_images(folder: Path) -> None:
    """As many of each class as the run had."""
    record = json.loads((folder / "runs/tiny/run.json").read_text())
    classes = record["data"]["classes"] = sorted(record["data"]["classes"])
    (folder / "runs/tiny/run.json").write_text(json.dumps(record))
    class_folders(folder / "images", classes=tuple(classes), count=6)
    class_folders(folder / "others", classes=tuple(classes), count=1)
    path = folder / "runs/tiny/config.yaml"
    dataset = "dataset:\n    folder: {path: images, test: others, size: 16}\n"
    path.write_text(re.sub(r"dataset:\n    shapes:\n(      .*\n)+", dataset, path.read_text()))


def linked(name: str) -> Make:
    """Something of the run put elsewhere, and a link to it in its place."""

    def make(folder: Path) -> None:
        inside, outside = folder / TINY_RUN / name, folder / "outside" / name
        outside.parent.mkdir()
        if inside.exists():
            inside.rename(outside)
        elif "." not in name:
            outside.mkdir()
            (outside / "mine.txt").write_text("mine")
        inside.symlink_to(outside)

    return make


def link_sentence(name: str) -> str:
    return (
        f"error: /place/runs/tiny/{name}: is a link to /place/outside/{name}, and a run is its own folder: nothing is "
        "written through a link. Put what it leads to in its place; the run's whole folder /place/runs/tiny may be a "
        "link"
    )


def pipe(name: str) -> Make:
    """Nobody writes into it, so whoever reads it waits for ever."""

    def make(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return make


def second_run(folder: Path) -> None:
    shutil.copytree(folder / "runs/tiny", folder / "runs/other")


def run(wrong: str, make: Make, message: str, *, command: str = EVAL, **more: Any) -> Case:
    """The trained run, and what is done to it."""
    return Case(wrong, command, message, make=make, run=True, **more)


def same(folder: Path) -> None:
    """The run is sound; what is asked of it is not."""


NO_VALIDATION = both(
    replaced("runs/tiny/config.yaml", "validation: 0.1", "validation: 0"),
    rewritten("runs/tiny/run.json", lambda record: record["data"].update(validation=0, train=60)),
)

RUNS = (
    Case(
        "no run at all",
        "cnnlab eval tiny",
        "error: no run 'tiny' under runs. There is none yet; `cnnlab train` makes one. MODEL is a "
        "run, a config (.yaml), an exported file or folder, FILE.py:NAME, torchvision:NAME or timm:NAME.",
    ),
    run(
        "no run of that name, the nearest named",
        same,
        "error: no run 'tinny' under runs. Did you mean 'tiny'? MODEL is a run, a config (.yaml), an exported "
        "file or folder, FILE.py:NAME, torchvision:NAME or timm:NAME.",
        command="cnnlab eval tinny",
    ),
    Case(
        "an empty folder for a run",
        "cnnlab eval bare",
        "error: runs/bare: not a run of cnnlab: it has no run.json",
        make=lambda folder: (folder / "runs/bare").mkdir(parents=True),
    ),
    Case(
        "a file for a run",
        "cnnlab eval runs/file",
        "error: runs/file: is a file, and neither a run nor a network; a file of weights goes to --weights, beside "
        "the MODEL that they are for",
        make=file("runs/file", ""),
    ),
    run(
        "run.json half-written",
        # cut before the first line that differs from run to run
        damaged("runs/tiny/run.json", lambda content: content[: content.index(b'"device"') + len(b'"device"')]),
        "error: runs/tiny/run.json:6:11: damaged: not JSON: Expecting ':' delimiter",
    ),
    run(
        "run.json empty",
        file("runs/tiny/run.json", ""),
        "error: runs/tiny/run.json:1:1: damaged: not JSON: Expecting value",
    ),
    run(
        "run.json of a later version",
        rewritten("runs/tiny/run.json", lambda record: record.update(format=2)),
        "error: runs/tiny/run.json: of format 2; this version reads format 1",
    ),
    run(
        "run.json of another program",
        file("runs/tiny/run.json", '{"experiment": "other", "id": 3}'),
        "error: runs/tiny/run.json: not a run of cnnlab: it names no format",
    ),
    run(
        "run.json that is a list",
        file("runs/tiny/run.json", "[1, 2]"),
        "error: runs/tiny/run.json: not a run of cnnlab: it names no format",
    ),
    run(
        "run.json without its classes",
        rewritten("runs/tiny/run.json", lambda record: record["data"].pop("classes")),
        "error: runs/tiny/run.json: damaged: it lacks 'data.classes'",
    ),
    run(
        "run.json with a wrong type",
        rewritten("runs/tiny/run.json", lambda record: record.update(seed="first")),
        "error: runs/tiny/run.json: damaged: 'seed' is 'first', expected a whole number",
    ),
    run(
        "run.json nested 100,000 deep",
        file("runs/tiny/run.json", "[" * 100_000),
        "error: runs/tiny/run.json: damaged: not JSON: nested too deeply",
    ),
    run(
        "run.json in Latin-1",
        file("runs/tiny/run.json", b'{"name": "\xe9"}'),
        "error: runs/tiny/run.json: damaged: not UTF-8 text (byte 10)",
    ),
    run(
        "config.yaml missing",
        removed("runs/tiny/config.yaml"),
        "error: runs/tiny/config.yaml: is missing, and without it the run's network cannot be built",
    ),
    run(
        "config.yaml half-written, and YAML all the same",
        damaged("runs/tiny/config.yaml", lambda content: content[: content.index(b"- global_avg_pool")]),
        (
            "error: runs/tiny/config.yaml:26:3: the model ends with 'conv_bn_act', whose output is (4, 8,"
            " 8); 10 classes need (10,): add 'global_avg_pool' and 'linear' at the end"
        ),
    ),
    run(
        "config.yaml with an option of another version",
        both(
            replaced("runs/tiny/config.yaml", " epochs:", " rounds:"),
            replaced("runs/tiny/config.yaml", "histograms_every_epochs:", "histograms_every_rounds:"),
        ),
        (
            f"error: runs/tiny/config.yaml:{line_of('epochs')}:3: no option 'rounds' in 'training'; {TRAINING_KEYS}.\n"
            f"error: runs/tiny/config.yaml:{line_of('histograms_every_epochs')}:3: no option "
            "'histograms_every_rounds' in 'logging'; it has every_steps, histograms_every_epochs, "
            "effective_field_every_epochs, snapshots_every_epochs, pictures, "
            "graph. Did you mean 'histograms_every_epochs'?"
        ),
    ),
    *(
        run(f"a link for the run's {name}", linked(name), link_sentence(name), command=command)
        for name, command in {
            "checkpoints": RESUME,
            "reports": EVAL,
            "tensorboard": RESUME,
            "test-evaluations.jsonl": f"{EVAL} --split test",
            "training.lock": RESUME,
        }.items()
    ),
    *(
        run(
            f"a pipe for the run's {name}",
            pipe(f"runs/tiny/{name}"),
            f"error: runs/tiny/{name}: cannot be read: it is a pipe (FIFO), and no file",
            command=command,
        )
        for name, command in {
            "run.json": EVAL,
            "config.yaml": EVAL,
            "metrics.jsonl": RESUME,
            "checkpoints/best.safetensors": EVAL,
            "checkpoints/last.pt": RESUME,
        }.items()
    ),
    run(
        "no weights yet",
        removed(BEST),
        ("error: the run tiny (finished) has no best weights yet: runs/tiny/checkpoints/best.safetensors is missing"),
    ),
    run(
        "weights cut off",
        damaged(BEST, cut),
        (
            "error: runs/tiny/checkpoints/best.safetensors: damaged weights (Error while deserializing "
            "header: invalid header length)"
        ),
    ),
    run(
        "weights of no bytes",
        file(BEST, b""),
        (
            "error: runs/tiny/checkpoints/best.safetensors: damaged weights (Error while deserializing "
            "header: header too small)"
        ),
    ),
    run(
        "weights of another program",
        foreign_weights,
        (
            "error: runs/tiny/checkpoints/best.safetensors: weights that cnnlab did not write: the header"
            " lacks its facts"
        ),
    ),
    run(
        "an image for weights",
        file(BEST, b"\x89PNG\r\n\x1a\n" + b"\0" * 64),
        (
            "error: runs/tiny/checkpoints/best.safetensors: damaged weights (Error while deserializing "
            "header: header too large)"
        ),
    ),
    run(
        "weights of another model",
        replaced("runs/tiny/config.yaml", "channels: 4", "channels: 5"),
        (
            "error: runs/tiny/checkpoints/best.safetensors: a checkpoint of another model: 6 have another"
            " shape (first conv_bn_act1.conv.weight: [4, 3, 3, 3] for [5, 3, 3, 3])"
        ),
    ),
    run(
        "weights that are infinite",
        infinite_weights,
        (
            "error: the network's answers to 10 of 10 images are NaN or infinite (first: image 0); "
            "its weights diverged, or the images were not normalised as in training"
        ),
        exit_code=1,
    ),
    run(
        "metrics.jsonl damaged in the middle",
        file("runs/tiny/metrics.jsonl", '{"kind": "step"}\nwhat\n{}\n'),
        "error: runs/tiny/metrics.jsonl:2: damaged: expected a JSON object",
        command="cnnlab compare tiny tiny",
    ),
    run(
        "the checkpoint missing",
        removed(LAST),
        (
            "error: runs/tiny/checkpoints/last.pt: is missing, and the run tiny cannot go on without it; "
            "anew: cnnlab train runs/tiny/config.yaml --name tiny-again"
        ),
        command=RESUME,
    ),
    run(
        "the checkpoint cut off",
        damaged(LAST, cut),
        "error: runs/tiny/checkpoints/last.pt: no checkpoint of cnnlab, or one that was cut off",
        command=RESUME,
    ),
    run(
        "the checkpoint with one bit flipped",
        flipped_bit,
        "error: runs/tiny/checkpoints/last.pt: a damaged checkpoint (the checksum of data/0 is wrong)",
        command=RESUME,
    ),
    run(
        "a checkpoint that would run code (torch's format)",
        malicious,
        (
            "error: runs/tiny/checkpoints/last.pt: refused: it holds more than tensors and plain values, "
            "and could run code"
        ),
        command=RESUME,
    ),
    run(
        "a checkpoint that would run code (a bare pickle)",
        bare_pickle,
        "error: runs/tiny/checkpoints/last.pt: no checkpoint of cnnlab, or one that was cut off",
        command=RESUME,
    ),
    run(
        "a checkpoint of another program",
        foreign_state,
        (
            "error: runs/tiny/checkpoints/last.pt: not a checkpoint of cnnlab: it lacks ema, format, "
            "model, optimizer, progress, random, scaler, sums"
        ),
        command=RESUME,
    ),
    run(
        "a checkpoint that is one tensor",
        tensor_only,
        "error: runs/tiny/checkpoints/last.pt: not a checkpoint of cnnlab: it holds a Tensor",
        command=RESUME,
    ),
    run(
        "a checkpoint of another model",
        replaced("runs/tiny/config.yaml", "channels: 4", "channels: 5"),
        (
            "error: runs/tiny/checkpoints/last.pt: a checkpoint of another model: 6 have another shape "
            "(first conv_bn_act1.conv.weight: [4, 3, 3, 3] for [5, 3, 3, 3])"
        ),
        command=RESUME,
    ),
    run(
        "a checkpoint of another optimizer",
        other_optimizer,
        (
            "error: runs/tiny/checkpoints/last.pt: a checkpoint of another optimizer: AdamW has no "
            "dampening, momentum, nesterov"
        ),
        command=RESUME,
    ),
    run(
        "resuming a run that is done",
        same,
        "error: the run tiny has done its 1 epochs; training.epochs=2 --stretch-schedule extends it",
        command="cnnlab train --resume tiny",
    ),
    run(
        "resuming with another optimizer",
        same,
        (
            "error: 'optimizer.sgd.lr=0.5' would make it another run; a resumed run may change "
            "training.epochs, training.time_budget, training.evaluation_batch_size, training.compile, logging., "
            "early_stopping"
        ),
        command="cnnlab train --resume tiny optimizer.sgd.lr=0.5",
    ),
    run(
        "a longer schedule, to which the learning rate would jump",
        same,
        (
            "error: the learning rate would jump from 0 to 0.05 after epoch 1: so far it followed cosine over 1 epoch "
            "(0.1 at first, 0 at last), and now cosine over 2 epochs (0.1 at first, 0 at last); --stretch-schedule "
            "takes the new one, the old one is at its end"
        ),
        command="cnnlab train --resume tiny training.epochs=2",
    ),
    run(
        "a new run that is to leave the curve of an old one",
        file("tiny.yaml", TINY),
        "error: --stretch-schedule is about the curve of a run that goes on: it needs --resume RUN",
        command="cnnlab train tiny.yaml --stretch-schedule",
    ),
    run(
        "resuming with a config",
        file("tiny.yaml", TINY),
        ("error: --resume goes on with one run and its own config: no CONFIG, --repeats, --dry-run, --name"),
        command="cnnlab train tiny.yaml --resume tiny",
    ),
    run(
        "resuming a run that is not there",
        same,
        "error: no run 'absent' under runs. `cnnlab runs` lists them.",
        command="cnnlab train --resume absent",
    ),
    run(
        "a run of that name exists",
        file("tiny.yaml", TINY),
        "error: the run runs/tiny exists; choose another --name, or --resume it",
        command="cnnlab train tiny.yaml --name tiny",
    ),
    Case(
        "a name with a slash on the command line",
        "cnnlab train tiny.yaml --name ../escape",
        (
            "error: --name: '../escape' cannot name a run: expected up to 100 letters, digits, '.', '_' "
            "and '-', a letter or digit first"
        ),
        make=file("tiny.yaml", TINY),
    ),
    Case(
        "a file where the runs should be",
        "cnnlab train tiny.yaml",
        "error: the run runs/tiny cannot be made: Not a directory",
        make=both(file("tiny.yaml", TINY), file("runs", "")),
    ),
    run(
        "the validation part where none was kept",
        NO_VALIDATION,
        "error: the run tiny kept no validation part (data.validation is 0); use --split test",
    ),
    run(
        "data that has changed since: fewer images",
        replaced("runs/tiny/config.yaml", "train_count: 60", "train_count: 200"),
        (
            "error: the data has changed since the run tiny was trained: 50 training and 10 validation images then, "
            "180 and 20 now"
        ),
    ),
    run(
        "data that has changed since: other classes",
        rewritten("runs/tiny/run.json", lambda record: record["data"].update(classes=list("abcdefghij"))),
        (
            "error: the data set has the classes disc, ring, square, triangle, star, cross, crescent, "
            "heart, arrow, pill; the run tiny was trained on a, b, c, d, e, f, g, h, i, j"
        ),
    ),
    run(
        "groups of a data set without groups",
        same,
        "error: the data set shapes has no groups; --by class works for every data set",
        command=f"{EVAL} --by group",
    ),
    run(
        "a pattern on paths of a data set without paths",
        same,
        ("error: --by is '(patient[0-9]+)', expected class or group: the images of shapes have no paths"),
        command=f"{EVAL} --by '(patient[0-9]+)'",
    ),
    run(
        "a curve of another program",
        file("runs/tiny/metrics.jsonl", '{"kind": "epoch", "loss": 3}\n'),
        "error: runs/tiny/metrics.jsonl: damaged: the point of epoch 1: it lacks 'epoch'",
        command="cnnlab compare tiny tiny",
    ),
    run(
        "a curve with a word for a number",
        file("runs/tiny/metrics.jsonl", '{"kind": "step", "step": "x"}\n'),
        "error: runs/tiny/metrics.jsonl:1: damaged: expected a whole number as 'step'",
        command=RESUME,
    ),
    run(
        "a list of test evaluations of another program",
        file("runs/tiny/test-evaluations.jsonl", '{"score": 0.5}\n'),
        "error: runs/tiny/test-evaluations.jsonl:1: damaged: expected an 'accuracy' from 0 to 1",
        command="cnnlab compare tiny tiny",
    ),
    run(
        "run.json with an accuracy of 700 %",
        rewritten("runs/tiny/run.json", lambda record: record["outcome"].update(val_accuracy=7)),
        "error: runs/tiny/run.json: damaged: 'outcome.val_accuracy' is '7', expected at most 1.0",
        command="cnnlab compare tiny tiny",
    ),
    run(
        "run.json with no classes",
        rewritten("runs/tiny/run.json", lambda r: r["data"].update(classes=[])),
        ("error: runs/tiny/run.json: damaged: 'data.classes' is a list of 0, expected at least 1 of them"),
    ),
    run(
        "run.json with one mean of three",
        rewritten("runs/tiny/run.json", lambda r: r["data"].update(mean=[0])),
        "error: runs/tiny/run.json: damaged: 'data': 1 means and 3 deviations for 3 channels",
    ),
    run(
        "run.json with a flat shape",
        rewritten("runs/tiny/run.json", lambda r: r["data"].update(shape=[768])),
        ("error: runs/tiny/run.json: damaged: 'data': an image's shape is (768,), expected channels, height and width"),
    ),
    run(
        "weights without their epoch",
        facts_changed,
        "error: runs/tiny/checkpoints/best.safetensors: damaged weights: the header lacks their epoch",
    ),
    *(
        run(
            f"a checkpoint with {wrong}",
            checkpoint(path, value),
            f"error: {LAST}: a damaged checkpoint: {message}",
            command=RESUME,
        )
        for wrong, path, value, message in (
            (
                "a word for its epoch",
                "progress epoch",
                "x",
                "'progress.epoch' is 'x', expected a whole number of at least 0",
            ),
            ("an epoch of -5", "progress epoch", -5, "'progress.epoch' is '-5', expected a whole number of at least 0"),
            (
                "a step that does not fit its epoch",
                "progress step",
                0,
                "'progress.step' is '0', expected 1 to 3 after 1 epochs and 0 batches",
            ),
            (
                "an accuracy of 500 %",
                "progress best_metric",
                5.0,
                "'progress.best_metric' is '5.0', expected an accuracy from 0 to 1",
            ),
            (
                "a number for the momentum",
                "optimizer state 0 momentum_buffer",
                0,
                "'optimizer.state.0.momentum_buffer' is '0', expected a tensor of [4, 3, 3, 3] (float32)",
            ),
            (
                "another model's momentum",
                "optimizer state 0 momentum_buffer",
                torch.zeros(3),
                "'optimizer.state.0.momentum_buffer' is a tensor of [3] (float32), "
                "expected a tensor of [4, 3, 3, 3] (float32)",
            ),
            (
                "another weight decay than the config",
                "optimizer param_groups 0 weight_decay",
                0.5,
                "'optimizer.param_groups.0.weight_decay' is '0.5', expected '0.0' as in the config",
            ),
        )
    ),
    run(
        "a list of points with words for numbers",
        file("runs/tiny/metrics.jsonl", '{"kind": "epoch", "step": 1, "epoch": 1, "lr": "fast"}\n'),
        "error: runs/tiny/metrics.jsonl: damaged: the point of epoch 1: it lacks 'train_loss'",
        command=RESUME,
    ),
    run(
        "--by with no regular expression",
        own_images,
        (
            "error: --by is neither class nor group: (cat is not a regular expression: missing ), "
            "unterminated subpattern at position 0"
        ),
        command=f"{EVAL} --split test --by '(cat'",
    ),
    run(
        "--by with two captures",
        own_images,
        "error: --by is neither class nor group: (c)(a)t captures 2 parts, expected one, such as (patient\\d+)",
        command=f"{EVAL} --split test --by '(c)(a)t'",
    ),
    run(
        "images that are not the run's",
        own_images,
        (
            "error: the data has changed since the run tiny was trained: mean 0.5275, 0.5206, 0.5421 "
            "then, 0.5064, 0.4767, 0.7843 now, of as many images"
        ),
        command=EVAL,
    ),
    run(
        "comparing with a network whose images are not known",
        NET,
        "/place is now on Python's search path (sys.path)\n"
        "error: net.py:build: --input: a module does not tell what images it is for; give such as 3,224,224",
        command="cnnlab compare tiny net.py:build",
    ),
    run(
        "comparing with a network of other classes",
        NET,
        "/place is now on Python's search path (sys.path)\n"
        "net.py:build: no --mean and --std are given: the network gets pixels in 0 … 1 as they are\n"
        "error: only networks of the same classes can be compared: tiny tells 10 classes apart (disc, ring, square, "
        "triangle, star, cross and 4 more), net.py:build tells 2 classes apart; --classes names those of a network "
        "that is no run",
        command="cnnlab compare tiny 'net.py:build --input 3,16,16'",
    ),
    run(
        "weights beside the networks that are compared",
        NET,
        'error: --weights is of one network: write it behind that one, in quotes, such as "net.py:build --weights …"',
        command="cnnlab compare tiny net.py:build --weights w.pt",
    ),
    run(
        "an option of a compared network that is written wrongly",
        NET,
        "error: 'net.py:build --wieghts w.pt': no option '--wieghts' of a network; known: --weights, --weights-key, "
        "--input, --mean, --std, --classes, --fit, --preparation, --output, --activation. Did you mean '--weights'?",
        command="cnnlab compare tiny 'net.py:build --wieghts w.pt'",
    ),
    run(
        "an option of a compared network without its value",
        NET,
        "error: 'net.py:build --weights': --weights lacks its value",
        command="cnnlab compare tiny 'net.py:build --weights'",
    ),
    run(
        "comparing networks without images",
        NET,
        "/place is now on Python's search path (sys.path)\n"
        "error: none of net.py:READY, net.py:wide(10) has images of its own; name a folder, a CSV or a data set with "
        "--data",
        command="cnnlab compare net.py:READY 'net.py:wide(10)' --input 3,16,16 --mean 0.5 --std 0.5",
    ),
    run(
        "comparing on images that are not there",
        same,
        "error: --data is 'nowhere': no such folder, CSV file or config, and no data set 'nowhere'; known: cifar10, "
        "cifar100, fashion_mnist, folder, mnist, pairs, shapes, stl10, svhn.",
        command="cnnlab compare tiny tiny --data nowhere",
    ),
    run(
        "comparing with a run that is not there",
        same,
        "error: no run 'tinny' under runs. Did you mean 'tiny'?",
        command="cnnlab compare tiny tinny",
    ),
    run(
        "comparing with a foreign folder",
        both(second_run, file("runs/other/run.json", "{}")),
        "error: runs/other/run.json: not a run of cnnlab: it names no format",
        command="cnnlab compare tiny other",
    ),
    Case(
        "a single network to compare",
        "cnnlab compare tiny --split validation",
        "error: one network, tiny, compares with nothing: name two or more",
        run=True,
    ),
    Case(
        "a single run to compare",
        "cnnlab compare tiny",
        "error: one run, tiny, compares with nothing: name two or more",
        run=True,
    ),
    Case(
        "a file as the folder of runs",
        "cnnlab runs --runs runs/tiny/run.json",
        "error: runs/tiny/run.json: is no folder, and runs lie in one",
        run=True,
    ),
)
