"""The chapter recomputed: nothing fails, what is broken is seen, and every mistake is named."""

from dataclasses import replace

import pytest
from command_line import Place, Trained

import cnnlab as package
from cnnlab.config.config import read_config
from cnnlab.config.shipped import shipped_configs
from cnnlab.core.arithmetic import Sliding
from cnnlab.core.errors import RequestError
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.textbook import convolution
from cnnlab.textbook.catalog import FILES, SECTIONS, STATEMENTS
from cnnlab.textbook.mistakes import MISTAKES
from cnnlab.textbook.run import Replay, Verdict, judged, replay
from cnnlab.textbook.small_cnn import recipe
from cnnlab.textbook.statement import Kind, Value, agree
from cnnlab.textbook.trained import TrainedRun

TESTED = {Kind.PRINTED, Kind.MISPRINTED, Kind.DERIVED}


@pytest.fixture(scope="module")
def whole() -> Replay:
    *_, found = replay()
    assert isinstance(found, Replay)
    return found


def test_every_number_comes_out(whole: Replay) -> None:
    assert [(row.statement.sentence, row.found) for row in whole.failed] == []
    assert {row.statement.section for row in whole.rows} == set(SECTIONS)
    tested = [row for row in whole.rows if row.statement.kind in TESTED]
    assert len(tested) >= 90
    assert {row.verdict for row in tested} == {Verdict.TRUE, Verdict.MISPRINTED}


def broken(value: Value) -> Value:
    """Another value of the same kind."""
    match value:
        case bool():
            return not value
        case str():
            return value + "?"
        case tuple():
            return (broken(value[0]), *value[1:])
    return value + max(1, abs(value))


def test_a_broken_value_is_seen_in_every_statement(whole: Replay) -> None:
    """Of each statement, what must come out is changed, and then what was found."""
    for row in whole.rows:
        if row.statement.kind in TESTED:
            assert row.statement.right is not None
            assert row.found is not None
            other = replace(row.statement, right=broken(row.statement.right))
            assert judged(other, row.found) is Verdict.FALSE, row.statement.sentence
            assert judged(row.statement, broken(row.found)) is Verdict.FALSE, row.statement.sentence


def test_a_misprint_is_no_number_that_is_found(whole: Replay) -> None:
    misprints = [row for row in whole.rows if row.statement.kind is Kind.MISPRINTED]
    assert len(misprints) >= 10
    for row in misprints:
        assert row.statement.misprint is not None
        assert judged(row.statement, row.statement.misprint) is Verdict.FALSE
        assert row.verdict is Verdict.MISPRINTED


def test_what_is_not_tested_says_so(whole: Replay) -> None:
    verdicts = {
        Kind.STORY: Verdict.STORY,
        Kind.ELSEWHERE: Verdict.ELSEWHERE,
        Kind.OF_A_RUN: Verdict.NEEDS_RUN,
        Kind.OF_THE_MACHINE: Verdict.MEASURED,
    }
    for row in whole.rows:
        if row.statement.kind in verdicts:
            assert row.verdict is verdicts[row.statement.kind]
            assert (row.found is None) == (row.verdict is not Verdict.MEASURED)


def test_every_mistake_has_its_number_and_those_that_are_shown_are_there() -> None:
    assert [one.number for one in MISTAKES] == list(range(1, 23))
    shown = {one.mistake for one in STATEMENTS if one.mistake is not None}
    assert shown == set(range(1, 23)) - {11, 22}  # of habits
    sections = {one.number: one.section for one in MISTAKES}
    assert all(
        sections[one.mistake] == one.section for one in STATEMENTS if one.mistake and one.kind is Kind.MISPRINTED
    )


def test_no_statement_stands_there_twice() -> None:
    sentences = [(one.section, one.sentence) for one in STATEMENTS]
    assert len(set(sentences)) == len(sentences)
    assert len(FILES) == len(SECTIONS)


def test_the_recipe_is_that_of_the_config() -> None:
    ours, config = recipe(), read_config(shipped_configs()["cifar"])
    for part in ("model", "optimizer", "schedule", "loss"):
        assert getattr(ours, part) == getattr(config, part)
    assert ours.data.augment == config.data.augment
    assert (ours.training.epochs, ours.training.batch_size) == (config.training.epochs, config.training.batch_size)


@pytest.mark.parametrize(
    ("found", "right", "tolerance", "same"),
    [
        (3, 3, 0, True), (3, 4, 0, False), (3.0005, 3.0, 1e-3, True), (True, 1, 0, False),
        ((1, 2), (1, 2, 3), 0, False),
        ((1, (2, 3.1)), (1, (2, 3.0)), 0.2, True), ("a", "a", 0, True), (1, (1,), 0, False),
    ],
)  # fmt: skip
def test_agreement(found: Value, right: Value, tolerance: float, same: bool) -> None:
    assert agree(found, right, tolerance) is same


@pytest.fixture
def wrong_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window that forgets its padding's plus one."""

    class Wrong(Sliding):
        @property
        def outputs(self) -> int:
            return super().outputs - 1

    monkeypatch.setattr(convolution, "Sliding", Wrong)


@pytest.mark.usefixtures("wrong_formula")
def test_a_broken_tool_ends_with_1_and_is_named(cnnlab: Place) -> None:
    result = cnnlab("chapter", "19.2")
    assert result.code == 1
    told = " ".join(result.out.split())
    assert "fails: 19.2, 32 px after 15 and after 16 unpadded 3 × 3 layers: expected 2, 0, found −13, −16." in told


def test_a_run_is_checked_and_of_another_data_set_nothing_was_claimed(trained: Trained, cnnlab: Place) -> None:
    result = cnnlab("chapter", "19.5", "--run", trained.run, "--json")
    assert result.code == 0
    found = {one["statement"]: one for one in result.json()["statements"]}
    assert found["parameters of the run's network"]["verdict"] == "not in this run"
    assert (found["mean of each colour"]["found"], found["mean of each colour"]["verdict"]) == (None, "not in this run")
    steps = next(one for name, one in found.items() if name.startswith("steps of an epoch"))
    assert (steps["found"], steps["verdict"]) == (True, "true")
    confusion = next(one for name, one in found.items() if name.startswith("exercise 19.5.3"))
    assert confusion["verdict"] == "not in this run"


def test_a_run_knows_its_curves_and_how_long_it_was(trained: Trained) -> None:
    session = Session(device_name="cpu", runs=trained.place.runs)
    run = TrainedRun(open_run("tiny", session), session)
    best = run.network.run.record.outcome.val_accuracy
    assert run.last("train/loss") == pytest.approx(run.epochs[-1]["train/loss"])
    assert max(value for _, value in run.points("validation/accuracy")) == best
    assert (run.accuracy(epochs=2), run.accuracy(epochs=3)) == (best, None)


def test_a_section_that_is_none(cnnlab: Place) -> None:
    result = cnnlab("chapter", "19.7")
    assert (result.code, result.out) == (2, "")
    assert "no section '19.7'; there are 19.1, 19.2, 19.3, 19.4, 19.5, 19.6" in result.err


def test_a_section_is_text() -> None:
    with pytest.raises(RequestError, match=r"`section` is 19\.2, expected its number or name as text"):
        package.chapter(19.2)  # type: ignore[arg-type]
