"""What is installed: versions from the packages' metadata, and imports tried in a process of their own."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import Any

TRY_TORCH = """
import json, torch
gpus = []
if torch.cuda.is_available():
    for i in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(i)
        gpus.append([properties.name, properties.total_memory])
print(json.dumps(dict(version=torch.__version__, cuda=torch.version.cuda, gpus=gpus,
    mps=torch.backends.mps.is_available(), threads=torch.get_num_threads())))
"""
TRY_TORCHVISION = """
import json, torch, torchvision
torch.ops.torchvision.nms
print(json.dumps(dict(version=torchvision.__version__)))
"""
IMPORT_SECONDS = 120
"""Seconds for an import: on a slow disk the first one of torch takes most of a minute."""


@dataclass(frozen=True)
class ImportTrial:
    """What a process that imported a package printed; `facts` is None where it failed, for the reason `error`."""

    facts: dict[str, Any] | None
    error: str = ""


def try_import(code: str, seconds: float = IMPORT_SECONDS) -> ImportTrial:
    """Run Python code that prints one JSON mapping in a fresh interpreter; a crash there is an answer here."""
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return ImportTrial(None, f"did not end within {seconds:g} s")
    if done.returncode == 0:
        facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return ImportTrial(facts)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    if done.returncode < 0:
        return ImportTrial(None, f"the process was killed by signal {-done.returncode}")
    return ImportTrial(None, lines[-1].strip() if lines else f"exit code {done.returncode}")


@dataclass(frozen=True)
class Minimum:
    """A package that cnnlab asks for, the least version that it accepts, and what is installed (None: nothing)."""

    package: str
    least: str
    installed: str | None

    @property
    def met(self) -> bool:
        """Whether the installed version will do."""
        return self.installed is not None and _padded(self.installed) >= _padded(self.least)


def minimums(distribution: str = "cnnlab") -> tuple[Minimum, ...]:
    """What `distribution` needs at run time, from its metadata; empty where it is not installed itself."""
    try:
        requirements = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:
        return ()
    found = []
    for requirement in requirements:
        match = re.fullmatch(r"([\w.-]+?)\s*>=\s*([\d.]+)", requirement)  # an extra's has a marker behind it
        if match:
            found.append(Minimum(match[1], match[2], installed_version(match[1])))
    return tuple(found)


def installed_version(package: str) -> str | None:
    """The version in the package's metadata, such as 2.14.1+cpu; None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def release(version: str) -> tuple[int, ...]:
    """The numbers at the start of a version: 2.14.1+cpu → (2, 14, 1)."""
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else (0,)


def _padded(version: str) -> tuple[int, ...]:
    """So that 13 and 13.0 are equal."""
    return (*release(version), 0, 0, 0)[:4]
