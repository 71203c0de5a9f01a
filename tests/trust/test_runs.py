"""`sanity` and `audit` called from Python, held against torch's own gradients."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from subject_steps import outcome

from cnnlab.core.errors import RequestError
from cnnlab.data.batches import normalise
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.runs.folder import Run
from cnnlab.runs.images import evaluation_images
from cnnlab.trust.audit.report import evidence_report
from cnnlab.trust.audit.run import AuditOptions, EvidenceAudit, audit
from cnnlab.trust.sanity.report import sanity_report
from cnnlab.trust.sanity.run import SanityCheck, SanityOptions, sanity
from cnnlab.view.blocks import Report, Section, Text

pytestmark = pytest.mark.usefixtures("nothing_is_drawn")


@pytest.fixture
def run(trained: Any, tmp_path: Path) -> Run:
    return Run(shutil.copytree(trained.run, tmp_path / "runs" / "tiny", ignore=shutil.ignore_patterns("reports")))


def steps_of(subject: Callable[..., Iterator[Any]], run: Run, options: Any, seed: int = 0) -> Iterator[Any]:
    """Of `sanity` or `audit` on the best weights of the run."""
    session = Session(device_name="cpu", seed=seed, max_batch=3)
    return subject(open_run(run, session), session, options)


def praised(report: Report) -> list[str]:
    """What it tells as good."""
    blocks, found = list(report.blocks), []
    while blocks:
        block = blocks.pop()
        if isinstance(block, Section):
            blocks += block.blocks
        elif isinstance(block, Text) and block.tone == "good":
            found.append(block.text)
    return found


def test_sanity(run: Run) -> None:
    done, result = outcome(steps_of(sanity, run, SanityOptions(count=6, methods=("gradcam", "gradient"), depths=2)))
    assert done == ["cascading", "independent"]
    assert isinstance(result, SanityCheck)
    facts = result.facts
    assert (facts.run, facts.split, facts.n, facts.labels) == ("tiny", "validation", 6, None)
    assert facts.at == ("conv_bn_act2",)
    learned = [name for name, module in open_run(run, Session(device_name="cpu")).model.named_modules()
               if next(iter(module.parameters(recurse=False)), None) is not None]  # fmt: skip
    for found in (facts.cascading, facts.independent):
        assert [layer.name for layer in found.layers] == learned[::-1]
        assert [method.name for method in found.methods] == ["gradcam", "gradient"]
    assert [verdict.similarity.signed.n for verdict in facts.verdicts if verdict.similarity.signed] == [6, 6]
    assert (result.folder / "sanity.json").exists()
    assert facts.trained
    assert not praised(sanity_report(replace(facts, trained=False)))
    assert result.folder == run.path / "reports" / "sanity"


def test_sanity_of_random_labels_says_its_steps(run: Run) -> None:
    options = SanityOptions(count=6, methods=("gradient",), depths=1, labels=True, epochs=1)
    done, result = outcome(steps_of(sanity, run, options))
    assert done == ["cascading", "independent", "random labels", "maps of random labels"]
    training = result.facts.labels.training
    assert training.steps == -(-training.pictures // 32)


@pytest.mark.parametrize(("method", "named"), [("gradcan", "gradcan"), ("gradient:samples=3", "samples")])
def test_sanity_refuses_before_it_begins(run: Run, method: str, named: str) -> None:
    with pytest.raises(RequestError, match=named):
        next(steps_of(sanity, run, SanityOptions(count=6, methods=(method,))))
    assert not (run.path / "reports" / "sanity").exists()


def test_audit_measures_where_gradient_times_input_lies(run: Run) -> None:
    _, result = outcome(steps_of(audit, run, AuditOptions(count=1000, max_border=1.0)))
    assert isinstance(result, EvidenceAudit)
    network = open_run(run, Session(device_name="cpu"))
    part = evaluation_images(run, network.config, "validation", Session().place)
    inputs = normalise(part.images, network.preparation.statistics).requires_grad_()
    logits = network.model(inputs)
    logits.amax(1).sum().backward()
    assert inputs.grad is not None
    maps = (inputs * inputs.grad).sum(1).detach().clamp(min=0).numpy()
    frame = np.ones((16, 16), dtype=bool)
    frame[2:-2, 2:-2] = False  # an eighth of each side
    border = (maps * frame).sum((1, 2)) / maps.sum((1, 2))
    assert part.masks is not None
    inside = (maps * part.masks.numpy()).sum((1, 2)) / maps.sum((1, 2))
    found = [one.evidence for one in result.facts.images]
    assert [one.border for one in found] == pytest.approx(border.tolist(), rel=1e-4)
    assert [one.inside for one in found] == pytest.approx(inside.tolist(), rel=1e-4)
    assert result.facts.accuracy == float((logits.argmax(1) == part.labels).double().mean())
    assert result.facts.broken == ()
    assert praised(evidence_report(result.facts))
    untrained = evidence_report(replace(result.facts, trained=False))
    assert not praised(untrained)
    assert isinstance(untrained.blocks[0], Text)
    assert untrained.blocks[0].tone == "caution"
    assert result.folder == run.path / "reports" / "audit-validation"


def test_a_limit_that_is_broken_is_a_fact_and_no_error(run: Run) -> None:
    _, result = outcome(steps_of(audit, run, AuditOptions(count=6, max_border=0.0)))
    assert len(result.facts.broken) == len(result.facts.reasons) == 1
    assert "outer frame" in result.facts.reasons[0]


def test_audit_refuses_two_methods_and_a_group_that_is_not_there(run: Run) -> None:
    with pytest.raises(RequestError, match="gradient"):
        next(steps_of(audit, run, AuditOptions(count=6, method=("gradcam", "gradient"))))
    with pytest.raises(RequestError, match="group"):
        next(steps_of(audit, run, AuditOptions(count=6, by="group")))


def test_the_same_seed_takes_the_same_images(run: Run) -> None:
    options = AuditOptions(count=6, max_border=1.0)
    audits = [outcome(steps_of(audit, run, options, seed))[1] for seed in (0, 0, 1)]
    taken = [[one.number for one in found.facts.images] for found in audits]
    assert taken[0] == taken[1]
    assert taken[0] != taken[2]
