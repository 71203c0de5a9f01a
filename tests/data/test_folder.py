import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors import safe_open

from cnnlab.core.errors import ConfigError, RequestError
from cnnlab.core.registry import component
from cnnlab.data import cache, storage
from cnnlab.data import folder as folder_module
from cnnlab.data.cache import Decoded
from cnnlab.data.dataset import DataPlace, Dataset
from cnnlab.data.fitting import Fitting
from cnnlab.data.registry import image_of

COLOURS = {"cat": "red", "dog": "blue", "owl": "lime"}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def one_image(path: Path, colour: str = "red", size: tuple[int, int] = (9, 7), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).convert(mode).save(path)


def animals(root: Path, count: int = 3) -> Path:
    for name, colour in COLOURS.items():
        for number in range(count):
            one_image(root / name / f"{number}.png", colour)
    return root


def load(path: Path | str, part: str = "train", *, base: Path | None = None, **options: object) -> Dataset:
    root = (base or Path(path)).parent / "data"
    options = {"size": 8, **options}
    made = component("dataset", "folder", path=str(path), **options).build(
        place=DataPlace(root, base or Path()), part=part
    )
    assert isinstance(made, Dataset)
    return made


def message(path: Path | str, part: str = "train", **options: object) -> str:
    with pytest.raises(RequestError) as caught:
        load(path, part, **options)
    return str(caught.value)


def table(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


# folders


def test_a_folder_of_class_folders(tmp_path: Path) -> None:
    root = animals(tmp_path / "animals")
    one_image(root / "cat" / "deeper" / "3.JPG", "red", (300, 200))
    dataset = load(root)
    assert dataset.classes == ("cat", "dog", "owl")
    assert dataset.shape == (3, 8, 8)
    assert dataset.counts().tolist() == [4, 3, 3]
    assert dataset.paths is not None
    assert dataset.paths[3] == str(root / "cat" / "deeper" / "3.JPG")
    assert dataset.groups is dataset.masks is None
    assert dataset.skipped == ()
    assert dataset.images[4].unique(dim=1).squeeze().shape == (3, 8)
    assert dataset.images[4, :, 0, 0].tolist() == [0, 0, 255]
    assert load(root, channels=1).images[4].unique().tolist() == [29]


def test_a_class_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    """Its name would stand in the run's record, in pages and events, which are UTF-8."""
    root = animals(tmp_path / "animals")
    os.mkdir(os.fsencode(root) + b"/caf\xe9")
    assert message(root) == f"{root}: the name of the class folder 'caf\\xe9' is no UTF-8 text; rename it"


def test_relative_paths_start_from_the_base(tmp_path: Path) -> None:
    animals(tmp_path / "animals")
    assert len(load("animals", base=tmp_path)) == 9


@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("Train", "VAL"), ("training", "validation")])
def test_nested_parts(tmp_path: Path, train: str, test: str) -> None:
    animals(tmp_path / "x" / train, 4)
    one_image(tmp_path / "x" / test / "dog" / "1.png", "blue")
    assert len(load(tmp_path / "x")) == 12
    part = load(tmp_path / "x", "test")
    assert len(part) == 1
    assert part.part == "test"
    assert part.classes == ("cat", "dog", "owl")
    assert part.labels.tolist() == [1]


def test_a_class_called_train_is_a_class(tmp_path: Path) -> None:
    for name in ("car", "train", "tram"):
        one_image(tmp_path / "x" / name / "1.png")
    assert load(tmp_path / "x").classes == ("car", "train", "tram")


def test_the_test_part_may_lie_elsewhere(tmp_path: Path) -> None:
    animals(tmp_path / "x")
    animals(tmp_path / "y", 1)
    assert len(load(tmp_path / "x", "test", test=str(tmp_path / "y"))) == 3
    assert message(tmp_path / "x", "test") == (
        f"{tmp_path}/x: has no test part; divide it into {tmp_path}/x/train and {tmp_path}/x/test, "
        "or name a folder or CSV with the option 'test'"
    )
    one_image(tmp_path / "y" / "emu" / "1.png")
    assert message(tmp_path / "x", "test", test=str(tmp_path / "y")) == (
        f"{tmp_path}/y: has the class emu, which the training part lacks; it has cat, dog, owl"
    )


