import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cnnlab.config.config import read_config
from cnnlab.core.errors import RequestError
from cnnlab.runs.folder import Run, all_runs, can_start_over
from cnnlab.runs.record import DataFacts, RunRecord, new_record
from cnnlab.runs.writer import RunWriter, free_name

FACTS = DataFacts("shapes", ("a", "b"), (3, 8, 8), (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), 90, 10)
CONFIG = "name: first\nmodel: [global_avg_pool, linear]\n"


def make(root: Path, name: str = "first", *, config: str = CONFIG, plugins: tuple[Path, ...] = ()) -> RunWriter:
    record = new_record(name=name, command=["cnnlab"], seed=0, device="cpu", parameters=1, data=FACTS)
    return RunWriter.create(root / name, record, config, plugins)


def names(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_run_is_found_by_name_and_by_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    for name in ("first", "runs/first", tmp_path / "runs" / "first", "runs/first/"):
        assert Run.open(name, Path("runs")).name == "first"
    (tmp_path / "first").mkdir()  # a folder that happens to be called so
    assert Run.open("first", Path("runs")).path == Path("runs/first")


def test_runs_that_are_not_there(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "other").mkdir()
    with pytest.raises(RequestError) as caught:
        Run.open("frist", tmp_path)
    assert str(caught.value) == f"no run 'frist' under {tmp_path}. Did you mean 'first'?"
    with pytest.raises(RequestError, match=r"no run 'x' under .*none"):
        Run.open("x", tmp_path / "none")
    with pytest.raises(RequestError, match=r"other: not a run of cnnlab: it has no run.json"):
        Run.open("other", tmp_path)


def test_opening_writes_nothing(tmp_path: Path) -> None:
    writer = make(tmp_path)
    writer.add({"kind": "epoch", "step": 1})
    before = names(tmp_path)
    run = Run.open("first", tmp_path)
    assert run.config().name == "first"
    assert run.epochs() == [{"kind": "epoch", "step": 1}]
    with pytest.raises(RequestError):
        run.weights()
    assert names(tmp_path) == before


def test_weights(tmp_path: Path) -> None:
    writer = make(tmp_path)
    run = Run.open("first", tmp_path)
    with pytest.raises(
        RequestError, match=r"the run first \(killed\) has no best weights yet: .*best.safetensors is missing"
    ):
        run.weights()
    writer.save_weights("best", {"a": torch.ones(2)}, {"epoch": 4})
    weights, facts = run.weights()
    assert torch.equal(weights["a"], torch.ones(2))
    assert facts == {"epoch": 4}
    writer.save_state({"format": 1})
    assert run.last_state.exists()


def test_snapshots_are_found_by_epoch_in_order(tmp_path: Path) -> None:
    writer = make(tmp_path)
    run = Run.open("first", tmp_path)
    assert run.snapshots() == {}
    for epoch in (1000, 20, 7):
        writer.save_snapshot(epoch, {"a": torch.full((1,), float(epoch))}, {"epoch": epoch})
    (tmp_path / "first" / "checkpoints" / "epoch-best.safetensors").touch()
    assert [(epoch, path.name) for epoch, path in run.snapshots().items()] == [
        (7, "epoch-007.safetensors"), (20, "epoch-020.safetensors"), (1000, "epoch-1000.safetensors")
    ]  # fmt: skip


def test_a_last_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    writer = make(tmp_path)
    run, path = Run.open("first", tmp_path), tmp_path / "first" / "metrics.jsonl"
    assert run.metrics() == []
    writer.add({"step": 1, "loss": 0.5})
    writer.add({"step": 2, "loss": 0.25})
    whole = path.read_bytes()
    for cut in range(1, len(whole.splitlines()[1])):
        path.write_bytes(whole[:-cut])
        assert [point["step"] for point in run.metrics()] == ([1, 2] if cut == 1 else [1])


@pytest.mark.parametrize("line", [b"{", b"\xff\xfe", b"3", b"[1]", b""])
def test_damage_before_the_end_is_an_error(tmp_path: Path, line: bytes) -> None:
    make(tmp_path)
    path = tmp_path / "first" / "metrics.jsonl"
    path.write_bytes(b'{"step": 1}\n' + line + b'\n{"step": 2}\n')
    with pytest.raises(RequestError) as caught:
        Run.open("first", tmp_path).metrics()
    assert str(caught.value) == f"{path}:2: damaged: expected a JSON object"


def test_all_runs_and_what_is_none(tmp_path: Path) -> None:
    for name, started in (("b", "2026-01-01T00:00:00+00:00"), ("a", "2026-01-02T00:00:00+00:00")):
        make(tmp_path, name)
        path = tmp_path / name / "run.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"started": started}))
    (tmp_path / "half").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "lr-find").mkdir()
    (tmp_path / "file").write_text("")
    runs, others = all_runs(tmp_path)
    assert [run.name for run in runs] == ["b", "a"]
    assert others == [f"{tmp_path / 'half'}: not a run of cnnlab: it has no run.json"]
    assert all_runs(tmp_path / "none") == ([], [])


