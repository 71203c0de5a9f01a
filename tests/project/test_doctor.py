import subprocess
import sys
from pathlib import Path

import pytest

from cnnlab.network.session import Session
from cnnlab.project import doctor
from cnnlab.project.doctor import ImportTrial, Minimum

TORCH = {"version": "2.14.1", "cuda": None, "gpus": [], "mps": False, "threads": 2}
NMS = "RuntimeError: operator torchvision::nms does not exist"


def test_examining_leaves_torch_out_of_this_process():
    code = "import sys, cnnlab.project.doctor, cnnlab.project.command; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_data_folder_is_the_one_that_data_sets_use(monkeypatch, tmp_path):
    from cnnlab.data.dataset import DataPlace

    monkeypatch.delenv("CNNLAB_DATA", raising=False)
    assert doctor.data_root() == DataPlace.default().root
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path))
    assert doctor.data_root() == DataPlace.default().root == tmp_path


def test_this_machine_is_examined_without_changing_anything(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "data"))
    checks = {check.name: check for check in doctor.examine(Session(runs=tmp_path / "runs"))}
    assert list(checks) == [
        "Python",
        "torch",
        "torchvision",
        "packages",
        "torch.compile",
        "device",
        "processes",
        "data",
        "runs",
        "disk",
    ]
    assert checks["torch"].state == checks["torchvision"].state == checks["packages"].state == "ok"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("torch", "torchvision"), [("2.11.0", "0.26"), ("2.14.1+cpu", "0.29"), ("2.15.0.dev1", "0.30")]
)
def test_torch_and_its_torchvision(torch, torchvision):
    # the table at https://github.com/pytorch/vision#installation
    assert doctor.partner(torch) == torchvision


def test_the_series_after_torch_2_is_not_guessed():
    assert doctor.partner("3.0.0") is None
    assert doctor.check_torchvision(ImportTrial(TORCH), ImportTrial({"version": "1.0"}), "3.0.0", "1.0").state == "ok"


def test_a_cpu_wheel_of_torch_beside_the_registrys_torchvision():
    check = doctor.check_torchvision(ImportTrial(TORCH), ImportTrial(None, NMS), "2.14.1+cpu", "0.29.1")
    assert check.state == "fail"
    assert "torch 2.14.1+cpu and torchvision 0.29.1, from two places" in check.found
    assert "--no-deps 'torchvision==0.29.*' --index-url https://download.pytorch.org/whl/cpu" in check.remedy


def test_the_registrys_torch_beside_a_torchvision_from_elsewhere():
    check = doctor.check_torchvision(ImportTrial(TORCH), ImportTrial(None, NMS), "2.14.1", "0.29.1+cpu")
    assert check.state == "fail"
    assert check.remedy.endswith("'torchvision==0.29.*'")


def test_versions_that_do_not_belong_together():
    check = doctor.check_torchvision(ImportTrial(TORCH), ImportTrial(None, NMS), "2.14.1", "0.26.0")
    assert check.found == "torch 2.14.1 and torchvision 0.26.0 do not belong together"
    assert check.remedy.startswith("torch 2.14.1 goes with torchvision 0.29: python -m pip install ")


@pytest.mark.parametrize(
    ("probe", "torch", "own", "found"),
    [
        (ImportTrial(None, "ModuleNotFoundError: x"), "2.14.1", None, "torchvision is not installed"),
        (ImportTrial(None, "ModuleNotFoundError: x"), None, "0.29.1", "torch is not installed"),
        (ImportTrial(None, "OSError: libjpeg"), "2.14.1", "0.29.1", "cannot be imported: OSError: libjpeg"),
    ],
)
def test_a_torchvision_that_fails(probe, torch, own, found):
    check = doctor.check_torchvision(ImportTrial(TORCH), probe, torch, own)
    assert (check.state, check.found) == ("fail", found)
    assert "python -m pip install" in check.remedy


def test_a_torch_that_fails():
    killed = ImportTrial(None, "the process was killed by signal 11")
    check = doctor.check_torch(killed)
    assert check.state == "fail"
    assert "signal 11" in check.found
    assert doctor.check_torchvision(killed, killed, "2.14.1", "0.29.1").remedy == "mend torch first"
    assert doctor.check_device(ImportTrial(None, "x"), 2).state == "fail"


def test_python_that_is_too_old():
    assert doctor.check_python((3, 10, 14)).state == "fail"
    assert doctor.check_python((3, 11, 0)).state == "ok"


