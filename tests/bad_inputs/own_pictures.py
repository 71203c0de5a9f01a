"""The user's own pictures: folders, CSVs and files that are wrong."""

from functools import partial
from pathlib import Path

from bad_inputs.case import MODEL, Case, Make, both, config, file
from bad_inputs.pictures import bomb, class_folders, float_tiff, png

from cnnlab.view import csv

STATS = "cnnlab data stats bad.yaml"
FOLDER = "data: {dataset: {folder: {path: pictures, size: 8}}}"
CSV = "data: {dataset: {folder: {path: pictures.csv, size: 8}}}"


def folders(*classes: str, count: int = 4) -> Make:
    """`pictures/CLASS/N.png`."""
    return lambda folder: class_folders(folder / "pictures", classes=classes, count=count)


def empty(*names: str) -> Make:
    """Folders without anything."""

    def make(folder: Path) -> None:
        for name in names:
            (folder / name).mkdir(parents=True)

    return make


def own(wrong: str, make: Make, message: str, *, text: str = FOLDER, command: str = STATS) -> Case:
    """The data set `folder`, with pictures that are wrong."""
    return config(
        wrong, text, message, rest=MODEL, make=make, command=command, content="" if text in (FOLDER, CSV) else text
    )


def table(wrong: str, content: str | bytes, message: str) -> Case:
    """The data set `folder`, with a CSV that is wrong; `pictures/cat/0.png` and the like are there."""
    make = both(folders("cat", "dog"), file("pictures.csv", content))
    return own(wrong, make, message, text=CSV)


def parts(**classes: str) -> Make:
    """`pictures/PART/CLASS/N.png`."""
    return both(*(partial(_part, part, names.split()) for part, names in classes.items()))


def _part(part: str, classes: list[str], folder: Path) -> None:
    class_folders(folder / "pictures" / part, classes=tuple(classes))


def two_test_classes(folder: Path) -> None:
    class_folders(folder / "pictures" / "train")
    class_folders(folder / "pictures" / "test", classes=("cat", "fox"))


