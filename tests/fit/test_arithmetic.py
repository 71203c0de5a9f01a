from dataclasses import replace

import pytest
import torch

from cnnlab.fit.device import Arithmetic, arithmetic, command_as, differences

ONE = Arithmetic("2.11.0", "cpu", "AVX512", 1, 2, {"oneDNN": "on"})
RESUME = "cnnlab train --resume runs/tiny"


def test_of_this_process_it_is_what_torch_says() -> None:
    here = arithmetic(torch.device("cpu"))
    assert (here.torch, here.device) == (torch.__version__, "cpu")
    assert (here.threads, here.interop_threads) == (torch.get_num_threads(), torch.get_num_interop_threads())
    assert here.cpu_capability == torch.backends.cpu.get_cpu_capability()


@pytest.mark.parametrize(
    ("changes", "said", "again"),
    [
        ({}, [], RESUME),
        ({"interop_threads": 8}, [], RESUME),
        ({"threads": 2}, ["2 threads instead of 1"], f"{RESUME} --threads 1"),
        (
            {"cpu_capability": "DEFAULT"},
            ["the processor's DEFAULT instead of AVX512"],
            f"ATEN_CPU_CAPABILITY=avx512 {RESUME}",
        ),
        (
            {"settings": {"oneDNN": "on", "ONEDNN_MAX_CPU_ISA": "AVX2"}},
            ["ONEDNN_MAX_CPU_ISA AVX2 instead of not set"],
            f"env -u ONEDNN_MAX_CPU_ISA {RESUME}",
        ),
        (
            {"torch": "2.14.1", "device": "NVIDIA H200"},
            ["torch 2.14.1 instead of 2.11.0", "the device NVIDIA H200 instead of cpu"],
            RESUME,
        ),
    ],
)
def test_what_differs_and_the_way_back(changes: dict, said: list[str], again: str) -> None:
    other = replace(ONE, **changes)
    assert differences(ONE, other) == said
    assert command_as(ONE, other, RESUME) == again


def test_a_record_of_a_stranger_puts_no_command_into_the_one_that_is_shown() -> None:
    theirs = replace(ONE, cpu_capability="avx2; rm -rf ~", settings={"MKL_CBWR": "a$(rm b)"})
    assert command_as(theirs, ONE, RESUME) == (f"ATEN_CPU_CAPABILITY='avx2; rm -rf ~' MKL_CBWR='a$(rm b)' {RESUME}")