def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path) -> None:
    root = tmp_path / "x"
    assert message(root) == f"{root}: no such folder or CSV file"
    root.mkdir()
    assert message(root) == f"{root}: has no class folders; expected one folder per class, with its images inside"
    (root / "cat").mkdir()
    assert message(root).startswith(f"{root}: no images in its class folders; their names should end in .jpg, .jpeg,")
    one_image(root / "dog" / "1.png")
    assert message(root) == f"{root}: no images in the class folder cat; fill it or remove it"
    (root / "cat").rmdir()
    assert message(root) == f"{root}: has one class only (dog); a classifier needs at least two"
    (tmp_path / "x.zip").touch()
    assert message(tmp_path / "x.zip") == (
        f"{tmp_path}/x.zip: expected a folder of class folders, or a .csv file with the columns path and label"
    )


def test_files_that_are_not_used_are_reported_and_system_files_are_not(tmp_path: Path) -> None:
    root = animals(tmp_path / "x")
    for name in ("cat/notes.txt", "dog/a.heic", "dog/.DS_Store", "owl/Thumbs.db", "readme.md"):
        (root / name).touch()
    one_image(root / "loose.png")
    for folder in ("__MACOSX", "@eaDir", ".ipynb_checkpoints", "cat/@eaDir", "dog/__MACOSX/dog", "$RECYCLE.BIN"):
        one_image(root / folder / "1.png")
    for name in ("cat/._0.png", "._loose.png", "owl/~$a.png"):
        one_image(root / name)
    assert len(load(root)) == 9
    assert load(root).skipped == (
        "2 left out, no images by their names: cat/notes.txt, dog/a.heic",
        "1 left out, in no class folder: loose.png",
    )


# images


def test_images_of_any_kind_become_one_size(tmp_path: Path) -> None:
    root = animals(tmp_path / "x", 1)
    one_image(root / "cat" / "pixel.png", "red", (1, 1))
    one_image(root / "cat" / "wide.png", "red", (5000, 3))
    one_image(root / "cat" / "ink.jpg", "red", mode="CMYK")
    one_image(root / "cat" / "palette.gif", "red", mode="P")
    one_image(root / "cat" / "clear.png", "red", mode="RGBA")
    Image.fromarray(np.full((5, 4), 40_000, np.uint16)).save(root / "cat" / "deep.png")
    for fit in ("crop", "stretch"):
        dataset = load(root, fit=fit)
        assert dataset.skipped == ()
        for path, image in zip(dataset.paths or (), dataset.images, strict=True):
            if "cat" in path:
                colour = [156] * 3 if "deep" in path else [254, 0, 0] if "ink" in path else [255, 0, 0]
                assert (image.float().mean((1, 2)) - torch.tensor(colour).float()).abs().max() < 3, path


def damage(root: Path) -> tuple[str, str]:
    """A cut JPEG and an empty PNG; their paths."""
    cut, empty = root / "cat" / "cut.jpg", root / "dog" / "empty.png"
    Image.effect_noise((64, 64), 50).save(cut)
    cut.write_bytes(cut.read_bytes()[:1000])
    empty.touch()
    return str(cut), str(empty)


def test_an_image_that_cannot_be_read_is_left_out_and_named(tmp_path: Path) -> None:
    root = animals(tmp_path / "x")
    cut, empty = damage(root)
    for _ in range(2):  # the second time from the cache
        dataset = load(root, groups=r"(\d|cut|empty)")
        assert len(dataset) == 9
        assert dataset.labels.tolist() == [0] * 3 + [1] * 3 + [2] * 3
        assert dataset.groups == ("0", "1", "2") * 3
        assert dataset.paths is not None
        assert cut not in dataset.paths
        assert dataset.skipped[0].startswith(f"{cut}: is damaged: image file is truncated")
        assert dataset.skipped[1] == f"{empty}: is empty"


def test_or_it_is_fatal(tmp_path: Path) -> None:
    root = animals(tmp_path / "x")
    cut, empty = damage(root)
    for _ in range(2):
        text = message(root, on_error="fatal").splitlines()
        assert text[0] == f"2 of 11 images in {root} cannot be read ('on_error: skip' would leave them out):"
        assert text[1].startswith(f"  {cut}: is damaged: ")
        assert text[2:] == [f"  {empty}: is empty"]