OWN_PICTURES = (
    own(
        "no such folder",
        folders("cat", "dog"),
        "error: bad.yaml:1:18: dataset 'folder': picturs: no such folder or CSV file",
        text="data: {dataset: {folder: {path: picturs}}}",
    ),
    own(
        "a picture instead of a folder",
        file("one.png", png()),
        (
            "error: bad.yaml:1:18: dataset 'folder': one.png: expected a folder of class folders, or a "
            ".csv file with the columns path and label"
        ),
        text="data: {dataset: {folder: {path: one.png}}}",
    ),
    own(
        "an empty folder",
        empty("pictures"),
        (
            "error: bad.yaml:1:18: dataset 'folder': pictures: has no class folders; expected one folder "
            "per class, with its pictures inside"
        ),
    ),
    own(
        "pictures in no class folder",
        file("pictures/0.png", png()),
        (
            "error: bad.yaml:1:18: dataset 'folder': pictures: has no class folders; expected one folder "
            "per class, with its pictures inside"
        ),
    ),
    own(
        "class folders without pictures",
        empty("pictures/cat", "pictures/dog"),
        (
            "error: bad.yaml:1:18: dataset 'folder': pictures: no pictures in its class folders; their "
            "names should end in .jpg, .jpeg, .jfif, .png, .apng, .gif, .bmp, .tif, .tiff, .webp, .avif, "
            ".ppm, .pgm, .pbm, .pnm, .jp2, .mpo, .tga, .ico"
        ),
    ),
    own(
        "one class only",
        folders("cat"),
        ("error: bad.yaml:1:18: dataset 'folder': pictures: has one class only (cat); a classifier needs at least two"),
    ),
    own(
        "an empty class",
        both(folders("cat", "dog"), empty("pictures/fox")),
        ("error: bad.yaml:1:18: dataset 'folder': pictures: no pictures in the class folder fox; fill it or remove it"),
    ),
    own(
        "an empty class in the validation part",
        both(parts(train="cat dog", val="cat", test="cat dog"), empty("pictures/val/dog")),
        (
            "error: bad.yaml:1:18: dataset 'folder': pictures/val: no pictures in the class folder dog; "
            "fill it or remove it"
        ),
    ),
    own(
        "a class of the validation part that the training part lacks",
        parts(train="cat dog", val="cat dogs", test="cat dog"),
        (
            "error: bad.yaml:1:18: dataset 'folder': pictures/val: has the class dogs, which the training part "
            "lacks; it has cat, dog. Did you mean 'dog'?"
        ),
    ),
    own(
        "two folders that may both be the validation part",
        parts(train="cat dog", val="cat dog", dev="cat dog"),
        (
            "error: bad.yaml:1:18: dataset 'folder': pictures: has dev/ and val/, which are all called like the "
            "validation part; name one with the option 'validation', such as validation: dev"
        ),
        command="cnnlab train bad.yaml",
    ),
    own(
        "parts beside a folder that may be a class",
        parts(train="cat dog", val="cat dog", more="cat dog"),
        (
            "error: bad.yaml:1:18: dataset 'folder': pictures: has train/ and val/, called like parts, and more/, "
            "called like classes; name the parts with the options 'train', 'validation' and 'test' (train: . where "
            "every folder is a class)"
        ),
    ),
    own(
        "one folder as two parts",
        parts(train="cat dog", val="cat dog"),
        ("error: bad.yaml:1:18: dataset 'folder': pictures/val: is the validation part and the test part at once"),
        text="data: {dataset: {folder: {path: pictures, validation: val, test: val}}}",
    ),
    own(
        "a validation part that is not there",
        parts(train="cat dog", val="cat dog"),
        ("error: bad.yaml:1:18: dataset 'folder': 'validation' is 'vall', and there is no pictures/vall nor vall"),
        text="data: {dataset: {folder: {path: pictures, validation: vall}}}",
    ),
    own(
        "a folder in place of the share for validation",
        parts(train="cat dog", val="cat dog"),
        (
            "error: bad.yaml:1:45: 'validation': 'val' is no share of the training part, such as 0.1; the folder of "
            "a validation part is an option of the data set: dataset: {folder: {path: …, validation: val}}"
        ),
        text="data: {dataset: {folder: {path: pictures}}, validation: val}",
    ),
    own(
        "config check of pictures that are not there",
        folders("cat", "dog"),
        "error: bad.yaml:1:18: dataset 'folder': picturs: no such folder or CSV file",
        text="data: {dataset: {folder: {path: picturs}}}",
        command="cnnlab config check bad.yaml",
    ),
    own(
        "one picture in a class",
        both(folders("cat", "dog"), file("pictures/fox/0.png", png())),
        (
            "error: the class 'fox' of folder has a single picture, which cannot be in both parts; add "
            "pictures, leave the class out, or use a validation fraction of 0"
        ),
    ),
    own(
        "every picture of a class corrupt",
        both(folders("cat"), file("pictures/dog/0.png", png()[:40]), file("pictures/dog/1.png", b"")),
        (
            "error: bad.yaml:1:18: dataset 'folder': 2 of 6 pictures in pictures cannot be read, so the "
            "class dog has none left:\n"
            "error:   pictures/dog/0.png: is no picture of a known format (JPEG, PNG, GIF, BMP, TIFF, "
            "WEBP, AVIF, PPM, JPEG2000, TGA, ICO)\n"
            "error:   pictures/dog/1.png: is empty"
        ),
    ),
    own(
        "a corrupt picture where that is fatal",
        both(folders("cat", "dog"), file("pictures/dog/9.png", png()[:40])),
        (
            "error: bad.yaml:1:18: dataset 'folder': 1 of 9 pictures in pictures cannot be read "
            "('on_error: skip' would leave them out):\n"
            "error:   pictures/dog/9.png: is no picture of a known format (JPEG, PNG, GIF, BMP, TIFF, "
            "WEBP, AVIF, PPM, JPEG2000, TGA, ICO)"
        ),
        text="data: {dataset: {folder: {path: pictures, size: 8, on_error: fatal}}}",
    ),
    own(
        "text files called .png",
        both(*(file(f"pictures/{name}/{k}.png", "hello") for name in ("cat", "dog") for k in range(2))),
        (
            "error: bad.yaml:1:18: dataset 'folder': 4 of 4 pictures in pictures cannot be read, so the "
            "class cat has none left:\n"
            "error:   pictures/cat/0.png: is no picture of a known format (JPEG, PNG, GIF, BMP, TIFF, "
            "WEBP, AVIF, PPM, JPEG2000, TGA, ICO)\n"
            "error:   pictures/cat/1.png: is no picture of a known format (JPEG, PNG, GIF, BMP, TIFF, "
            "WEBP, AVIF, PPM, JPEG2000, TGA, ICO)\n"
            "error:   pictures/dog/0.png: is no picture of a known format (JPEG, PNG, GIF, BMP, TIFF, "
            "WEBP, AVIF, PPM, JPEG2000, TGA, ICO)\n"
            "error:   pictures/dog/1.png: is no picture of a known format (JPEG, PNG, GIF, BMP, TIFF, "
            "WEBP, AVIF, PPM, JPEG2000, TGA, ICO)"
        ),
    ),
    own(
        "a test class that training lacks",
        two_test_classes,
        (
            "error: bad.yaml:1:18: dataset 'folder': pictures/test: has the class fox, which the training"
            " part lacks; it has cat, dog"
        ),
        command="cnnlab data leaks bad.yaml --with-test",
    ),
    own(
        "no test part",
        folders("cat", "dog", count=20),
        (
            "error: bad.yaml:1:18: dataset 'folder': pictures: has no test part; divide it into "
            "pictures/train and pictures/test, or name a folder or CSV with the option 'test'"
        ),
        command="cnnlab data leaks bad.yaml --with-test",
    ),
    own(
        "a pattern for groups that is no regular expression",
        folders("cat", "dog"),
        (
            "error: bad.yaml:1:43: 'groups': (cat is not a regular expression: missing ), unterminated "
            "subpattern at position 0"
        ),
        text="data: {dataset: {folder: {path: pictures, groups: '(cat'}}}",
    ),
    own(
        "a pattern for groups without a capture",
        folders("cat", "dog"),
        "error: bad.yaml:1:43: 'groups': cat captures 0 parts, expected one, such as (patient\\d+)",
        text="data: {dataset: {folder: {path: pictures, groups: cat}}}",
    ),
    own(
        "a pattern for groups that does not match",
        folders("cat", "dog"),
        (
            "error: bad.yaml:1:18: dataset 'folder': 'groups': (patient[0-9]+) does not match 8 of 8 "
            "paths, such as cat/0.png"
        ),
        text="data: {dataset: {folder: {path: pictures, groups: '(patient[0-9]+)'}}}",
    ),
    own(
        "a group for each class, so that no split is possible",
        folders("cat", "dog"),
        (
            "error: whichever group of folder is kept for validation, some class is no longer in the "
            "training part, because all of its pictures belong to that group; use finer groups, or a "
            "validation fraction of 0"
        ),
        text="data: {dataset: {folder: {path: pictures, size: 8, groups: '(cat|dog)'}}}",
    ),
    own(
        "pictures of no size",
        folders("cat", "dog"),
        "error: bad.yaml:1:43: 'size' is '0', expected at least 1",
        text="data: {dataset: {folder: {path: pictures, size: 0}}}",
    ),
    own(
        "two channels",
        folders("cat", "dog"),
        "error: bad.yaml:1:43: 'channels' is '2', expected 1 or 3",
        text="data: {dataset: {folder: {path: pictures, channels: 2}}}",
    ),
    table(
        "a CSV without the column label",
        "path,class\npictures/cat/0.png,cat\n",
        (
            "error: bad.yaml:1:18: dataset 'folder': pictures.csv:1: no column 'label'; the first line "
            "has path, class, expected path,label[,group]."
        ),
    ),
    table(
        "a CSV with semicolons",
        "path;label\npictures/cat/0.png;cat\n",
        (
            "error: bad.yaml:1:18: dataset 'folder': pictures.csv:1: no column 'path'; the first line has"
            " path;label, expected path,label[,group]. Separate the columns with commas."
        ),
    ),
    table(
        "a CSV with a header and no rows",
        "path,label\n",
        "error: bad.yaml:1:18: dataset 'folder': pictures.csv: has a header and no rows",
    ),
    table(
        "an empty CSV",
        "",
        (
            "error: bad.yaml:1:18: dataset 'folder': pictures.csv:1: no column 'path'; the first line has"
            " nothing, expected path,label[,group]."
        ),
    ),
    table(
        "a CSV whose lines are wrong in three ways",
        "path,label\npictures/cat/0.png,cat\npictures/cat/7.png,cat\npictures/dog/0.png\npictures/cat/0.png,cat\n",
        (
            "error: bad.yaml:1:18: dataset 'folder': pictures.csv:3: no such file: pictures/cat/7.png\n"
            "error: pictures.csv:4: no label\n"
            "error: pictures.csv:5: pictures/cat/0.png is given twice; first on line 2"
        ),
    ),
    table(
        "a CSV of one class",
        "path,label\npictures/cat/0.png,cat\npictures/cat/1.png,cat\n",
        (
            "error: bad.yaml:1:18: dataset 'folder': pictures.csv: has one class only (cat); a classifier"
            " needs at least two"
        ),
    ),
    table(
        "a CSV in UTF-16",
        "path,label\n".encode("utf-16"),
        "error: bad.yaml:1:18: dataset 'folder': pictures.csv: is not UTF-8 text (byte 0)",
    ),
    table(
        "a CSV with a column twice",
        "path,label,label\npictures/cat/0.png,cat,cat\n",
        "error: bad.yaml:1:18: dataset 'folder': pictures.csv:1: the column 'label' is given twice",
    ),
)

