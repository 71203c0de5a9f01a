"""`cnnlab report`: the whole of a run on one page that needs nothing else."""

import csv
import json
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from trust.sanity.judged import judged

from cnnlab.core.files import write_whole
from cnnlab.stats.claim import claim_equal
from cnnlab.view.contribution import Question
from cnnlab.view.html import anchor

SECTIONS = [
    "What the answers rest on",
    "Do the maps show what was learned?",
    "Architecture",
    "Filters",
    "Feature maps",
    "Maximally activating patches",
    "Experiments",
    "Raw data",
]


@dataclass(frozen=True)
class Written:
    """The page, and the same as a document."""

    path: Path
    text: str
    blocks: list[dict[str, Any]]
    summary: list[dict[str, Any]]
    after_training: str
    """The page as the training had left it."""

    def section(self, title: str) -> dict[str, Any]:
        (found,) = [block for block in self.blocks if block.get("title") == title]
        return found


@pytest.fixture(scope="module", name="trained")
def own_copy(trained, tmp_path_factory: pytest.TempPathFactory):
    """The training that all tests share, in a folder to write into."""
    folder = tmp_path_factory.mktemp("report") / "place"
    shutil.copytree(trained.place.folder, folder)
    return replace(trained, place=replace(trained.place, folder=folder))


@pytest.fixture(scope="module")
def written(trained) -> Written:
    claim = claim_equal("It is one", "19.1", "what it is", 2.0, to=1.0)
    for name, facts in (("one", {"title": "<One>", "claims": [claim.as_json()]}), ("other", {"claims": [{}]})):
        write_whole(trained.run / "reports" / name / "facts.json", json.dumps(facts))
        write_whole(trained.run / "reports" / name / "index.html", "")
    after_training = (trained.run / "reports" / "index.html").read_text(encoding="utf-8")
    result = trained.place("report", "tiny", "--tensorboard", "--json")
    assert result.code == 0, result.err
    document = result.json()
    path = trained.place.folder / document["page"]
    assert path.samefile(trained.run / "reports" / "index.html")
    report = document["report"]
    return Written(path, path.read_text(encoding="utf-8"), report["blocks"], report["summary"], after_training)


@pytest.mark.slow
def test_the_page_has_every_part_and_needs_nothing_else(written: Written) -> None:
    headings = [heading.replace("&#39;", "'") for heading in re.findall(r"<h2[^>]*>([^<]*)</h2>", written.text)]
    assert headings[-len(SECTIONS) :] == SECTIONS
    assert {"Curves", "Evaluation on validation"} <= set(headings)
    assert "<script" not in written.text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', written.text)
    assert all(source.startswith("data:image/png") for source in re.findall(r'src="([^"]{0,20})', written.text))
    assert len(written.text) < 15_000_000


def summary_of(page: str) -> str:
    return page[page.index('<section class="summary"') : page.index("<nav")]


def test_experiments_say_what_they_found_of_claims(written: Written) -> None:
    (found,) = written.section("Experiments")["blocks"]
    text, links = found["blocks"]
    assert found["title"] == "<One>"
    assert (text["label"], text["text"]) == ("contradicted", "It is one (19.1). What it is: 2.")
    assert links["links"][0]["path"] == "one/index.html"


def test_six_lines_stand_first_and_lead_to_their_sections(trained, written: Written) -> None:
    assert [line["question"] for line in written.summary] == list(Question)
    links = re.findall('href="#([^"]*)"', summary_of(written.text))
    assert links == [anchor(line["section"]) for line in written.summary]
    assert all(f'id="{link}"' in written.text for link in links)
    accuracy = trained.place("eval", "tiny", "--json").json()["accuracy"]
    assert written.summary[0]["figure"] == f"{100 * accuracy:.2f}\N{NO-BREAK SPACE}%"
    assert written.text.index("</section>") < written.text.index("<details")


def test_a_page_of_a_training_says_how_to_get_what_it_lacks(trained, written: Written) -> None:
    summary = summary_of(written.after_training)
    links = re.findall('href="#([^"]*)"', summary)
    assert links == [anchor(key) for key in ("evaluation", "calibration", "confusion", "diagnosis")]
    assert all(f'id="{link}"' in written.after_training for link in links)
    assert re.findall("<code>([^<]*)</code>", summary) == ["cnnlab report runs/tiny"] * 2