def test_a_class_without_a_readable_image_is_an_error(tmp_path: Path) -> None:
    root = animals(tmp_path / "x")
    for number in range(12):
        (root / "emu").mkdir(exist_ok=True)
        (root / "emu" / f"{number:02}.png").touch()
    listed = "".join(f"\n  {root}/emu/{number:02}.png: is empty" for number in range(10))
    assert message(root) == (
        f"12 of 21 images in {root} cannot be read, so the class emu has none left:{listed}\n  and 2 more"
    )


def test_what_needs_more_than_the_memory_lies_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = animals(tmp_path / "x")
    one_image(root / "cat" / "first.png", "olive")
    (root / "dog" / "broken.png").touch()
    monkeypatch.setattr(storage, "SMALL", 0)
    monkeypatch.setattr(storage, "COPIED", 500)
    in_memory = load(root, cache=False)
    assert not in_memory.spill
    monkeypatch.setattr(storage, "machine_memory", lambda: 2_000)
    with pytest.raises(RequestError, match="of memory; choose a smaller 'size' or fewer images"):
        load(root, storage="memory", cache=False)
    chosen = torch.tensor([9, 0, 3, 3, 7])
    for again in range(3):  # the second time from the cache
        on_disk = load(root, cache=again > 0)
        assert torch.equal(on_disk.images, in_memory.images)
        assert on_disk.skipped == in_memory.skipped != ()
        part = on_disk.take(chosen)
        assert torch.equal(part.images, in_memory.images[chosen])
        assert torch.equal(part.labels, in_memory.labels[chosen])
        for images in (part.images, part.take(torch.tensor([1, 2])).images, *([] if again else [on_disk.images])):
            assert images.untyped_storage().filename is not None  # the cache's file safetensors maps by itself
    assert not list(tmp_path.rglob(".images-*"))  # their files have no name, so that they go with the process
    monkeypatch.setattr(storage, "SPARE", 10**18)
    with pytest.raises(
        RequestError, match=r"^11 images of 8 × 8 pixels take 0\.0 GB on disk, for which there is no room"
    ):
        load(root, cache=False)


def test_an_image_and_its_copies_are_in_one_group(tmp_path: Path) -> None:
    root, random = tmp_path / "x", np.random.default_rng(0)
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
        for number in range(6):
            pixels = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((64, 64))
            pixels.save(root / name / f"s{number // 2}_{number}.png")
    Image.open(root / "a" / "s0_0.png").resize((40, 40)).save(root / "b" / "s9_smaller.png")
    shutil.copy(root / "a" / "s0_0.png", root / "a" / "s8_same.png")
    alone = load(root, size=64, copies_together=True)
    assert alone.groups is not None
    assert alone.paths is not None
    together = [i for i, group in enumerate(alone.groups) if group == alone.paths[0]]
    assert [Path(alone.paths[i]).name for i in together] == ["s0_0.png", "s8_same.png", "s9_smaller.png"]
    assert len(set(alone.groups)) == len(alone) - 2
    grouped = load(root, size=64, copies_together=True, groups=r"[ab]/(s\d)")
    by_pattern = load(root, size=64, groups=r"[ab]/(s\d)").groups
    assert grouped.groups is not None
    assert by_pattern is not None
    joined = {"s8": "s0", "s9": "s0"}
    assert grouped.groups == tuple(joined.get(group, group) for group in by_pattern)


def test_the_caller_can_show_progress(tmp_path: Path) -> None:
    seen: list[tuple[str, int]] = []

    def track(items: Iterable[object], what: str, total: int) -> Iterable[object]:
        seen.append((what, total))
        return items

    place = DataPlace(tmp_path / "data", track=track)
    chosen = component("dataset", "folder", path=str(animals(tmp_path / "x")))
    chosen.build(place=place, part="train")
    chosen.build(place=place, part="train")
    assert seen == [("decoding images", 9)], "the second time nothing is decoded"


# groups and tables


