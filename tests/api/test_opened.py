"""What is asked from Python is what the commands tell."""

import inspect
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import Place, Trained
from numpy.typing import NDArray
from PIL import Image
from torch import nn

import cnnlab
from cnnlab.api.opened import OpenedNetwork
from cnnlab.api.pages import ReportPage
from cnnlab.api.result import Result
from cnnlab.network.description import ModelOptions
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.report.run import PageFacts, page_report
from cnnlab.view.blocks import Text
from cnnlab.view.contribution import Contribution

Pixels = NDArray[np.uint8]


@pytest.fixture
def net(module: nn.Module) -> OpenedNetwork:
    return cnnlab.open(module, size=16, classes=["cat", "dog", "cow"], mean=0.5, std=0.25)


def without_places(document: Any) -> Any:
    """A document without files, which Python writes only when asked, and without the time it took."""
    if isinstance(document, dict):
        places = ("raw", "raw_channels", "overlay", "report", "picture", "pictures", "page", "unreadable", "seconds")
        return {key: without_places(value) for key, value in document.items() if key not in places}
    return [without_places(one) for one in document] if isinstance(document, list) else document


def test_options_of_a_network_are_those_of_the_commands() -> None:
    assert set(ModelOptions.__annotations__) < set(inspect.signature(cnnlab.open).parameters)