PREDICT = "cnnlab predict tiny --csv"


def picture(wrong: str, name: str, content: bytes | str, message: str) -> Case:
    """A picture to predict that cannot be read."""
    reason = message.partition(f"unreadable: {name}: ")[2]
    return Case(
        wrong,
        f"{PREDICT} {name}",
        message,
        exit_code=1,
        make=file(name, content),
        run=True,
        stdout=f"path,label,probability,error\n{csv.text([[name, '', '', reason]])}".rstrip(),
    )


OWN_PICTURES += (
    picture("a file of no bytes", "a.png", b"", ("0 pictures, N a second\nunreadable: a.png: is empty")),
    picture(
        "a text called .png",
        "a.png",
        "hello",
        (
            "0 pictures, N a second\n"
            "unreadable: a.png: is no picture of a known format (JPEG, PNG, GIF, BMP, TIFF, WEBP, AVIF, "
            "PPM, JPEG2000, TGA, ICO)"
        ),
    ),
    picture(
        "a picture that was cut off",
        "a.png",
        png(size=64)[:120],
        ("0 pictures, N a second\nunreadable: a.png: is damaged: image file is truncated"),
    ),
    picture(
        "a picture of 2,500 million pixels in 100 bytes",
        "a.png",
        bomb(),
        (
            "0 pictures, N a second\n"
            "unreadable: a.png: has 2,500,000,000 pixels, and at most 80,000,000 are read; make it "
            "smaller first"
        ),
    ),
    picture(
        "a TIFF of 32-bit floats",
        "a.tiff",
        float_tiff(),
        (
            "0 pictures, N a second\n"
            "unreadable: a.tiff: has 32-bit values (mode F), whose range is unknown; save it with 8 or 16"
            " bits per channel"
        ),
    ),
    picture(
        "a PostScript file called .jpg",
        "a.jpg",
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n",
        (
            "0 pictures, N a second\n"
            "unreadable: a.jpg: is no picture of a known format (JPEG, PNG, GIF, BMP, TIFF, WEBP, AVIF, "
            "PPM, JPEG2000, TGA, ICO)"
        ),
    ),
    Case(
        "a corrupt picture among good ones: it is named, the others are labelled",
        f"{PREDICT} a.png b.png c.png --reject-below 1",
        (
            "2 pictures, N a second\n"
            "unreadable: b.png: is no picture of a known format (JPEG, PNG, GIF, BMP, TIFF, WEBP, AVIF, "
            "PPM, JPEG2000, TGA, ICO)"
        ),
        exit_code=1,
        make=both(file("a.png", png(1)), file("b.png", b"no picture"), file("c.png", png(2))),
        run=True,
        stdout=(
            "path,label,probability,error\n"
            "a.png,,P,\n"
            'b.png,,,"is no picture of a known format (JPEG, PNG, GIF, BMP, TIFF, WEBP, AVIF, PPM, '
            'JPEG2000, TGA, ICO)"\n'
            "c.png,,P,"
        ),
    ),
    Case("no such picture", f"{PREDICT} absent.png", "error: absent.png: no such picture, folder or pattern", run=True),
    Case(
        "a pattern that matches nothing",
        f"{PREDICT} '*.webp'",
        "error: *.webp: no such picture, folder or pattern",
        run=True,
    ),
    Case(
        "a folder without pictures",
        f"{PREDICT} empty",
        (
            "error: empty: no pictures in this folder (.jpg, .jpeg, .jfif, .png, .apng, .gif, .bmp, .tif,"
            " .tiff, .webp, .avif, .ppm, .pgm, .pbm, .pnm, .jp2, .mpo, .tga, .ico)"
        ),
        make=empty("empty"),
        run=True,
    ),
    Case(
        "standard input that names nothing",
        f"{PREDICT} -",
        "error: no pictures to predict: standard input named none",
        run=True,
    ),
    Case(
        "standard input that names a file which is not there",
        f"{PREDICT} -",
        "error: absent.png: no such picture, folder or pattern",
        run=True,
        stdin=b"absent.png\n",
    ),
)
