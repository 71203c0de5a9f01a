"""One process among several, as far as one alone can tell."""

import time
from typing import Any

import pytest
import torch
import typer
from torch import nn

from cnnlab.cli.failures import failed
from cnnlab.cli.together import refuse_several
from cnnlab.config.config import Config
from cnnlab.core.errors import RequestError
from cnnlab.core.registry import component
from cnnlab.fit import catalog  # noqa: F401
from cnnlab.fit.distributed.join import joined
from cnnlab.fit.distributed.norm import SynchronizedNorm
from cnnlab.fit.distributed.ranks import ALONE, Ranks
from cnnlab.fit.parameter_groups import learning_parameters
from cnnlab.fit.state import TrainingState
from cnnlab.training.setup import check_shares

CPU = torch.device("cpu")
LAUNCHED = {
    "RANK": "0",
    "WORLD_SIZE": "2",
    "LOCAL_RANK": "0",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "localhost",
    "MASTER_PORT": "29500",
}


def launched(monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
    for name, value in (LAUNCHED | changes).items():
        monkeypatch.setenv(name, value)


def test_without_torchrun_a_process_is_alone() -> None:
    with joined() as ranks:
        assert ranks == ALONE
    assert (ALONE.launcher, ALONE.words, ALONE.remembered("run")) == ((), "", None)


def test_a_variable_that_is_no_number_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    launched(monkeypatch, WORLD_SIZE="two")
    with pytest.raises(RequestError, match="WORLD_SIZE of the environment is 'two', expected a number"), joined():
        pass


def test_mistakes_that_each_process_meets_are_told_by_the_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    launched(monkeypatch)
    with pytest.raises(RequestError, match="`cnnlab gradcam` is for one process, and torchrun has started 2"):
        refuse_several("gradcam")
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(typer.Exit) as ended:
        refuse_several("gradcam")
    assert (ended.value.exit_code, len(waited)) == (2, 1)  # or torchrun would end the first before it has spoken
    assert failed(typer.BadParameter("told by the first"), as_json=True) == 2
    assert (len(waited), *capsys.readouterr()) == (2, "", "")
    monkeypatch.setenv("WORLD_SIZE", "1")
    refuse_several("gradcam")


def test_a_process_takes_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    assert Ranks(3, 4, local=1, machines=2).device(torch.device("cuda")) == torch.device("cuda:1")
    assert taken == [torch.device("cuda:1")]
    assert Ranks(1, 2, local=1).device(CPU) == CPU
    with pytest.raises(RequestError, match="finds no GPU of its own: there are 2"):
        Ranks(2, 3, local=2).device(torch.device("cuda"))
    with pytest.raises(RequestError, match="each of 2 processes takes its own: `device` cuda"):
        Ranks(1, 2, local=1).device(torch.device("cuda:0"))
    with pytest.raises(RequestError, match="on cpu or cuda, not on mps"):
        Ranks(1, 2).device(torch.device("mps"))


def test_the_words_that_start_as_many_again() -> None:
    assert Ranks(0, 2).launcher == ("torchrun", "--nproc-per-node=2", "-m")
    assert Ranks(0, 8, machines=2).launcher == ("torchrun", "--nnodes=2", "--nproc-per-node=4", "-m")


def test_what_cannot_be_shared_is_refused() -> None:
    config = Config.model_validate({"data": {"dataset": "shapes"}, "model": ["linear"], "training": {"batch_size": 7}})
    check_shares(config, ALONE)
    check_shares(config, Ranks(0, 3))
    with pytest.raises(RequestError, match="batch_size is 7, less than two images for each of 4 processes; make it 8"):
        check_shares(config, Ranks(0, 4))
    both = config.training.model_copy(update={"synchronized_norm": True, "compile": True})
    with pytest.raises(RequestError, match=r"synchronized_norm and training\.compile do not go together"):
        check_shares(config.model_copy(update={"training": both}), Ranks(0, 2))


@pytest.mark.parametrize("options", [{}, {"affine": False}, {"momentum": None}, {"track_running_stats": False}])
def test_synchronized_norm_of_one_process_is_batch_norm(options: dict[str, Any]) -> None:
    ours, theirs = (nn.BatchNorm2d(3, **options).double() for _ in range(2))
    generator = torch.Generator().manual_seed(1)
    for _ in range(2):
        images = torch.randn(5, 3, 4, 2, generator=generator, dtype=torch.float64)
        weights = torch.randn(5, 3, 4, 2, generator=generator, dtype=torch.float64)
        inputs = [images.clone().requires_grad_() for _ in range(2)]
        with SynchronizedNorm(ALONE):
            answers = [ours(inputs[0])]
        answers.append(theirs(inputs[1]))
        for answer in answers:
            (answer * weights).sum().backward()
        torch.testing.assert_close(*answers, rtol=0, atol=1e-12)
        torch.testing.assert_close(inputs[0].grad, inputs[1].grad, rtol=0, atol=1e-12)
    for mine, its in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, its.grad, rtol=0, atol=1e-12)
    for mine, its in zip(ours.buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(mine, its, rtol=0, atol=1e-12)


def test_synchronized_norm_keeps_the_type_and_leaves_evaluation_alone() -> None:
    norm = nn.BatchNorm2d(3)
    images = torch.randn(5, 3, 4, 2)
    with SynchronizedNorm(ALONE):
        assert norm(images.bfloat16()).dtype == torch.bfloat16
        norm.eval()
        found = norm(images)
    assert torch.equal(found, norm(images))


def state(ranks: Ranks) -> TrainingState:
    model = nn.Linear(2, 2)
    optimizer = component("optimizer", "sgd", lr=0.1).build(parameters=learning_parameters(model))
    return TrainingState(model, optimizer, CPU, ranks=ranks)


def test_a_checkpoint_of_two_processes_holds_the_random_numbers_of_both_and_fits_one() -> None:
    both = state(Ranks(0, 2))
    second = {"cpu": torch.Generator().manual_seed(5).get_state(), "cuda": []}
    both.others_random = (second,)
    saved = both.state_dict()
    torch.manual_seed(1)
    state(Ranks(1, 2)).load_state_dict(saved)
    assert torch.equal(torch.get_rng_state(), second["cpu"])
    state(ALONE).load_state_dict(saved)
    assert torch.equal(torch.get_rng_state(), saved["random"]["cpu"])
    third = state(Ranks(2, 3))
    before = torch.get_rng_state()
    third.load_state_dict(saved)  # it was not there
    assert torch.equal(torch.get_rng_state(), before)
    saved["random"]["ranks"] = [{"cpu": 3, "cuda": []}]
    with pytest.raises(RequestError, match=r"'random\.ranks\.0\.cpu' is '3'"):
        state(ALONE).load_state_dict(saved)
    saved["random"]["ranks"] = 3
    with pytest.raises(RequestError, match=r"'random\.ranks' is '3', expected a list"):
        state(ALONE).load_state_dict(saved)
