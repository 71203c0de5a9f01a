"""What a report of explanations shows and says: overlays, absences, titles, tables; names are words, never markup."""

import numpy as np
import pytest

from cnnlab.attribution.report import MapEntry, ShownImage, ShownMap, attribution_report, map_table, overlay
from cnnlab.view import console, html, png
from cnnlab.view.blocks import Figure, Report, Text, figures
from cnnlab.view.scenes import Scenes

EVIL = "<script>alert('x')</script>[red]"


def shown_map(
    heat: np.ndarray, method: str = "gradcam", *, target: str = "cat", evident: bool | None = None
) -> ShownMap:
    there = bool((heat > 0).any()) if evident is None else evident
    return ShownMap(method, ("conv2",), target, 0.25, heat.astype(np.float64), there)


def one_image(*maps: ShownMap, seen: tuple[int, int, int, int] | None = None, name: str = "a/b.png") -> ShownImage:
    image = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    return ShownImage(name, image, seen, "dog", "cat", 0.75, maps)


HEAT = np.linspace(-1, 2, 48).reshape(6, 8)


def test_a_cam_shows_what_speaks_for_the_class() -> None:
    scene = overlay(one_image(), shown_map(HEAT))
    assert scene.heat is not None
    assert (scene.heat_scale, scene.heat_label) == ("positive", "evidence for cat")
    assert scene.heat.min() == 0
    assert scene.heat.max() == HEAT.max()
    assert scene.image is not None
    assert (scene.image == one_image().image).all()


def test_a_signed_pixel_method_shows_both_signs_on_pale_grey() -> None:
    heat = HEAT.copy()
    heat[0, 0] = -40.0
    scene = overlay(one_image(), shown_map(heat, "integrated_gradients"))
    assert (scene.heat_scale, scene.heat_label) == ("signed", "for (+) or against (−) cat")
    assert scene.heat_range is not None
    assert scene.heat_range[0] == -scene.heat_range[1]
    assert scene.heat_range[1] == pytest.approx(np.percentile(np.abs(heat), 99))
    assert scene.image is not None
    assert scene.image.shape == (6, 8, 1)
    assert scene.image.min() >= 127


def test_the_colours_of_one_pixel_alone() -> None:
    heat = np.zeros((40, 40))
    heat[3, 3] = 2.0
    image = np.zeros((40, 40, 3), dtype=np.uint8)
    scene = overlay(ShownImage("p", image, None, None, "cat", 1.0, ()), shown_map(heat, "gradient"))
    assert scene.heat_range == (0.0, 2.0)


@pytest.mark.parametrize(
    ("heat", "method", "evident", "said"),
    [
        (-np.ones((6, 8)), "gradcam", False, "no positive evidence"),
        (np.zeros((6, 8)), "integrated_gradients", False, "no evidence"),
        (np.zeros((6, 8)), "gradcam", True, "all evidence lies in the bars beside the image"),
    ],
)
def test_what_is_not_there_is_said(heat: np.ndarray, method: str, evident: bool, said: str) -> None:
    scene = overlay(one_image(), shown_map(heat, method, evident=evident))
    assert not scene.has_heat
    assert scene.absence == said
    png.encode(Figure("p", "p", scene))


def test_what_the_network_did_not_see_is_framed_and_clear() -> None:
    heat = HEAT.copy()
    heat[:, :2] = np.nan
    scene = overlay(one_image(), shown_map(heat))
    assert scene.boxes == ()
    scene = overlay(one_image(seen=(0, 5, 2, 7)), shown_map(heat))
    assert [(box.first_column, box.last_column) for box in scene.boxes] == [(2, 7)]
    assert scene.heat is not None
    assert np.isnan(scene.heat[:, :2]).all()


def test_other_methods_have_their_own_words() -> None:
    assert overlay(one_image(), shown_map(HEAT, "eigencam")).heat_label == "what most channels share"
    assert overlay(one_image(), shown_map(HEAT, "counterfactual_gradcam")).heat_label == "evidence against cat"


