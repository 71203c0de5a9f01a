"""Which folder is which part, and what is said of classes that a part lacks."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from cnnlab.config.config import check_config
from cnnlab.config.data_section import Data
from cnnlab.core.errors import RequestError
from cnnlab.core.yaml import parse
from cnnlab.data.dataset import DataPlace, Dataset
from cnnlab.data.folder import Contents, folder, list_contents
from cnnlab.data.parts import Parts, find_parts
from cnnlab.data.splits import split
from cnnlab.network.session import Session
from cnnlab.project.config.check import check
from cnnlab.project.data.run import preview_report
from cnnlab.runs.folder import Run
from cnnlab.runs.images import check_unchanged, origins, training_images
from cnnlab.runs.record import new_record
from cnnlab.view.blocks import figures


def fill(root: Path, classes: str = "cat dog", count: int = 1) -> None:
    for label in classes.split():
        (root / label).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            Image.new("L", (4, 4), number * 20).save(root / label / f"{number}.png")


def parts(root: Path, **given: str) -> Parts:
    return find_parts(root, root.parent, given)


def found(root: Path, **given: str) -> dict[str, str]:
    return {part: path.relative_to(root).as_posix() for part, path in parts(root, **given).named.items()}


def contents(root: Path, **options: str) -> Contents:
    return list_contents(DataPlace(root, root), path=str(root), **options)


def load(root: Path, **options: str) -> Dataset:
    return folder(DataPlace(root / "data"), "train", path=str(root), size=4, channels=1, cache=False, **options)


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ("train val test", {"train": "train", "validation": "val", "test": "test"}),
        ("Training DEV Testing", {"train": "Training", "validation": "DEV", "test": "Testing"}),
        ("train valid eval", {"train": "train", "validation": "valid", "test": "eval"}),
        ("train validation test", {"train": "train", "validation": "validation", "test": "test"}),
        ("train test", {"train": "train", "test": "test"}),
        ("train", {"train": "train"}),
        # alone, val is what is kept shut: the choice that cannot flatter
        ("train val", {"train": "train", "test": "val"}),
        ("train val test __MACOSX .git @eaDir", {"train": "train", "validation": "val", "test": "test"}),
    ],
)
def test_parts_by_their_names(tmp_path: Path, there: str, expected: dict[str, str]) -> None:
    for name in there.split():
        fill(tmp_path / name)
    assert found(tmp_path) == expected


@pytest.mark.parametrize(
    ("there", "given", "expected"),
    [
        ("train val", {"validation": "val"}, {"train": "train", "validation": "val"}),
        ("train val", {"test": "val"}, {"train": "train", "test": "val"}),
        ("train val valid test", {"validation": "valid"}, {"train": "train", "validation": "valid", "test": "test"}),
        (
            "train val test",
            {"validation": "test", "test": "val"},
            {"train": "train", "validation": "test", "test": "val"},
        ),
        ("a b c", {"train": "a", "validation": "b", "test": "c"}, {"train": "a", "validation": "b", "test": "c"}),
        ("train val extra", {"train": "train", "validation": "val"}, {"train": "train", "validation": "val"}),
    ],
)
def test_what_the_config_names_holds(
    tmp_path: Path, there: str, given: dict[str, str], expected: dict[str, str]
) -> None:
    for name in there.split():
        fill(tmp_path / name)
    assert found(tmp_path, **given) == expected


@pytest.mark.parametrize("there", ["car train tram", "valid invalid", "dev prod", "test control", "eval other"])
def test_classes_called_like_parts_are_classes(tmp_path: Path, there: str) -> None:
    fill(tmp_path, there)
    assert contents(tmp_path).classes == tuple(sorted(there.split()))


@pytest.mark.parametrize(
    ("there", "given", "said"),
    [
        ("train val valid test", {}, "has val/ and valid/, which are all called like the validation part; name one"),
        ("train Train", {}, "has Train/ and train/, which are all called like the training part; name one with the"),
        ("train val extra", {}, "has train/ and val/, called like parts, and extra/, called like classes; name the"),
        ("val test", {}, "has val/ and test/, called like parts, and no training part; name the parts with the"),
        ("train val", {"validation": "vall"}, "'validation' is 'vall', and there is no "),
    ],
)
def test_what_cannot_be_told_is_asked(tmp_path: Path, there: str, given: dict[str, str], said: str) -> None:
    for name in there.split():
        fill(tmp_path / name)
    with pytest.raises(RequestError, match=said):
        parts(tmp_path, **given)


def test_no_part_is_another_one(tmp_path: Path) -> None:
    for name in ("train", "test"):
        fill(tmp_path / name)
    with pytest.raises(RequestError, match="train: is the training part and the validation part at once"):
        contents(tmp_path, validation="train", train="train")
    with pytest.raises(RequestError, match="test: is the validation part and the test part at once"):
        contents(tmp_path, validation="test", test="test").opened("test")
    for options in ({"test": "train", "train": "train"}, {"test": str(tmp_path / "train"), "train": "train"}):
        found = contents(tmp_path, **options)
        assert found.remarks[-1].endswith("train: is the training part and the test part at once")


def test_a_part_among_the_classes_is_asked_for_or_named(tmp_path: Path) -> None:
    fill(tmp_path)
    fill(tmp_path / "test", "dog")
    with pytest.raises(RequestError, match="has test/, called like parts, and cat/ and dog/, called like classes"):
        contents(tmp_path)
    named = contents(tmp_path, test="test")
    assert named.classes == ("cat", "dog")
    assert named.listings["test"].labels == ("dog",)
    assert contents(tmp_path, train=".").classes == ("cat", "dog", "test")


def test_a_name_that_leads_to_two_places_is_asked_for(tmp_path: Path) -> None:
    fill(tmp_path / "x")
    fill(tmp_path / "x" / "far")
    fill(tmp_path / "far")
    with pytest.raises(RequestError, match=r"'test' is 'far', which is .*/x/far and .*/far as well; write the whole"):
        parts(tmp_path / "x", test="far")
    assert parts(tmp_path / "x", test=str(tmp_path / "far")).test == tmp_path / "far"


def test_a_ready_made_validation_part_is_the_validation_part(tmp_path: Path) -> None:
    for part, count in (("train", 3), ("val", 2), ("test", 1)):
        fill(tmp_path / part, count=count)
    whole = load(tmp_path)
    for fraction in (0.0, 0.5):
        halves = split(whole, fraction=fraction, seed=1)
        kept = whole.take(halves.validation)
        assert [Path(path).parts[-3] for path in kept.paths or ()] == ["val"] * 4
        assert [Path(path).parts[-3] for path in whole.take(halves.train).paths or ()] == ["train"] * 6
        assert kept.labels.tolist() == [0, 0, 1, 1]
    assert origins(whole.places, Data(validation=0.1)) == {
        "train": f"{tmp_path}/train",
        "validation": f"{tmp_path}/val (the share data.validation, 0.1, is not used)",
        "test": f"{tmp_path}/test",
    }


def test_the_part_that_is_kept_shut_is_said(tmp_path: Path) -> None:
    for part in ("train", "val"):
        fill(tmp_path / part, count=4)
    whole = load(tmp_path)
    assert whole.held_out is None
    assert whole.remarks == (
        f"{tmp_path}/val is the test part, as there is no other; to choose by it instead, write validation: val",
    )
    assert origins(whole.places, Data(validation=0.25))["validation"] == "0.25 of the training part (data.validation)"


def test_the_way_out_that_errors_name_is_one(tmp_path: Path) -> None:
    """'.' is the data set's folder, though there is a working folder as well."""
    for name in ("train", "val", "test"):
        (tmp_path / name).mkdir()
        Image.new("L", (4, 4)).save(tmp_path / name / "0.png")
    with pytest.raises(RequestError, match=r"called like the training part, with no class folders; .*train: [.]"):
        parts(tmp_path)
    assert load(tmp_path, train=".").classes == ("test", "train", "val")