def test_groups_by_a_pattern(tmp_path: Path) -> None:
    root = tmp_path / "x"
    for name in ("cat/p1_a.png", "cat/p2_a.png", "dog/p1_b.png"):
        one_image(root / name)
    assert load(root, groups=r"/(p\d+)_").groups == ("p1", "p2", "p1")
    assert message(root, groups=r"(p1)") == "'groups': (p1) does not match 1 of 3 paths, such as cat/p2_a.png"
    for wrong, said in {
        "p1": "'groups': p1 captures 0 parts, expected one, such as (patient\\d+)",
        "(p)(1)": "'groups': (p)(1) captures 2 parts, expected one, such as (patient\\d+)",
        "(p1": "'groups': (p1 is not a regular expression: missing ), unterminated subpattern at position 0",
    }.items():
        with pytest.raises(ConfigError) as caught:
            load(root, groups=wrong)
        assert str(caught.value) == said


def test_a_table_of_images(tmp_path: Path) -> None:
    animals(tmp_path / "x")
    one_image(tmp_path / "far" / "1.png", "blue")
    file = table(
        tmp_path / "x" / "list.csv",
        "\ufeffpath, label ,note,group",
        'cat/0.png,cat,"a, b",g1',
        "",
        f"{tmp_path}/far/1.png,dog,,g2",
        "cat/1.png,cat,,g1",
    )
    dataset = load(file)
    assert dataset.classes == ("cat", "dog")
    assert dataset.labels.tolist() == [0, 1, 0]
    assert dataset.groups == ("g1", "g2", "g1")
    assert dataset.images[1, :, 0, 0].tolist() == [0, 0, 255]
    assert (
        message(file, groups="(g)") == f"{file}: has a column 'group', so the option 'groups' cannot be given as well"
    )
    assert message(file, "test") == f"{file}: has no test part; name a folder or CSV with the option 'test'"
    other = table(tmp_path / "x" / "test.csv", "path,label,group", "dog/0.png,dog,g3")
    assert load(file, "test", test=str(other)).labels.tolist() == [1]


def test_every_wrong_line_of_a_table_is_named(tmp_path: Path) -> None:
    animals(tmp_path)
    file = table(
        tmp_path / "list.csv",
        "path,label,group",
        "cat/0.png,cat,1",
        "cat/9.png,cat,1",
        "cat/1.png,,1",
        "dog/0.png,dog",
        ",,2",
        "cat/0.png,dog,1",
    )
    assert message(file).splitlines() == [
        f"{file}:3: no such file: {tmp_path}/cat/9.png",
        f"{file}:4: no label",
        f"{file}:5: no group",
        f"{file}:6: no path and no label",
        f"{file}:7: cat/0.png is given twice; first on line 2",
    ]
    table(file, "path,label", *(f"none{n}.png,cat" for n in range(15)))
    assert message(file).splitlines()[9:] == [f"{file}:11: no such file: {tmp_path}/none9.png", "and 5 lines more"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ":1: no column 'path'; the first line has nothing, expected path,label[,group]."),
        (b"path,class\n", ":1: no column 'label'; the first line has path, class, expected path,label[,group]."),
        (
            b"paths,label\n",
            ":1: no column 'path'; the first line has paths, label, expected path,label[,group]. Did you mean 'paths'?",
        ),
        (
            b"path;label\n",
            ":1: no column 'path'; the first line has path;label, expected path,label[,group]."
            " Separate the columns with commas.",
        ),
        (b"path,label,label\n", ":1: the column 'label' is given twice"),
        (b"path,label\n", ": has a header and no rows"),
        (b"path,label\n\xff\xfe,cat\n", ": is not UTF-8 text (byte 11)"),
        (b'path,label\n"' + b"x" * 200_000 + b'",cat\n', ": is not a CSV file: field larger than field limit (131072)"),
        (b"path,label\na\0b,cat\n", None),
    ],
)
def test_a_table_that_is_none(tmp_path: Path, content: bytes, said: str | None) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(content)
    text = message(file)
    assert text.startswith(str(file))
    assert said is None or text == f"{file}{said}"


@given(content=st.text(st.characters(codec="utf-8"), max_size=60))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_as_a_table_is_an_error_of_ours(tmp_path: Path, content: str) -> None:
    file = tmp_path / "list.csv"
    file.write_text("path,label\n" + content, encoding="utf-8")
    assert message(file).startswith(str(file))


# the cache