def entry(path: str = "a/b.png", **more: object) -> MapEntry:
    facts: dict[str, object] = {
        "path": path, "predicted": "cat", "probability": 0.75, "truth": None, "target": "cat",
        "target_probability": 0.75, "score": 1.5, "method": "gradcam", "layers": ("a", "b"), "raw": "x.npy",
        "raw_channels": None, "overlay": "x.png", "evident": True, "peak": (3, 4), "metrics": None,
    }  # fmt: skip
    return MapEntry(**(facts | more))  # type: ignore[arg-type]


def test_the_table_has_the_columns_that_say_something() -> None:
    plain = map_table([entry(), entry(evident=False, peak=None)])
    assert [column.title for column in plain.columns] == ["image", "predicted", "method", "peak"]
    assert [row[-1] for row in plain.rows] == ["3, 4", None]
    assert "Without positive evidence: 1 of 2 maps." in plain.note
    other = map_table([entry(target="dog", target_probability=0.1, truth="dog")])
    assert [column.title for column in other.columns] == [
        "image",
        "truth",
        "predicted",
        "evidence for",
        "method",
        "peak",
    ]
    measured = map_table([entry(metrics={"gain": 0.5, "road": None, "border": 0.25})])
    assert [column.title for column in measured.columns][-4:] == ["gain", "ROAD", "object", "border"]
    assert measured.rows[0][-4:] == (0.5, None, None, 0.25)


def test_an_entry_as_json() -> None:
    found = entry().as_json()
    assert found["layer"] == "a+b"
    assert "layers" not in found
    assert entry(layers=()).as_json()["layer"] is None


def report(*shown: ShownImage, count: int | None = None) -> Report:
    return attribution_report(
        shown,
        title="What net looks at",
        lead="lead",
        cautions=["random"],
        notes=["random", "another"],
        layers=(),
        asked=False,
        count=count or len(shown),
        rows=map_table([entry(EVIL, predicted=EVIL, target=EVIL)]),
        trust=[],
        provenance={"network": EVIL},
    )


def test_rows_are_images_and_columns_are_maps() -> None:
    maps = (shown_map(HEAT), shown_map(HEAT, target="dog"))
    found = figures(report(*[one_image(*maps, name=f"some/folder/{i}.png") for i in range(8)], count=9))
    assert [one.name for one in found] == ["maps", "maps_2"]
    drawings = [one.drawing for one in found]
    assert all(isinstance(drawing, Scenes) for drawing in drawings)
    first = drawings[0]
    assert isinstance(first, Scenes)
    assert first.column_titles == ("image", "Grad-CAM, answer 1", "Grad-CAM, answer 2")
    assert first.row_labels == tuple(f"folder/{i}.png" for i in range(6))
    alone, same, other = first.scenes[:3]
    assert alone.heat is None
    assert alone.caption == "predicted cat 75.0\N{NO-BREAK SPACE}%\ntrue dog"
    assert (same.caption, other.caption) == ("", "for dog 25.0\N{NO-BREAK SPACE}%")
    assert "8 of 9 images are drawn here" in found[-1].caption
    texts = [block for block in report(one_image(*maps)).blocks if isinstance(block, Text)]
    assert [text.text for text in texts if text.tone == "caution"] == ["random"]
    assert [text.text for text in texts if text.tone == "note"][-1] == "another", "a caution is not said twice"


def test_names_are_words_and_never_markup() -> None:
    evil = ShownImage(EVIL, one_image().image, None, EVIL, EVIL, 0.5, (shown_map(HEAT, target=EVIL),))
    page = html.page(report(evil))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    from io import StringIO

    from rich.console import Console

    out = StringIO()
    console.show(report(evil), Console(file=out, width=300))
    assert EVIL in out.getvalue()