def test_one_file_under_three_names_is_one(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        fill(tmp_path / part, count=3)
    link, other = tmp_path / "val" / "cat" / "0.png", tmp_path / "val" / "dog" / "0.png"
    link.unlink()
    link.symlink_to(tmp_path / "train" / "cat" / "2.png")
    other.unlink()
    other.hardlink_to(tmp_path / "train" / "dog" / "1.png")
    (remark,) = contents(tmp_path).remarks
    assert remark == f"{tmp_path}/val: 2 files of the validation part are trained on as well: cat/0.png, dog/0.png"


def test_what_lies_there_and_is_not_used_is_told(tmp_path: Path) -> None:
    fill(tmp_path / "own", count=2)
    (tmp_path / "own" / "cat" / "more").symlink_to(tmp_path / "own" / "dog")
    assert load(tmp_path / "own").skipped == ("1 left out, links to folders inside a class: cat/more",)
    table = tmp_path / "own" / "train.csv"
    table.write_text(",path,label,split\n0,cat/0.png,cat,train\n1,dog/0.png,dog,val\n")
    (told,) = load(table).skipped
    assert told == f"{table}: of its columns only path, label, group and part are used, not split"
    (tmp_path / "tables").mkdir()
    table.rename(tmp_path / "tables" / "train.csv")
    with pytest.raises(RequestError, match=r"To use a CSV, name it itself: train[.]csv"):
        contents(tmp_path / "tables")


@pytest.mark.parametrize(("count", "labels"), [(1, ["cat"]), (3, ["cat", "dog", "owl"])])
def test_a_preview_shows_every_class(tmp_path: Path, count: int, labels: list[str]) -> None:
    """In folders, all of one class come before the next."""
    fill(tmp_path, "cat dog owl", count=4)
    tree = f"data: {{dataset: {{folder: {{path: {tmp_path}, size: 4, cache: false}}}}, validation: 0}}\nmodel: [linear]"
    config = check_config(parse(tree, "own.yaml"), [], default_name="own", base=tmp_path)
    report = preview_report(config, Session(), count=count, epochs=1)
    assert list(figures(report)[0].drawing.row_labels) == labels  # type: ignore[union-attr]


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_class_that_a_part_lacks_is_told_with_the_folder(tmp_path: Path, part: str) -> None:
    for other in ("train", "val", "test"):
        fill(tmp_path / other, "cat dog" if other == part else "cat dog owl")
    word = "validation" if part == "val" else part
    assert load(tmp_path).remarks == (f"{tmp_path}/{part}: the {word} part has no images of the class owl",)


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ("cat owl", "has the class owl, which the training part lacks; it has cat, dog"),
        ("cat dogs", "has the class dogs, which the training part lacks; it has cat, dog. Did you mean 'dog'?"),
        ("cat dog empty", "no images in the class folder empty; fill it or remove it"),
    ],
)
def test_an_unknown_or_empty_class_ends_what_opens_its_part_and_is_told_before(
    tmp_path: Path, classes: str, said: str
) -> None:
    for part in ("train", "val", "test"):
        fill(tmp_path / part)
    for part in ("test", "val"):
        fill(tmp_path / part, classes)
        for file in (tmp_path / part / "empty").glob("*"):
            file.unlink()
        if part == "test":
            assert contents(tmp_path).remarks == (f"the test part cannot be used: {tmp_path}/test: {said}",)
            with pytest.raises(RequestError) as caught:
                contents(tmp_path).opened("test")
            assert str(caught.value) == f"{tmp_path}/test: {said}"
    with pytest.raises(RequestError) as caught:
        contents(tmp_path)
    assert str(caught.value) == f"{tmp_path}/val: {said}"


