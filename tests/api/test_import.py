"""`import cnnlab` imports nothing heavy, and its names are there all the same."""

import json
import subprocess
import sys

import pytest

import cnnlab

HEAVY = ("torch", "torchvision", "matplotlib", "typer", "rich", "numpy", "PIL", "pydantic", "scipy")


def modules_after(statements: str) -> set[str]:
    """The top-level modules of a fresh process after `statements`."""
    code = f"import sys, json\n{statements}\njson.dump(sorted(n.split('.')[0] for n in sys.modules), sys.stdout)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "statements",
    ["import cnnlab", "import cnnlab; cnnlab.RequestError, cnnlab.__version__, dir(cnnlab)",
     "import cnnlab; cnnlab.attribution, cnnlab.receptive_field, cnnlab.walk"],
)  # fmt: skip
def test_importing_is_light(statements: str) -> None:
    assert modules_after(statements).isdisjoint(HEAVY)


def test_what_is_asked_for_is_imported() -> None:
    assert "torch" in modules_after("import cnnlab; cnnlab.walk.walk")


@pytest.mark.parametrize("package", ["cnnlab", "cnnlab.attribution", "cnnlab.receptive_field", "cnnlab.walk"])
def test_every_public_name_is_there(package: str) -> None:
    module = __import__(package, fromlist=["__all__"])
    assert set(module.__all__) <= set(dir(module))
    assert all(getattr(module, name) is not None for name in module.__all__)


def test_pure_functions_are_functions_whatever_was_imported_before() -> None:
    from cnnlab.attribution.attribution import attribute
    from cnnlab.receptive_field.fields import receptive_fields
    from cnnlab.walk.walker import walk

    assert cnnlab.attribution.attribute is attribute
    assert cnnlab.receptive_field.receptive_fields is receptive_fields
    assert cnnlab.walk.walk is walk


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'cnnlab' has no attribute 'opne'"):
        _ = cnnlab.opne  # type: ignore[attr-defined]
