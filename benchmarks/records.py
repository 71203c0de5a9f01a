"""A recipe of configs/speed/, or any config, trained with several seeds and asked about the test part.

    python benchmarks/records.py cpu-90s [KEY=VALUE …] [--repeats 3] [--views none,flip,six] [--threads 2]

Each training is `cnnlab train CONFIG` in a process of its own, so that its seconds in all are those from the start of
the process to its end; `training` are its steps alone, without set-up and validation. Then the test part is opened,
with each kind of views. The mean over the seeds has Student's interval. Nothing is chosen by these numbers: a recipe
whose test accuracy led to its next change is said to be tuned on it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

import cnnlab
from cnnlab.runs.folder import Run
from cnnlab.stats.confidence import mean_interval


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--views", default="none,flip,six")
    parser.add_argument("--least-sure", type=float, default=1.0, help="the share of images that get further views")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--runs", type=Path, default=None, help="where the runs stay; by default they are removed")
    parser.add_argument("--json", type=Path, default=None, help="a file for the numbers")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        runs = arguments.runs or Path(folder)
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.repeats):
            rows.append(measured(arguments, runs, seed))
            print(said(rows[-1]), flush=True)
    summary = {name: mean_interval([row[name] for row in rows]) for name in rows[0] if name != "seed"}
    print(f"{arguments.config} {' '.join(arguments.changes)}: {len(rows)} runs on {arguments.threads} threads")
    for name, found in summary.items():
        spread = "" if found.deviation is None else f" ± {found.deviation:.3g}"
        interval = "" if found.interval is None else f" [{found.interval.low:.2f}, {found.interval.high:.2f}]"
        print(f"  {name:24} {found.mean:8.2f}{spread}{interval}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def measured(arguments: argparse.Namespace, runs: Path, seed: int) -> dict[str, Any]:
    """One training and its accuracies on the test part, in per cent."""
    name = f"{Path(arguments.config).stem}-{seed}"
    words = ["train", arguments.config, *arguments.changes, f"seed={seed}", "--name", name, "--runs", str(runs)]
    words += ["--threads", str(arguments.threads), "--no-report"]
    done = subprocess.run([sys.executable, "-m", "cnnlab", *words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    record = Run(runs / name).record
    row: dict[str, Any] = {
        "seed": seed,
        "epochs": record.outcome.epochs,
        "steps": record.outcome.step,
        "training (s)": record.outcome.train_seconds,
        "in all (s)": record.outcome.wall_seconds,
    }
    net = cnnlab.open(name, runs=runs)
    for views in arguments.views.split(","):
        share = 1.0 if views == "none" else arguments.least_sure
        answered = net.evaluate(split="test", tta=views, least_sure=share, nearest=0)
        row[f"accuracy, {views} (%)"] = 100 * answered.facts.accuracy
        row[f"answers, {views} (s)"] = answered.to_dict()["seconds"]
    return row


def said(row: dict[str, Any]) -> str:
    """A row as one line."""
    return ", ".join(
        f"{name} {value:.2f}" if isinstance(value, float) else f"{name} {value}" for name, value in row.items()
    )


if __name__ == "__main__":
    main()