def test_groups_and_files_on_both_sides_are_told(tmp_path: Path) -> None:
    fill(tmp_path, count=4)
    for name, rows in {
        "train": ("cat/0.png,cat,p1", "dog/0.png,dog,p2"),
        "val": ("cat/0.png,cat,p1", "dog/1.png,dog,p3"),
    }.items():
        (tmp_path / f"{name}.csv").write_text("\n".join(("path,label,group", *rows)))
    table = tmp_path / "train.csv"
    seen = list_contents(DataPlace(tmp_path), path=str(table), validation="val.csv")
    assert seen.remarks == (
        f"{tmp_path}/val.csv: 1 files of the validation part are trained on as well: cat/0.png",
        f"{tmp_path}/val.csv: 1 group is in the training part and in the validation part: p1",
    )
    (tmp_path / "val.csv").write_text("path,label\ncat/1.png,cat\n")
    with pytest.raises(RequestError, match="one part has a column 'group' and another has none"):
        folder(DataPlace(tmp_path), "train", path=str(table), validation="val.csv")


def test_a_class_that_no_group_brings_to_the_validation_part_is_told() -> None:
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    whole = Dataset(
        "x", "train", torch.zeros(6, 1, 2, 2, dtype=torch.uint8), labels, ("a", "b", "c"), groups=tuple("ABABCD")
    )

    class Ready:
        def build(self, **_: object) -> Dataset:
            return whole

    config = check_config(
        parse("model: [global_avg_pool, linear]\ndata: {validation: 0.2}", "x"), [], default_name="x", base=Path()
    )
    object.__setattr__(config.data, "dataset", Ready())
    halves = training_images(config, DataPlace(Path()))
    assert halves.validation is not None
    lost = [name for name, count in zip("abc", halves.validation.counts().tolist(), strict=True) if not count]
    assert lost
    assert halves.remarks[0].startswith("the validation part has no images of the class")
    assert halves.remarks[0].endswith(", ".join(lost))


