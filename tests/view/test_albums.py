"""Albums: what is seen for which choice, that nothing runs, and that names are only names."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from cnnlab.view import html, json, tensorboard
from cnnlab.view.blocks import Report
from cnnlab.view.drawings import Relief, Surface
from cnnlab.view.interactive import Album, CellAlbum, Choice, Shot, Turntable
from cnnlab.view.png.heat import overlay
from cnnlab.view.scenes import Scene

GREY = np.full((4, 4, 3), 128, np.uint8)
PLAIN = Scene((4, 4), image=GREY)


def example() -> Album:
    choices = (Choice("method", ("gradcam", "<b>saliency</b>")), Choice("target", ("cat", "dog", "eel")))
    shots = tuple(Shot((m, t), PLAIN, f"{m} {t}") for m in range(2) for t in range(3))
    return Album("maps", "Where it looks", choices, shots)


def page_of(*blocks: Album | CellAlbum | Turntable) -> str:
    return html.page(Report("Report", blocks))


def test_one_image_is_left_for_each_choice() -> None:
    """The rules hide all others: applied by hand as a browser does."""
    page = page_of(example())
    hidden_by = re.findall(r":has\(#maps-(\d)-(\d):checked\) \.shot:not\(\.o(\d)-(\d)\)", page)
    shots = re.findall(r'class="shot ([^"]*)"', page)
    for method in range(2):
        for target in range(3):
            left = [set(shot.split()) for shot in shots]
            for number, place, other, its in hidden_by:
                assert (number, place) == (other, its)
                if (method, target)[int(number)] == int(place):
                    left = [shot for shot in left if f"o{number}-{place}" in shot]
            assert left == [{f"o0-{method}", f"o1-{target}"}]


def test_buttons_are_grouped_named_and_one_is_chosen() -> None:
    page = page_of(example())
    assert page.count("<fieldset>") == page.count("<legend>") == 2
    assert page.count(" checked>") == 2
    assert len(set(re.findall(r'id="(maps-\d-\d)"', page))) == 5
    assert all("alt=" in image for image in re.findall(r"<img [^>]*>", page))


def test_names_are_escaped_and_nothing_runs() -> None:
    report = Report("Report", (example(), cell_example()))
    page = html.page(report)
    assert "<b>" not in page
    assert "<script" not in page
    assert "&lt;b&gt;saliency" in page


def cell_example() -> CellAlbum:
    return CellAlbum(
        "confusion", "Which is taken for which", np.array([[5, 1], [0, 7]]), ("<i>cat", "dog"), "truth", "answer",
        {(0, 1): (GREY,), (1, 1): (GREY, GREY)}, {(0, 1): ("84 %",)},
    )  # fmt: skip


def test_each_cell_with_images_leads_to_its_own() -> None:
    page = page_of(cell_example())
    links = re.findall(r'<a href="#(confusion-\d-\d)">', page)
    assert links == re.findall(r'<section class="cell" id="([^"]*)"', page) == ["confusion-0-1", "confusion-1-1"]
    assert "taken for dog: 1<" in page
    assert "dog, rightly: 7, 2 of them shown" in page
    assert "<i>" not in page


def test_documents_have_the_facts_and_no_pixels() -> None:
    report = Report("Report", (example(), cell_example()))
    document = json.document(report)
    assert document["blocks"][0]["shots"][4] == {"options": [1, 1], "caption": "1 1"}
    assert document["blocks"][1]["counts"] == [[5, 1], [0, 7]]
    assert "Where it looks" in tensorboard.markdown(report)


@pytest.mark.parametrize("options", [(0,), (0, 3), (2, 0)])
def test_a_shot_chooses_one_option_of_each(options: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="the choices have"):
        Album("a", "A", example().choices, (Shot(options, PLAIN),))


def test_two_shots_in_one_place_are_refused() -> None:
    with pytest.raises(ValueError, match="two shots in the same place"):
        Album("a", "A", (Choice("one", ("x",)),), (Shot((0,), PLAIN), Shot((0,), PLAIN)))


def test_an_overlay_is_the_image_where_there_is_no_heat_and_heat_where_there_is() -> None:
    heat = np.zeros((4, 4))
    assert (overlay(Scene((4, 4), image=GREY, heat=heat, heat_label="x")) == 128).all()
    heat[1, 2] = 1.0
    made = overlay(Scene((4, 4), image=GREY, heat=heat, heat_label="x", interpolation="nearest"))
    times = made.shape[0] // 4
    changed = (made != 128).any(axis=2)
    expected = (heat > 0).repeat(times, axis=0).repeat(times, axis=1)
    assert (changed == expected).all()


def test_a_surface_turns_in_as_many_steps_as_it_has_views() -> None:
    heights = np.linspace(1, 2, 12).reshape(3, 4)
    surface = Surface(np.arange(4.0), np.arange(3.0), heights, "<b>x</b>", "y")
    page = page_of(Turntable("turning", "As a body", Relief(surface, "loss (nats)"), views=3))
    (style,) = re.findall(r'<div class="views"[^>]* style="([^"]*)"', page)
    views, width, height = (int(re.findall(rf"--{name}:(\d+)", style)[0]) for name in ("views", "width", "height"))
    strip = Image.open(io.BytesIO(base64.b64decode(re.findall(r"--light:url\([^,]*,([^)]*)\)", style)[0])))
    assert views == 3
    assert strip.size == (3 * width, height)
    frames = np.split(np.asarray(strip.convert("RGB")), 3, axis=1)
    assert not np.array_equal(frames[0], frames[1])
    assert "<b>" not in page
    with pytest.raises(ValueError, match="takes two to turn"):
        Turntable("turning", "As a body", Relief(surface, "loss"), views=1)