def test_creating_refuses_what_exists(tmp_path: Path) -> None:
    make(tmp_path).save_state({})
    before = names(tmp_path)
    with pytest.raises(RequestError, match="first exists; choose another `name`, or `resume` it"):
        make(tmp_path)
    assert names(tmp_path) == before
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="cannot be made: Not a directory"):
        make(tmp_path / "file")


def foreign(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")


def finished(folder: Path) -> None:
    """Its last.pt was taken away to save room; its weights count."""
    writer = RunWriter(folder, Run(folder).record)
    writer.save_weights("best", {"a": torch.ones(1)}, {})
    writer.outcome(status="finished", epochs=3)


def killed_before_the_checkpoint(folder: Path) -> None:
    writer = RunWriter(folder, Run(folder).record)
    writer.save_weights("best", {"a": torch.ones(1)}, {})
    writer.outcome(status="failed", epochs=1)


def killed_before_the_record(folder: Path) -> None:
    (folder / "run.json").unlink()
    (folder / "config.yaml").write_text(read_config(folder / "config.yaml").as_yaml())


def written_by_hand(folder: Path) -> None:
    """`cnnlab train runs/first/config.yaml --name first`: what is trained from must not be removed."""
    killed_before_the_record(folder)
    (folder / "config.yaml").write_text((folder / "config.yaml").read_text() + "# my notes\n")


def of_another_program(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    (folder / "tensorboard").mkdir()
    (folder / "metrics.jsonl").write_text("{}")


def moved_away(folder: Path) -> None:
    folder.rename(folder.parent / "elsewhere")
    folder.symlink_to("elsewhere")


LEFT: tuple[tuple[str, Callable[[Path], object], bool, bool], ...] = (
    ("a begun training", lambda folder: None, True, True),
    ("an empty folder", lambda folder: [path.unlink() for path in folder.iterdir()], True, True),
    ("a config alone", killed_before_the_record, True, True),
    ("a person's own config", written_by_hand, False, False),
    ("another program's curves", of_another_program, False, False),
    ("a part of a file", lambda folder: (folder / ".run.99.part.json").touch(), True, True),
    ("weights before the first checkpoint", killed_before_the_checkpoint, True, True),
    ("a divergence", lambda folder: RunWriter(folder, Run(folder).record).outcome(status="diverged"), True, False),
    ("a checkpoint", lambda folder: RunWriter(folder, Run(folder).record).save_state({}), False, False),
    ("a finished run without its checkpoint", finished, False, False),
    ("another program's record", lambda folder: (folder / "run.json").write_text("{}"), False, False),
    ("something of one's own", foreign, False, False),
    ("a link to a folder", moved_away, False, False),
)


@pytest.mark.parametrize(("change", "over", "by_itself"), [row[1:] for row in LEFT], ids=[row[0] for row in LEFT])
def test_what_a_new_training_may_replace(
    tmp_path: Path, change: Callable[[Path], object], over: bool, by_itself: bool
) -> None:
    make(tmp_path)
    change(tmp_path / "first")
    before = names(tmp_path)
    assert can_start_over(tmp_path / "first") == over
    assert free_name(tmp_path, "first") == ("first" if by_itself else "first-2")
    if over:
        make(tmp_path, config=CONFIG + "seed: 1\n")
        assert sorted(path.name for path in (tmp_path / "first").iterdir()) == ["config.yaml", "run.json"]
        assert Run.open("first", tmp_path).config().seed == 1
    else:
        with pytest.raises(RequestError, match=r"first (exists|has something in it)"):
            make(tmp_path)
        assert names(tmp_path) == before


def test_what_fails_while_a_run_is_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: RunRecord, path: Path) -> None:
        raise UnicodeEncodeError("utf-8", "x", 0, 1, "surrogates not allowed")

    monkeypatch.setattr(RunRecord, "write", fail)
    with pytest.raises(UnicodeEncodeError):
        make(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_plugins_are_copied(tmp_path: Path) -> None:
    one, two = tmp_path / "one" / "mine.py", tmp_path / "two" / "mine.py"
    for path in (one, two):
        path.parent.mkdir()
        path.write_text("# mine")
    make(tmp_path / "runs", plugins=(one,))
    assert (tmp_path / "runs" / "first" / "plugins" / "mine.py").read_text() == "# mine"
    with pytest.raises(RequestError, match="no two may have one name"):
        make(tmp_path / "runs", "second", plugins=(one, two))
    assert not (tmp_path / "runs" / "second").exists()


def test_resuming_drops_later_points_and_leftovers(tmp_path: Path) -> None:
    writer = make(tmp_path)
    for step in range(1, 6):
        writer.add({"kind": "step", "step": step})
    path = tmp_path / "first" / "metrics.jsonl"
    path.write_bytes(path.read_bytes() + b'{"kind": "ste')
    writer.save_state({})
    left = tmp_path / "first" / "checkpoints" / ".last.99.part.pt"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    writer.outcome(status="interrupted")
    run = Run.open("first", tmp_path)
    resumed = RunWriter.resume(run, step=3, epoch=0, config_yaml=CONFIG + "seed: 1\n")
    resumed.add({"kind": "step", "step": 4})
    assert [point["step"] for point in run.metrics()] == [1, 2, 3, 4]
    assert run.config().seed == 1
    assert resumed.record.outcome.status == "interrupted"
    assert not left.exists()
    assert run.last_state.exists()


@pytest.mark.parametrize("name", ["checkpoints", "reports", "tensorboard"])
def test_a_run_with_a_link_for_a_folder_is_not_resumed(tmp_path: Path, name: str) -> None:
    writer, outside = make(tmp_path / "runs"), tmp_path / "outside"
    outside.mkdir()
    (outside / "epoch-009.safetensors").write_bytes(b"another's")
    (outside / ".a.99.part.pt").write_bytes(b"another's")
    os.utime(outside / ".a.99.part.pt", (0, 0))
    (writer.path / name).symlink_to(outside)
    before = names(tmp_path)
    with pytest.raises(RequestError, match=f"{name}: is a link to {outside}, and a run is its own folder"):
        RunWriter.resume(Run(writer.path), step=3, epoch=1, config_yaml=CONFIG)
    assert names(tmp_path) == before


def test_resuming_drops_an_epoch_that_closed_after_the_checkpoint(tmp_path: Path) -> None:
    """Stopped after the last step of epoch 2, resumed, and killed when the epoch's point was written."""
    writer, run = make(tmp_path), Run.open("first", tmp_path)
    points = [{"kind": "epoch", "step": 2, "epoch": 1}, {"kind": "step", "step": 4, "epoch": 2}]
    for point in [*points, {"kind": "epoch", "step": 4, "epoch": 2}]:
        writer.add(point)
    RunWriter.resume(run, step=4, epoch=1, config_yaml=CONFIG)
    assert run.metrics() == points


def test_free_name(tmp_path: Path) -> None:
    assert free_name(tmp_path, "a") == "a"
    for taken in ("a", "a-2", "a-4"):
        make(tmp_path, taken).save_state({})
    assert free_name(tmp_path, "a") == "a-3"


def test_the_config_of_a_run_is_the_one_that_was_read(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    config = read_config(tmp_path / "c.yaml", ["optimizer.lr=1e-5"])
    make(tmp_path, config=config.as_yaml())
    assert Run.open("first", tmp_path).config() == config