def test_the_cache_is_used_and_follows_every_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = animals(tmp_path / "x")
    reads: list[Path] = []
    original = folder_module.read_image

    def counted(path: Path, **options: object) -> torch.Tensor:
        reads.append(path)
        return original(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(folder_module, "read_image", counted)

    def decoded(**options: object) -> int:
        reads.clear()
        load(root, **options)
        return len(reads)

    assert decoded() == 9
    assert decoded() == folder_module.COMPARED
    assert decoded(cache=False) == 9
    assert decoded(size=4) == decoded(channels=1) == decoded(fit="pad") == 9
    assert decoded(size=[8, 6]) == decoded(interpolation="bicubic") == decoded(crop_share=0.5) == 9
    assert decoded(size=[8, 8]) == decoded(fit="letterbox") == folder_module.COMPARED
    one_image(root / "cat" / "0.png", "white")
    assert decoded() == 9
    assert load(root).images[0].unique().tolist() == [255]
    (root / "cat" / "1.png").rename(root / "cat" / "5.png")
    assert decoded() == 9
    assert decoded() == folder_module.COMPARED
    for file in (tmp_path / "data" / "decoded").iterdir():
        file.write_bytes(b"damaged")
    assert decoded() == 9
    assert decoded() == folder_module.COMPARED


def test_images_of_any_shape_by_each_way_of_fitting(tmp_path: Path) -> None:
    root = tmp_path / "x"
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
        Image.fromarray(pixels).save(root / name / "0.png")
    image = torch.from_numpy(pixels).permute(2, 0, 1)
    for fit, meant in (("crop", "crop"), ("pad", "letterbox"), ("letterbox", "letterbox"), ("stretch", "stretch")):
        found = load(root, size=[8, 24], fit=fit)
        assert found.shape == (3, 8, 24)
        assert torch.equal(found.images[0], Fitting((8, 24), meant)(image))  # type: ignore[arg-type]
    found = load(root, size=[8, 24], interpolation="bicubic", crop_share=0.5)
    assert torch.equal(found.images[1], Fitting((8, 24), "crop", "bicubic", 0.5)(image))
    dataset = component("dataset", "folder", path="x", size=[8, 24], channels=1)
    assert image_of(dataset) == ((1, 8, 24), None)


def test_where_the_data_folder_cannot_be_written_the_user_s_cache_is(tmp_path: Path) -> None:
    root = animals(tmp_path / "x")
    (tmp_path / "data").touch()
    first = load(root)
    assert folder_module.platformdirs.user_cache_path("cnnlab").joinpath("decoded").is_dir()
    assert torch.equal(load(root).images, first.images)


def test_a_cache_of_other_images_is_not_believed(tmp_path: Path) -> None:
    root = animals(tmp_path / "x")
    first = load(root)
    (file,) = (tmp_path / "data" / "decoded").iterdir()
    with safe_open(file, framework="pt") as stored:
        facts, kept = stored.metadata(), stored.get_tensor("kept")
    black = Decoded(torch.zeros_like(first.images), kept, ())
    wanted = cache.Wanted(file.stem, facts["key"], 9, (3, 8, 8))
    cache.store(black, wanted, [file.parent])  # all that a forger who knows the format can do
    again = load(root)
    assert torch.equal(again.images, first.images)
    assert again.remarks == ("the cache of decoded images is not used: it has other images than the files",)
    assert load(root).remarks == ()


def test_what_is_no_file_is_left_out_and_named(tmp_path: Path) -> None:
    root = animals(tmp_path / "x")
    os.mkfifo(root / "cat" / "pipe.png")
    (root / "cat" / "zero.png").symlink_to("/dev/zero")
    (root / "dog" / "gone.png").symlink_to("nowhere.png")
    (root / "dog" / "loop.png").symlink_to("loop.png")
    with (root / "owl" / "large.png").open("wb") as file:
        file.truncate(20 * 10**9)
    dataset = load(root)
    assert len(dataset) == 9
    assert [sentence.removeprefix(f"{root}/") for sentence in dataset.skipped] == [
        "cat/pipe.png: cannot be read: it is a pipe (FIFO), and no file",
        "cat/zero.png: cannot be read: it is a device, and no file",
        "dog/gone.png: no such file",
        "dog/loop.png: cannot be read: Too many levels of symbolic links",
        "owl/large.png: cannot be read: it has more than 1,000,000,000 bytes",
    ]