def test_packages_that_are_missing_or_old():
    check = doctor.check_packages(
        (Minimum("typer", "0.15", "0.9.0"), Minimum("rich", "13", None), Minimum("numpy", "1", "2.4"))
    )
    assert check.state == "fail"
    assert check.found == "typer 0.9.0, rich is missing"
    assert check.remedy == "python -m pip install 'typer>=0.15' 'rich>=13'"
    assert doctor.check_packages(()).state == "warn"


@pytest.mark.parametrize(
    ("facts", "nvidia", "state", "found"),
    [
        ({"gpus": [["H200", 150e9]], "cuda": "13.0"}, True, "ok", "cuda: H200 (150 GB); 4 cores, 2 threads"),
        ({"mps": True}, False, "ok", "mps; 4 cores, 2 threads"),
        ({}, False, "ok", "cpu: 4 cores, 2 threads"),
        ({"cuda": "13.0"}, True, "warn", "cpu: 4 cores, 2 threads; there is an NVIDIA GPU that torch cannot use"),
        ({}, True, "warn", "cpu: 4 cores, 2 threads; there is an NVIDIA GPU that torch cannot use"),
    ],
)
def test_device(facts, nvidia, state, found, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/usr/bin/nvidia-smi" if nvidia else None)
    check = doctor.check_device(ImportTrial({**TORCH, **facts}), 4)
    assert (check.state, check.found) == (state, found)
    assert bool(check.remedy) == (state != "ok")


def test_the_data_folder_names_what_it_holds(tmp_path):
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    assert doctor.check_data(tmp_path, set_by="").found == f"{tmp_path} has cifar10, mnist"


def test_data_folders_that_are_not_there(tmp_path, monkeypatch):
    assert doctor.check_data(tmp_path / "none", set_by="CNNLAB_DATA").state == "warn"
    assert doctor.check_data(tmp_path / "none", set_by="").state == "ok"
    (tmp_path / "file").write_text("")
    assert doctor.check_data(tmp_path / "file", set_by="").state == "fail"
    monkeypatch.setattr(doctor, "writable", lambda folder: False)
    assert doctor.check_data(tmp_path, set_by="CNNLAB_DATA").state == "warn"
    assert doctor.check_data(tmp_path / "none", set_by="").state == "fail"


def test_runs_folder(tmp_path, monkeypatch):
    (tmp_path / "runs" / "a").mkdir(parents=True)
    (tmp_path / "runs" / "a" / "run.json").write_text("{}")
    assert doctor.check_runs(tmp_path / "runs").found.endswith("has 1 run")
    assert doctor.check_runs(tmp_path / "none").found.endswith("has 0 runs")
    assert doctor.check_runs(tmp_path / "runs" / "a" / "run.json").state == "fail"
    monkeypatch.setattr(doctor, "writable", lambda folder: False)
    assert doctor.check_runs(tmp_path / "runs").state == "fail"


def test_what_the_compiler_lacks_is_no_fault_of_the_installation(monkeypatch):
    monkeypatch.delenv("ATEN_CPU_CAPABILITY", raising=False)
    monkeypatch.setenv("CXX", "no-such-compiler")
    check = doctor.check_compiling(ImportTrial(TORCH))
    assert (check.state, check.remedy) == ("ok", "")
    assert check.found.endswith("needs a C++ compiler (no-such-compiler): install one, or name it in CXX")
    monkeypatch.setenv("CXX", sys.executable)
    assert "reduce-overhead or max-autotune" in doctor.check_compiling(ImportTrial(TORCH)).found
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    assert "ATEN_CPU_CAPABILITY=avx2" in doctor.check_compiling(ImportTrial(TORCH)).found
    assert doctor.check_compiling(ImportTrial(None)).state == "fail"


@pytest.mark.parametrize(("free", "state"), [(0.1, "fail"), (2.0, "warn"), (50.0, "ok")])
def test_disk(free, state):
    check = doctor.check_disk(free, Path())
    assert check.state == state
    assert bool(check.remedy) == (state != "ok")


def test_a_folder_that_is_not_there_is_not_writable(tmp_path):
    assert doctor.writable(tmp_path)
    assert not doctor.writable(tmp_path / "none")


def test_several_processes_are_connected_by_what_torch_is_built_with():
    assert "gloo on processors" in doctor.check_processes(ImportTrial(TORCH | {"backends": ["gloo"]})).found
    both = doctor.check_processes(ImportTrial(TORCH | {"backends": ["gloo", "nccl"], "gpus": [["H", 1], ["H", 1]]}))
    assert "nccl on GPUs (2 here, one process each)" in both.found
    assert doctor.check_processes(ImportTrial(TORCH | {"backends": []})).found.startswith("one: this torch")
    assert doctor.check_processes(ImportTrial(None)).state == "fail"