def test_config_check_looks_at_the_images(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        fill(tmp_path / part, "cat dog owl" if part == "train" else "cat dog")
    (tmp_path / "train" / "owl" / "bad.png").write_bytes(b"no image")
    text = f"data: {{dataset: {{folder: {{path: '{tmp_path}', size: 8}}}}}}\nmodel: [global_avg_pool, linear]\n"
    config = check_config(parse(text, "test"), [], default_name="test", base=tmp_path)
    seen = check(config, Session())
    assert (seen.classes, seen.parameters) == (3, 12)
    assert list(seen.parts) == ["train", "validation", "test"]
    assert seen.remarks[0] == f"{tmp_path}/val: the validation part has no images of the class owl"
    assert seen.remarks[2] == "1 of the 6 images looked at cannot be read:"
    assert seen.remarks[3].startswith(f"{tmp_path}/train/owl/bad.png: is")
    gone = check_config(parse(text.replace(str(tmp_path), "gone"), "test"), [], default_name="test", base=tmp_path)
    assert check(gone, Session(), classes=2).parameters == 8
    with pytest.raises(RequestError, match="gone: no such folder or CSV file"):
        check(gone, Session())


def test_a_run_whose_validation_part_was_another_is_told_so(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for part in ("train", "test"):
        fill(tmp_path / part, count=4)
    text = f"data: {{dataset: {{folder: {{path: '{tmp_path}', size: 8, cache: false}}}}, validation: 0.25}}\n"
    config = check_config(parse(text + "model: [global_avg_pool, linear]", "x"), [], default_name="x", base=tmp_path)
    place = DataPlace(tmp_path)
    then = training_images(config, place)
    record = new_record(name="x", command=[], seed=0, device="cpu", parameters=1, data=then.facts())
    run = Run(tmp_path_factory.mktemp("runs") / "x")
    run.path.mkdir()
    record.write(run.path / "run.json")
    check_unchanged(run, then)
    fill(tmp_path / "val", count=2)
    with pytest.raises(RequestError) as caught:
        check_unchanged(run, training_images(config, place))
    assert str(caught.value) == (
        "the data has changed since the run x was trained: 6 training and 2 validation images then, 8 and 4 now; "
        f"the validation part was cut from the training part, and is now {tmp_path}/val; "
        f"`data` {tmp_path}/train divides the training part as then"
    )
