"""The experiments that a page repeats: those made with the run, and the one that it was trained for."""

import json
from pathlib import Path

import pytest

from cnnlab.report.experiments import experiments
from cnnlab.runs.folder import Run
from cnnlab.stats.claim import Claim, Finding


def facts(folder: Path, title: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    claim = Claim("It is one", "19.1", "What it is: 2.", Finding.CONTRADICTED, 2.0)
    (folder / "facts.json").write_text(json.dumps({"title": title, "claims": [claim.as_json()]}), encoding="utf-8")


@pytest.mark.parametrize(("kept", "expected"), [("trainings", ["Its own", "Ablation"]), ("runs", ["Its own"])])
def test_a_training_of_an_experiment_says_what_that_found(tmp_path: Path, kept: str, expected: list[str]) -> None:
    run = tmp_path / "ablation" / kept / "as-it-is-seed0"
    facts(run / "reports" / "landscape", "Its own")
    facts(tmp_path / "ablation", "Ablation")
    (section,) = experiments(Run(run), run / "reports").blocks
    assert [part.title for part in section.blocks] == expected
    links = [part.blocks[-1].links[0].path for part in section.blocks]
    assert links == ["landscape/index.html", "../../../index.html"][: len(expected)]