@pytest.mark.parametrize(
    ("command", "ask"),
    [
        (("gradcam", "RUN", "IMAGE", "--method", "gradcam,rise:masks=8", "--target", "top2"),
         lambda net, image: net.explain(image, methods=["gradcam", "rise:masks=8"], target="top2")),
        (("receptive-field", "RUN", "--assert", "linear1.size>=3"),
         lambda net, image: net.receptive_fields(claims="linear1.size>=3")),
        (("summary", "RUN"), lambda net, image: net.summary()),
        (("visualize", "filters", "RUN", "--random", "4"), lambda net, image: net.filters(random=4)),
        (("visualize", "features", "RUN", "IMAGE"), lambda net, image: net.features(image)),
        (("visualize", "dream", "RUN", "--class", "disc", "--steps", "3"),
         lambda net, image: net.dream(classes="disc", steps=3)),
        (("check-model", "RUN"), lambda net, image: net.check()),
        (("eval", "RUN", "--split", "train", "--by", "class"),
         lambda net, image: net.evaluate(split="train", by="class")),
        (("sanity", "RUN", "--method", "gradcam", "--count", "6", "--depths", "2"),
         lambda net, image: net.sanity(methods="gradcam", count=6, depths=2)),
        (("audit", "RUN", "--max-border", "1", "--count", "9"), lambda net, image: net.audit(max_border=1.0, count=9)),
        (("visualize", "patches", "RUN", "--top", "2"), lambda net, image: net.patches(split="validation", top=2)),
        (("report-card", "RUN", "--pick", "3"), lambda net, image: net.report_card(pick=3)),
        (("predict", "RUN", "IMAGE"), lambda net, image: net.predict(image)),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_documents_are_those_of_the_commands(
    command: tuple[str, ...], ask: Callable[[OpenedNetwork, Path], Result], trained: Trained, cnnlab: Place,
    image: Pixels, tmp_path: Path,
) -> None:  # fmt: skip
    import cnnlab as library

    path = tmp_path / "image.png"
    Image.fromarray(image).save(path)
    named = {"RUN": str(trained.run), "IMAGE": str(path)}
    told = cnnlab(*(named.get(word, word) for word in command), "--json")
    found = ask(library.open(trained.run, device="cpu"), path).to_dict()
    expected = told.json()
    if isinstance(expected, list):
        expected = {"predictions": expected}
    assert without_places(found) == without_places(expected)


def test_given_images_are_their_data_set(trained: Trained, tmp_path: Path) -> None:
    net = cnnlab.open(trained.run, device="cpu")
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    labels = [net.classes[number % 2] for number in range(6)]
    for number, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        (tmp_path / label).mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / label / f"{number}.png")
    given, folder = net.evaluate((images, labels)), net.evaluate(tmp_path)
    assert given.facts.n == folder.facts.n == 6
    assert given.accuracy == folder.accuracy
    assert torch.equal(given.confusion, folder.confusion)
    assert given.accuracy == np.mean([a == b for a, b in zip(net.predict(images).labels, labels, strict=True)])
    assert net.evaluate((images, torch.arange(6) % 2)).accuracy == given.accuracy
    assert net.audit(tmp_path, count=6).facts.split == "all"


def test_the_test_part_is_noted_each_time(trained: Trained, tmp_path: Path) -> None:
    shutil.copytree(trained.run, tmp_path / "tiny")
    net = cnnlab.open("tiny", runs=tmp_path, device="cpu")
    assert [net.evaluate(split="test").made.test_evaluations for _ in range(2)] == [1, 2]
    with pytest.raises(cnnlab.RequestError, match="`split` is 'test'"):
        net.patches(split="test")  # type: ignore[arg-type]


def test_images_of_its_own(trained: Trained) -> None:
    net = cnnlab.open(trained.run, device="cpu")
    found = net.explain(methods="gradcam", count=3, target="true")
    assert len(found.names) == 3
    assert all(name.startswith("validation/") for name in found.names)
    assert net.explain(methods="gradcam", split="train", count=1).names[0].startswith("train/")


def test_what_is_saved_is_what_the_command_writes(net: OpenedNetwork, image: Pixels, tmp_path: Path) -> None:
    explained = net.explain([image, image], methods=["gradcam", "gradient"], target="dog")
    page = explained.save(tmp_path / "explained")
    assert page.is_file()
    raw = np.load(next((tmp_path / "explained" / "maps").glob("0001-*-gradcam-*.npy")))
    assert np.array_equal(raw, explained.maps["gradcam"][1, 0].numpy())
    for result in (net.summary(), net.dream(classes=1, steps=2)):
        page = result.save(tmp_path / type(result).__name__)
        assert page.is_file()
        assert (page.parent / result.document_name).is_file()
    assert (tmp_path / "Dreams" / "pixels" / "class-1.png").is_file()


def test_a_page_that_is_saved_elsewhere_links_to_the_files_of_the_run(trained: Trained, tmp_path: Path) -> None:
    session = Session(device_name="cpu")
    facts = PageFacts(open_run(trained.run, session), (), "Of a run.", trained.run / "reports")
    page = ReportPage(facts).save(tmp_path / "elsewhere")
    links = re.findall(r'href="([^"#][^"]*)"', page.read_text(encoding="utf-8"))
    assert {Path(link).name for link in links} == {"config.yaml", "run.json", "metrics.jsonl", "best.safetensors"}
    assert all((page.parent / link).samefile(trained.run / link.split("/tiny/")[1]) for link in links)
    assert json.loads((page.parent / "report.json").read_text())["report"]["lead"] == "Of a run."


def test_a_page_without_a_run_says_what_its_parts_say(image: Pixels) -> None:
    parts = (nn.Conv2d(3, 4, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    net = cnnlab.open(nn.Sequential(*parts), size=8, classes=["cat", "dog"], mean=0.5, std=0.25)
    given = ([image] * 4, ["cat", "dog", "dog", "dog"])
    page = net.report(given)
    assert page.summary[0].figure == f"{100 * net.evaluate(given).accuracy:.2f}\N{NO-BREAK SPACE}%"
    assert "How good is it?" in page._repr_mimebundle_()["text/html"]
    facts = page.facts
    praised = replace(facts, said=(Contribution((Text("a", "good"),)),))
    untrained = replace(praised, network=replace(facts.network, trained=False))
    for one, tone in ((praised, "good"), (untrained, "plain")):
        assert Text("a", tone) in page_report(one, Path()).blocks
    with pytest.raises(cnnlab.RequestError, match="Sequential has no images of its own"):
        net.report()
    with pytest.raises(cnnlab.RequestError, match="Sequential is no run"):
        net.film()


def test_every_question_is_in_the_docs_and_says_what_it_takes_gives_and_refuses() -> None:
    page = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
    asked = [name for name, value in inspect.getmembers(OpenedNetwork, inspect.isfunction) if not name.startswith("_")]
    assert len(asked) >= 16
    for name in asked:
        assert f".{name}(" in page, name
        told = inspect.getdoc(getattr(OpenedNetwork, name)) or ""
        assert all(f"\n{part}:\n" in told for part in ("Returns", "Raises")), name
        takes = [word for word in inspect.signature(getattr(OpenedNetwork, name)).parameters if word != "self"]
        assert all(f"\n    {word}: " in told for word in takes), name


def test_nothing_is_written_unasked(
    net: OpenedNetwork, image: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    net.explain(image, methods="gradcam")._repr_mimebundle_()
    net.receptive_fields()._repr_mimebundle_()
    net.features(image)._repr_mimebundle_()
    assert list(tmp_path.iterdir()) == []


def test_maps_are_those_of_the_pure_function(module: nn.Module, net: OpenedNetwork) -> None:
    pixels = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    found = net.explain(pixels, methods="gradcam", target=2)
    module.eval()
    (expected,) = cnnlab.attribution.attribute(module, (pixels / 255 - 0.5) / 0.25, [2, 2], methods="gradcam")
    assert torch.allclose(found.maps["gradcam"][:, 0], expected.maps, atol=1e-6)
    assert torch.allclose(found.probabilities, module((pixels / 255 - 0.5) / 0.25).softmax(1), atol=1e-6)
    assert found.targets.tolist() == [[2], [2]]


def test_a_result_shows_itself(net: OpenedNetwork, image: Pixels, capsys: pytest.CaptureFixture[str]) -> None:
    found = net.explain(image, methods="gradcam", target="cat")
    bundle = found._repr_mimebundle_()
    assert bundle["text/plain"].startswith("What Sequential looks at")
    assert 1 <= bundle["text/html"].count("data:image/png") <= 2
    assert len(bundle["text/html"]) < 1_000_000
    found.show()
    assert "Grad-CAM" in capsys.readouterr().out


def test_a_module_stays_on_its_device_and_another_is_looked_at_in_a_copy(module: nn.Module) -> None:
    assert cnnlab.open(module, size=16).model is module
    assert cnnlab.open(module, size=16, device="cpu").model is not module


def test_weights_are_loaded_into_a_copy(module: nn.Module, tmp_path: Path) -> None:
    other = {name: value + 1 for name, value in module.state_dict().items()}
    torch.save(other, tmp_path / "w.pt")
    before = module.state_dict()["0.weight"].clone()
    net = cnnlab.open(module, size=16, weights=tmp_path / "w.pt")
    assert torch.equal(module.state_dict()["0.weight"], before)
    assert torch.equal(net.model.state_dict()["0.weight"], before + 1)


def test_a_folder_of_weights_is_refused_before_the_size_that_stands_in_it(module: nn.Module, tmp_path: Path) -> None:
    torch.save(module.state_dict(), tmp_path / "w.pt")
    with pytest.raises(cnnlab.RequestError, match=r"is a folder; give one file in it: w\.pt"):
        cnnlab.open(module, weights=tmp_path)


def test_files_that_cannot_be_read_are_named_and_the_others_done(
    net: OpenedNetwork, image: Pixels, tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    found = net.explain([image, tmp_path / "bad.png"], methods="gradcam")
    assert [one.path for one in found.unreadable] == [str(tmp_path / "bad.png")]
    assert len(found.names) == 1
    with pytest.raises(cnnlab.RequestError, match=r"bad\.png: is no image"):
        net.features(tmp_path / "bad.png")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "`size`: a module does not tell"),
        ({"size": 16, "mean": 0.5}, "`mean` is given without `std`"),
        ({"size": 16, "weights_key": "ema"}, "`weights_key`"),
        ({"size": 16, "device": "cuda:7"}, "cuda"),
        ({"size": 16, "max_batch": 0}, "`max_batch` is 0"),
        ({"size": 16, "seed": "x"}, "`seed` is 'x', expected a whole number"),
        ({"size": 16, "weights": 5}, "`weights` is 5, expected text or a Path"),
        ({"size": 16, "preparation": []}, r"`preparation` is \[\], expected text or a Path"),
        ({"size": 16, "runs": None}, "`runs` is None, expected text or a Path"),
        ({"size": 16, "data": ""}, "`data` is '', expected text or a Path"),
        *(({"size": 16, "classes": value}, "`classes` is .*, expected the names") for value in (True, 1.5, -1, b"ab")),
    ],
)
def test_wrong_openings_name_parameters(options: dict[str, Any], words: str, module: nn.Module) -> None:
    with pytest.raises(cnnlab.RequestError, match=words) as raised:
        cnnlab.open(module, **options)
    assert "--" not in str(raised.value)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: cnnlab.compare(["a", "b"], runs=5), "`runs` is 5, expected text or a Path"),
        (lambda: cnnlab.ablate(vary={"schedule": ["constant"]}, runs=5), "`runs` is 5"),
        (lambda: cnnlab.train(runs=5), "`runs` is 5"),
        (lambda: cnnlab.train(resume=5), "no run '5'"),
        (lambda: cnnlab.init(5), "`source` is 5"),
        (lambda: cnnlab.open(""), "'' names no run"),
    ],
)
def test_what_is_no_path_is_refused(ask: Callable[[], object], words: str) -> None:
    with pytest.raises(cnnlab.RequestError, match=words):
        ask()


