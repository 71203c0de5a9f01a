import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.project.doctor import Minimum, installed_version, minimums, release, try_import

VERSIONS = st.lists(st.integers(0, 99), min_size=1, max_size=4)


@given(VERSIONS, st.sampled_from(["", "+cpu", ".dev20260101", "rc1", "+cu130"]))
def test_release_reads_the_numbers_and_leaves_the_rest(numbers, ending):
    assert release(".".join(map(str, numbers)) + ending) == tuple(numbers)


@given(VERSIONS, VERSIONS)
def test_a_minimum_is_met_as_packaging_says(least, installed):
    version = pytest.importorskip("packaging.version").Version  # the oracle
    least, installed = (".".join(map(str, numbers)) for numbers in (least, installed))
    assert Minimum("torch", least, installed).met == (version(installed) >= version(least))


def test_what_is_missing_does_not_meet_its_minimum():
    assert not Minimum("torch", "2.11", None).met


def test_minimums_are_those_of_the_project_file():
    found = {minimum.package: minimum for minimum in minimums()}
    assert found["torch"].least == "2.11"
    assert found["torch"].installed == installed_version("torch")
    assert "pytest" not in found  # an extra
    assert all(minimum.met for minimum in found.values())


def test_a_package_that_is_not_installed():
    assert minimums("no-such-distribution") == ()
    assert installed_version("no-such-distribution") is None


def test_probe_reads_the_last_line():
    assert try_import("print('a warning'); print('{\"version\": \"1\"}')").facts == {"version": "1"}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise RuntimeError('operator torchvision::nms does not exist')", "torchvision::nms does not exist"),
        ("import sys; sys.exit(3)", "exit code 3"),
        pytest.param(
            "import os; os.kill(os.getpid(), 11)",
            "killed by signal 11",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="signals"),
        ),
    ],
)
def test_probe_survives_what_the_import_does(code, error):
    found = try_import(code)
    assert found.facts is None
    assert error in found.error


def test_probe_does_not_wait_for_ever():
    assert "did not end within 0.2 s" in try_import("import time; time.sleep(30)", seconds=0.2).error
