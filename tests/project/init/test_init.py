"""A folder with planted faults, and what is found and chosen: every fault is known, since the test makes it."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import Place
from PIL import Image

from cnnlab.config.config import check_config, read_config
from cnnlab.core.yaml import parse
from cnnlab.data.dataset import DataPlace
from cnnlab.data.folder import list_contents
from cnnlab.network.fresh import new_network
from cnnlab.network.session import Session
from cnnlab.project.init.groups import find_groups
from cnnlab.project.init.look import Seen
from cnnlab.project.init.run import init
from cnnlab.project.init.sizes import choose_size, cut_off, measure_sizes
from cnnlab.project.init.turning import study_turning

ORIENTATION = 0x0112


@pytest.fixture(scope="module", autouse=True)
def no_cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The cache of decoded images is the test's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNLAB_DATA", str(tmp_path_factory.mktemp("data")))
        yield


def picture(draw: np.random.Generator, width: int = 40, height: int = 30) -> Image.Image:
    coarse = draw.integers(0, 256, (10, 10, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, str]:
    """The folder, the document of `init`, and the config."""
    place = tmp_path_factory.mktemp("place")
    root, draw = place / "photos", np.random.default_rng(0)
    for part, label, count in (("train", "cat", 20), ("train", "dog", 8), ("test", "cat", 3), ("test", "dog", 3)):
        (root / part / label).mkdir(parents=True)
        for number in range(count):
            picture(draw).save(root / part / label / f"{number:02d}.png")
    cat, dog = root / "train" / "cat", root / "train" / "dog"
    (root / "test" / "cat" / "again.png").write_bytes((cat / "00.png").read_bytes())
    (dog / "wrong.png").write_bytes((cat / "01.png").read_bytes())
    Image.open(cat / "02.png").resize((60, 45)).save(cat / "near.jpg", quality=85)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    picture(draw, 30, 40).save(cat / "turned.jpg", exif=exif)
    picture(draw).convert("L").save(dog / "grey.png")
    (dog / "nothing.jpg").touch()
    (dog / "half.png").write_bytes((dog / "00.png").read_bytes()[:60])
    (dog / "notes.txt").write_text("no image")
    done = Place(place)("init", "photos", "--json", "--device", "cpu")
    assert done.code == 0, done.err
    return place, done.json(), (place / "photos.yaml").read_text()


def test_it_counts_and_names_the_faults(found: tuple[Path, Any, str]) -> None:
    _, facts, _ = found
    assert facts["counts"] == {"train": {"cat": 22, "dog": 10}, "test": {"cat": 4, "dog": 3}}
    assert facts["turned"] == 1
    assert facts["modes"] == {"RGB": 38, "L": 1}
    # turned, the 30 × 40 image is 40 × 30 as the others are
    assert {(one["width"], one["height"]): one["count"] for one in facts["sizes"]} == {(40, 30): 31, (60, 45): 1}
    assert sorted(Path(line.split(":")[0]).name for line in facts["unreadable_files"]) == ["half.png", "nothing.jpg"]
    assert any("notes.txt" in line for line in facts["cautions"])


def test_it_finds_the_copies(found: tuple[Path, Any, str]) -> None:
    _, facts, _ = found
    copies = {(one["first"]["name"], one["second"]["name"], one["exact"]) for one in facts["copies"]}
    assert copies == {
        ("cat/00.png", "cat/again.png", True),
        ("cat/01.png", "dog/wrong.png", True),
        ("cat/02.png", "cat/near.jpg", False),
    }
    across = [one["second"]["part"] != one["first"]["part"] for one in facts["copies"]]
    assert across == [True, False, False]
    assert any("under two labels" in line for line in facts["cautions"])


def test_what_it_chooses(found: tuple[Path, Any, str]) -> None:
    _, facts, text = found
    chosen = {one["key"]: one["value"] for one in facts["choices"]}
    # all images are 4 : 3, so that nothing of them is cut off
    assert (chosen["data.dataset.folder.size"], chosen["data.dataset.folder.fit"]) == ("[28, 40]", "crop")
    assert chosen["loss.cross_entropy.class_weights"] == "balanced"
    assert chosen["data.dataset.folder.channels"] == "3"
    assert all(one["reason"] for one in facts["choices"])
    assert "# 'cat' has 22 images, 'dog' 10, 2.2 times as many" in text
    assert facts["cost"]["seconds"] > 0
    assert facts["cost"]["train"] + facts["cost"]["validation"] == 32


def test_the_lines_for_learned_weights_are_a_config(found: tuple[Path, Any, str]) -> None:
    place, _, text = found
    before, _, rest = text.partition("# model: ")
    lines, _, _ = rest.partition("\n\n")
    learned = before + ("# model: " + lines).replace("# ", "") + "\n" + text[text.index("\ntraining:") :]
    config = check_config(parse(learned, "photos.yaml"), (), default_name="photos", base=place, allow_plugins=True)
    assert (config.init_from, config.adapt_channels) == ("torchvision:resnet18", False)
    assert new_network(config, (3, 28, 40), 2).get_parameter("fc.weight").shape == (2, 512)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["1", "2", "yes", "no"], "2 of 4 class names ('1', '2') are digits or letters"),
        (["3", "4", "5", "7"], "the class names ('3', '4', '5' and 1 more) are digits or letters"),
        (["letter a", "yes", "letter b", "1"], "2 of 4 class names ('letter a', 'letter b') are digits or letters"),
        (["1", "yes", "no"], ""),
    ],
)
def test_names_that_are_words_stand_in_quotes(names: list[str], told: str) -> None:
    images = [seen("x", name, torch.zeros(3, 1, 1, dtype=torch.uint8)) for name in names]
    assert study_turning(images).named == told


def test_the_config_trains_at_once_and_nothing_was_moved(found: tuple[Path, Any, str]) -> None:
    place, facts, _ = found
    assert read_config(place / "photos.yaml").data.dataset.options["size"] == (28, 40)
    done = Place(place)("train", "photos.yaml", "training.epochs=1", "--no-report", "--json", "--device", "cpu")
    assert done.code == 0, done.err
    again = Place(place)("init", "photos", "--device", "cpu")
    assert (again.code, "a file that is there" in again.err) == (2, True)
    assert len(list((place / "photos").rglob("*.*"))) == 42
    assert (place / facts["page"]).is_file()
    names = {"contact-sheet.png", "fits.png", "sides.png", "sizes.png", "copies.png", "classes.png"}
    assert names <= {Path(path).name for path in facts["pictures"]}
    with (place / facts["page"]).with_name("unreadable.csv").open() as file:
        assert len(list(csv.reader(file))) == 3


def test_a_table_with_parts_and_groups(found: tuple[Path, Any, str], tmp_path: Path) -> None:
    root = found[0] / "photos" / "train"
    words = ["train", "train", "val", "Testing"]
    rows = ["path,label,group,part"]
    for label in ("cat", "dog"):
        rows += [f"{root / label / f'{n:02d}.png'},{label},g{n // 4},{words[n % 4]}" for n in range(8)]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(rows))
    facts = init(table, Session(device_name="cpu"), out=tmp_path / "t.yaml")
    assert {part: sum(counts.values()) for part, counts in facts.counts.items()} == {
        "train": 8,
        "validation": 4,
        "test": 4,
    }
    assert facts.choices.validation.value == facts.choices.groups.value == ""
    assert any("groups are in the training part and in the validation part" in remark for remark in facts.remarks)
    contents = list_contents(DataPlace(tmp_path), path=str(table))
    assert contents.listings["test"].paths == tuple(root / c / f"0{n}.png" for c in ("cat", "dog") for n in (3, 7))
    again = init(table, Session(device_name="cpu"), out=tmp_path / "t.yaml")
    assert again.text == facts.text


def seen(name: str, label: str, small: torch.Tensor, width: int = 8, height: int = 8) -> Seen:
    return Seen("train", label, name, Path(name), height, width, "L", False, False, name.encode(), small)


def arrows(*labels: str, count: int = 16) -> list[Seen]:
    """Triangles that point to the left, and to the right, and (of a third label) round blots."""
    draw, rows = np.random.default_rng(1), []
    y, x = np.mgrid[:32, :32]
    for number, label in enumerate(labels):
        for n in range(count):
            cy, cx = draw.integers(13, 19, 2)
            across = (x - cx) * (1 if number == 0 else -1)
            inside = (abs(y - cy) < across + 8) & (across < 6) if number < 2 else np.hypot(y - cy, x - cx) < 8
            noise = draw.normal(0, 8, (32, 32))
            pixels = (np.where(inside, 200, 40) + noise).clip(0, 255).astype(np.uint8)
            rows.append(seen(f"{label}/{n}.png", label, torch.from_numpy(pixels)[None].repeat(3, 1, 1)))
    return rows


def test_mirror_images_are_measured_whatever_they_are_called() -> None:
    turning = study_turning(arrows("a_kind", "b_kind", "c_kind"))
    assert turning.telling
    assert not turning.may_mirror
    assert {swap[:2] for swap in turning.mirrored.swaps} == {("a_kind", "b_kind"), ("b_kind", "a_kind")}
    # a triangle on its side, and a blot, are the same upside down
    assert turning.upside_down.kept >= turning.plain - 0.05
    assert "mirror images" in turning.about_mirror


def test_classes_that_survive_a_mirror_are_flipped() -> None:
    images = arrows("a_kind", "b_kind", "c_kind")
    both = [seen(one.name, "pointed" if one.label != "c_kind" else "round", one.small) for one in images]
    assert study_turning(both).may_mirror
    assert study_turning(both).has_no_upright is False  # 48 images are too few to say so


@pytest.mark.parametrize(
    ("classes", "forbidden"),
    [
        (("0", "1", "7"), True),
        (("one", "two"), True),
        (("letter_a", "letter_b"), True),
        (("turnLeft", "turnRight"), True),
        (("hand_L", "hand_R"), True),
        (("cat", "dog"), False),
        (("leftovers", "bread"), False),
        (("plan b", "cat"), False),
    ],
)
def test_names_that_forbid_a_mirror(classes: tuple[str, ...], forbidden: bool) -> None:
    blank = torch.zeros(3, 32, 32, dtype=torch.uint8)
    assert bool(study_turning([seen(f"{label}/1.png", label, blank) for label in classes]).named) == forbidden


def in_groups(name: str, *, alike: bool) -> list[Seen]:
    """Two classes, five groups of each, four images of each group; `alike` in a group, or not."""
    draw, rows = np.random.default_rng(2), []
    for label in ("a", "b"):
        for group in range(5):
            base = draw.integers(0, 256, (3, 32, 32))
            for n in range(4):
                pixels = base + draw.normal(0, 9, base.shape) if alike else draw.integers(0, 256, base.shape)
                file = name.format(label=label, group=group + 5 * (label == "b"), n=n)
                rows.append(seen(file, label, torch.from_numpy(pixels.clip(0, 255).astype(np.uint8))))
    return rows


@pytest.mark.parametrize(
    ("name", "alike", "trusted", "group"),
    [
        ("{label}/patient{group:03d}_{n}.png", False, True, "patient000"),  # the word says it
        ("{label}/roll{group}/{n}.png", False, True, "roll0"),  # the folder does
        ("{label}/x{group}-{n}.png", True, True, "x0"),  # the images do
        ("{label}/x{group}-{n}.png", False, False, "x0"),  # nobody does
    ],
)
def test_groups_are_told_by_words_folders_or_images(name: str, alike: bool, trusted: bool, group: str) -> None:
    groups = find_groups(in_groups(name, alike=alike))
    assert groups is not None
    assert (groups.count, groups.largest, groups.trusted) == (10, 4, trusted)
    assert groups.examples[0].endswith(f"→ {group}")
    assert groups.chance == pytest.approx(3 / 19)
    assert (groups.same > 0.9) == alike


@pytest.mark.parametrize("name", ["{label}/{label}_{group}{n}.png", "{label}/{group}{n}{label}.png"])
def test_a_class_or_a_single_image_is_no_group(name: str) -> None:
    assert find_groups(in_groups(name, alike=True)) is None


@pytest.mark.parametrize(
    ("shapes", "size", "fit"),
    [
        ([(28, 28)] * 3, (28, 28), "crop"),
        ([(640, 480)] * 5 + [(600, 450)], (96, 128), "crop"),
        ([(480, 640)] * 5, (128, 96), "crop"),
        ([(500, 500), (510, 500), (500, 490)], (96, 96), "crop"),
        ([(640, 480), (480, 640), (500, 500), (900, 300)], (96, 96), "letterbox"),
    ],
)
def test_size_and_fit(shapes: list[tuple[int, int]], size: tuple[int, int], fit: str) -> None:
    images = [seen(f"{i}", "a", torch.zeros(3, 1, 1, dtype=torch.uint8), *shape) for i, shape in enumerate(shapes)]
    choice = choose_size(images, measure_sizes(images))
    assert (choice.size, choice.fit) == (size, fit)
    # what a crop cuts off, counted in pixels
    kept = [min(w, h * size[1] / size[0]) * min(h, w * size[0] / size[1]) / (w * h) for w, h in shapes]
    cut = cut_off(images, size[1] / size[0])
    assert cut.mean == pytest.approx(1 - sum(kept) / len(kept))
    assert cut.worst == pytest.approx(1 - min(kept))


def test_groups_that_leave_no_split_are_not_written(tmp_path: Path) -> None:
    draw, root = np.random.default_rng(3), tmp_path / "scans"
    for patient in range(4):  # each has a class of its own, which training would lose with it
        for label in ("a", "b", f"only{patient}"):
            (root / label).mkdir(parents=True, exist_ok=True)
            for n in range(2):
                part = ("Train", "val")[n]  # a folder inside the class, which divides nothing
                (root / label / part).mkdir(exist_ok=True)
                picture(draw, 16, 16).save(root / label / part / f"patient{patient}_{n}.png")
    facts = init(root, Session(device_name="cpu"), out=tmp_path / "scans.yaml")
    config = check_config(parse(facts.text, "scans.yaml"), (), default_name="scans", base=tmp_path)
    assert facts.groups is not None
    assert facts.groups.count == 4
    assert config.data.dataset.options["groups"] is None
    assert "they leave no split" in facts.choices.groups.reason
    assert "folders called Train and val lie inside the classes" in facts.cautions[0]
    assert facts.sentence.endswith(" thread)" if torch.get_num_threads() == 1 else " threads)")
