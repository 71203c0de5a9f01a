"""Albums as HTML that needs no script: radio buttons and links do the switching, so keyboards and readers can, too.

What is chosen is shown by `:has()` and `:target` in the page's own style; on paper the first choice is printed.
"""

import base64
import html
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnnlab.core.characters import printable
from cnnlab.render.png.overlay import overlay
from cnnlab.reports.interactive import Album, CellAlbum, Choice

_COLOURS = 128
"""Of a picture in an album: enough that no step is seen in its heat."""

_TILE = 96
"""Pixels that the longer side of a picture behind a cell comes near to."""


def album(block: Album) -> str:
    """The choices as groups of radio buttons, and every picture, of which the chosen one is seen."""
    groups = []
    for number, choice in enumerate(block.choices):
        buttons = []
        for place, option in enumerate(choice.options):
            key = f"{block.name}-{number}-{place}"
            checked = " checked" if place == 0 else ""
            buttons.append(
                f'<label><input type="radio" name="{block.name}-{number}" id="{key}"{checked}>'
                f"<span>{_escaped(option)}</span></label>"
            )
        groups.append(f"<fieldset><legend>{_escaped(choice.title)}</legend>{''.join(buttons)}</fieldset>")
    shots = []
    for shot in block.shots:
        classes = " ".join(
            _class(number, place, choice)
            for number, (place, choice) in enumerate(zip(shot.options, block.choices, strict=True))
        )
        words = ", ".join(
            f"{choice.title}: {choice.options[place]}"
            for choice, place in zip(block.choices, shot.options, strict=True)
            if place is not None
        )
        alt = f"{block.title}. {words}. {shot.caption}"
        picture = inside(overlay(shot.scene), colours=_COLOURS)
        shots.append(
            f'<figure class="shot {classes}"><img loading="lazy" src="{picture}" alt="{_escaped(alt)}">'
            f"<figcaption>{_escaped(shot.caption)}</figcaption></figure>"
        )
    caption = f'<p class="note">{_escaped(block.caption)}</p>' if block.caption else ""
    return (
        f'<div class="album" id="{block.name}"><h4>{_escaped(block.title)}</h4><form>{"".join(groups)}</form>'
        f'<div class="shots" aria-live="polite">{"".join(shots)}</div>{caption}</div>\n<style>{_rules(block)}</style>\n'
    )


def _class(number: int, place: int | None, choice: Choice) -> str:
    """The names by which rules find a picture: of one option, or of all where the choice makes no difference."""
    places = range(len(choice.options)) if place is None else [place]
    return " ".join(f"o{number}-{place}" for place in places)


def _rules(block: Album) -> str:
    """A picture is hidden while another option than its own is chosen."""
    return "".join(
        f"#{block.name}:has(#{block.name}-{number}-{place}:checked) .shot:not(.o{number}-{place}){{display:none}}"
        for number, choice in enumerate(block.choices)
        for place in range(len(choice.options))
    )


def cells(block: CellAlbum) -> str:
    """The grid, its cells links to the pictures below it, of which those of the cell that was followed are seen."""
    heads = "".join(f'<th scope="col">{_escaped(label)}</th>' for label in block.labels)
    highest = max(1, int(block.counts.max()))
    rows, panels = [], []
    for row, label in enumerate(block.labels):
        made = []
        for column, other in enumerate(block.labels):
            count = int(block.counts[row, column])
            key = f"{block.name}-{row}-{column}"
            share = 100 * (count / highest) ** 0.5
            inner = (
                f'<a href="#{key}">{count:,}</a>' if block.images.get((row, column)) else f"{count:,}" if count else "·"
            )
            kind = "own" if row == column else "wrong"
            made.append(f'<td class="{kind}" style="--share:{share:.0f}%">{inner}</td>')
            if block.images.get((row, column)):
                panels.append(_panel(block, row, column, key, label, other, count))
        rows.append(f'<tr><th scope="row">{_escaped(label)}</th>{"".join(made)}</tr>')
    caption = f'<p class="note">{_escaped(block.caption)}</p>' if block.caption else ""
    return (
        f'<div class="cells" id="{block.name}"><div class="scroll" role="region" tabindex="0" '
        f'aria-labelledby="{block.name}-caption"><table class="grid"><caption id="{block.name}-caption">'
        f"{_escaped(f'{block.title} (rows: {block.row_title}, columns: {block.column_title})')}</caption>"
        f"<thead><tr><td></td>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>{caption}"
        f"{''.join(panels)}</div>\n"
    )


def _panel(block: CellAlbum, row: int, column: int, key: str, label: str, other: str, count: int) -> str:
    captions = block.captions.get((row, column), ())
    images = block.images[row, column]
    shown = "".join(
        f'<figure><img loading="lazy" src="{inside(_enlarged(image))}" alt="{_escaped(text or label)}">'
        f"<figcaption>{_escaped(text)}</figcaption></figure>"
        for image, text in zip(images, captions or ("",) * len(images), strict=True)
    )
    more = f", {len(images)} of them shown" if len(images) < count else ""
    title = f"{label} taken for {other}: {count:,}{more}" if row != column else f"{label}, rightly: {count:,}{more}"
    return (
        f'<section class="cell" id="{key}" tabindex="-1"><h4>{_escaped(title)}</h4><div class="tiles">{shown}</div>'
        f'<p><a href="#{block.name}">Back to the table</a></p></section>'
    )


def _enlarged(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    times = max(1, round(_TILE / max(image.shape[:2])))
    colours = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
    return colours.repeat(times, axis=0).repeat(times, axis=1)


def inside(image: NDArray[np.uint8], *, colours: int | None = None) -> str:
    """A picture as the address of itself; with `colours` of so many only, which makes it a third as large."""
    buffer = io.BytesIO()
    made = Image.fromarray(image)
    if colours is not None:
        made = made.quantize(colours, dither=Image.Dither.NONE)
    made.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _escaped(text: str) -> str:
    return html.escape(printable(text), quote=True)