def test_a_config_with_mistakes_is_a_request_error(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("training: {epoch: 3}\n")
    with pytest.raises(cnnlab.RequestError, match=r"c\.yaml:1:12: .*epoch"):
        cnnlab.open(tmp_path / "c.yaml")


def test_layers_alone_need_no_images() -> None:
    net = cnnlab.open(nn.Sequential(nn.Conv2d(5, 2, 3)), size=(5, 8, 12), images=False)
    assert net.receptive_fields()["0"].size == (3, 3)
    assert net.summary().parameters == 5 * 2 * 9 + 2
    with pytest.raises(cnnlab.RequestError, match="5 channels"):
        cnnlab.open(nn.Sequential(nn.Conv2d(5, 2, 3)), size=(5, 8, 8))


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("evaluate", {"split": "dev"}, "`split` is 'dev', expected train, validation or test"),
    ("evaluate", {"tta": "fliip"}, "`tta` is 'fliip', expected none, flip or six"),
    ("evaluate", {"tta": "six", "least_sure": 2}, "`least_sure` is 2, expected a number from 0 to 1"),
    ("predict", {"images": "a.png", "least_sure": 0.5}, "`least_sure` chooses the images that get further views"),
    ("predict", {"images": "a.png", "top": 0}, "`top` is 0, expected a whole number from 1"),
    ("predict", {"images": "a.png", "reject_below": 3}, "`reject_below` is 3, expected a number from 0 to 1"),
    ("predict", {"images": "a.png", "reject_below": "half"}, "`reject_below` is 'half'"),
    ("explain", {"images": "a.png", "smooth": "gauss"}, "`smooth` is 'gauss', expected aug or eigen"),
    ("explain", {"images": "a.png", "split": "test"}, "`split` is 'test', expected train or validation"),
    ("explain", {"count": 0}, "`count` is 0"),
    ("sanity", {"count": -3}, "`count` is -3"),
    ("sanity", {"depths": 0}, "`depths` is 0"),
    ("audit", {"split": "dev"}, "`split` is 'dev'"),
    ("audit", {"count": 2.5}, "`count` is 2.5, expected a whole number from 1"),
    ("embedding", {"count": 0}, "`count` is 0"),
    ("embedding", {"neighbours": 0}, "`neighbours` is 0"),
    ("filters", {"random": -1}, "`random` is -1"),
    ("cost", {"repeats": 0}, "`repeats` is 0"),
    ("cost", {"threads": 0}, "`threads` is 0, expected a whole number from 1 to 1024"),
    ("film", {"picture": "x"}, "`picture` is 'x'"),
    ("evaluate", {"data": {"images": 1}}, r"`data` is of the type dict, expected .*\(images, labels\)"),
    ("evaluate", {"data": ["a.png", "b.png"]}, "`data` is of the type list"),
    ("report", {"data": (1, 2, 3)}, "`data` is of the type tuple"),
]  # fmt: skip


@pytest.mark.parametrize(("question", "asked", "words"), WRONG)
def test_values_that_options_would_not_take_are_refused(
    question: str, asked: dict[str, Any], words: str, net: OpenedNetwork
) -> None:
    with pytest.raises(cnnlab.RequestError, match=words):
        getattr(net, question)(**asked)


@pytest.mark.parametrize(("name", "value"), [("seconds", "x"), ("seconds", -1), ("threads", 0), ("threads", 1.5)])
def test_a_bench_refuses_what_its_options_would(name: str, value: Any) -> None:
    with pytest.raises(cnnlab.RequestError, match=f"`{name}` is {value!r}, expected a"):
        cnnlab.bench(**{name: value})