def test_every_link_leads_somewhere(written: Written) -> None:
    ids = re.findall(r'id="([^"]*)"', written.text)
    for link in re.findall(r'href="([^"]*)"', written.text):
        assert link[1:] in ids if link.startswith("#") else (written.path.parent / link).exists(), link
    assert len(set(ids)) == len(ids), "an id stands twice"


def test_the_gallery_has_a_map_for_every_choice(written: Written) -> None:
    album = written.section("What the answers rest on")["blocks"][0]
    sizes = [len(choice["options"]) for choice in album["choices"]]
    covered = set()
    for shot in album["shots"]:
        places = [range(size) if i is None else [i] for i, size in zip(shot["options"], sizes, strict=True)]
        for p in places[0]:
            for m in places[1]:
                for layer in places[2]:
                    for t in places[3]:
                        assert (p, m, layer, t) not in covered
                        covered.add((p, m, layer, t))
    assert len(covered) == sizes[0] * sizes[1] * sizes[2] * sizes[3]


def test_the_cells_count_what_the_evaluation_counts(trained, written: Written) -> None:
    (confusion,) = [b for b in written.section("Evaluation on validation")["blocks"] if b.get("title") == "Confusion"]
    counts = confusion["blocks"][-1]["counts"]
    assert counts == trained.place("eval", "tiny", "--json").json()["confusion"]


@pytest.mark.usefixtures("nothing_is_drawn")
def test_filters_and_patches_are_those_of_their_own_commands(trained, written: Written) -> None:
    """The same numbers as `cnnlab visualize`, in the tables beside the page."""
    found = trained.place("visualize", "filters", "tiny", "--json").json()
    rows = list(csv.DictReader((written.path.parent / "each_filter.csv").open(encoding="utf-8")))
    assert [row["kind"] for row in rows] == [one["kind"] for one in found["filters"]]
    found = trained.place("visualize", "patches", "tiny", "--json").json()
    rows = list(csv.DictReader((written.path.parent / "channel_classes.csv").open(encoding="utf-8")))
    assert [row["most frequent class"] for row in rows] == [one["class"] for one in found["channels"]]


def test_tensorboard_has_the_same_figures_and_words(trained, written: Written) -> None:
    events = EventAccumulator(str(trained.run / "tensorboard" / "report"), size_guidance={"images": 1, "tensors": 0})
    events.Reload()
    images = {tag.removeprefix("report/") for tag in events.Tags()["images"]}
    assert images == {path.stem for path in written.path.parent.glob("*.png")} - {"augmentation"}
    assert "report/text_summary" in events.Tags()["tensors"]


def test_every_method_has_a_verdict_on_what_it_shows(written: Written) -> None:
    blocks = written.section("Do the maps show what was learned?")["blocks"]
    (table,) = [block for block in blocks if block.get("title") == "All weights randomised"]
    assert [row[0] for row in table["rows"]] == ["Grad-CAM", "gradient", "gradient × input", "guided backpropagation"]
    limits = "low", "high"
    told = []
    for _, signed, absolute, outcome in table["rows"]:
        texts = [text.replace("−", "-") for text in (signed, absolute)]
        bounds = [[float(number) for number in re.findall(r"-?\d\.\d\d", text)[1:]] for text in texts]
        if all(abs(abs(bound) - 0.25) > 0.01 for pair in bounds for bound in pair):  # as far as two digits tell
            assert outcome == judged(*(dict(zip(limits, pair, strict=True)) for pair in bounds))
            told.append(outcome)
    assert told


DENSE = """
data: {dataset: {shapes: {train_count: 100, test_count: 20, size: 16}}}
model: [flatten, {linear: {features: 16}}, relu, linear]
training: {epochs: 1}
logging: {histograms_every_epochs: 0, graph: false, pictures: false}
"""


@pytest.mark.usefixtures("nothing_is_drawn")
def test_a_training_ends_with_its_report_in_full_which_says_what_dense_layers_lack(cnnlab) -> None:
    cnnlab.config(DENSE, "dense.yaml")
    result = cnnlab("train", "dense.yaml", "--device", "cpu", "--full-report")
    assert result.code == 0, result.err
    named = re.search(r"^report +(\S+)$", result.out, re.MULTILINE)
    assert named
    assert "report in full" not in result.out
    text = (cnnlab.folder / named[1]).read_text(encoding="utf-8")
    assert re.findall(r"<h2[^>]*>([^<]*)</h2>", text)[-len(SECTIONS) + 1 :] == [
        one for one in SECTIONS if one != "Experiments"
    ]
    assert "No report card: no layer of the network has feature maps" in text
    assert text.count("Nothing to show: ") == 3
