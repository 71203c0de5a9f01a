import base64
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from cnnlab.core.characters import printable, shortened
from cnnlab.view import html, png
from cnnlab.view.blocks import Column, Figure, Report, Section, SummaryLine, Table, Text

VOID = {"meta", "img", "input", "source", "link", "br", "hr"}


class Reader(HTMLParser):
    """Collects tags with their attributes and refuses what is not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def page(report: Report, every_figure: tuple[Figure, ...]) -> str:
    """With the first figure as it is drawn, and a stand-in for the others, which are looked at in `test_png`."""
    first, *others = every_figure
    both = png.drawn(first)
    return html.page(report, {figure.name: both for figure in others})


def test_the_page_needs_nothing_else(page: str, every_figure: tuple[Figure, ...]) -> None:
    reader = Reader(page)
    assert "http:" not in page
    assert "https:" not in page
    assert "url(" not in page
    assert "@import" not in page
    assert not reader.all("script")
    assert not reader.all("link")
    sources = [image["src"] for image in reader.all("img")] + [source["srcset"] for source in reader.all("source")]
    assert len(sources) == 2 * len(every_figure), "on light and on dark paper"
    for source in sources:
        kind, _, data = source.partition(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data).startswith(b"\x89PNG")
    assert "default-src 'none'" in page


def test_names_are_text_and_never_tags(page: str) -> None:
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<title>A &lt;b&gt;report&lt;/b&gt;</title>" in page
    assert "\x1b" not in page
    nasty_alt = Report('"><img src=x onerror=alert(1)>', (Text("'\"&"),))
    assert not Reader(html.page(nasty_alt)).all("img")


def test_the_page_can_be_read_without_eyes_and_without_a_mouse(page: str) -> None:
    reader = Reader(page)
    assert reader.all("html")[0]["lang"] == "en"
    assert all(len(image["alt"]) > 20 for image in reader.all("img"))
    assert all(head["scope"] in ("col", "row") for head in reader.all("th"))
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in reader.tags:
        assert attributes.get("aria-labelledby", ids[0]) in ids
        if attributes.get("href", "").startswith("#"):
            assert attributes["href"][1:] in ids
    assert [a["tabindex"] for _, a in reader.tags if "scroll" in a.get("class", "")] == ["0"]
    levels = [int(tag[1]) for tag, _ in reader.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))


def test_cells_are_written_as_in_every_renderer(page: str) -> None:
    assert '<td class="right">84.5\N{NO-BREAK SPACE}%</td>' in page
    assert '<td class="right">–</td>' in page
    assert '<th scope="col" class="right">time (s)</th>' in page


def test_three_sections_have_contents() -> None:
    sections = tuple(Section(name, (Text("x"),)) for name in "abc")
    assert "<nav" in html.page(Report("r", sections))
    assert "<nav" not in html.page(Report("r", sections[:2]))


@pytest.fixture(scope="module")
def summarised() -> Report:
    evaluation = Section(
        "Evaluation <b>", (Text("x"), Section("Calibration", (Text("y"),), "calibration")), "evaluation"
    )
    wide = Table("Wide", tuple(Column(f"column {n}") for n in range(9)), (tuple(range(9)),))
    lines = (
        SummaryLine("How good is it?", "of 3 <i>images</i> are right.", "84.5 %", "evaluation"),
        SummaryLine("How sure is it?", "calibration error.", "2.0 %", "calibration", tone="good"),
        SummaryLine("Can that be trusted?", "Not on this page; it comes with", command="cnnlab report '<u>'"),
    )
    return Report("r", (evaluation, Section("Epochs", (wide,)), Section("Raw data", ())), summary=lines)


def test_each_line_of_a_summary_leads_into_its_section_or_says_how_to_get_one(summarised: Report) -> None:
    page = html.page(summarised)
    reader = Reader(page)
    summary = page[page.index('<section class="summary"') : page.index("<nav")]
    links = re.findall('href="#([^"]*)"', summary)
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert links == [html.anchor("evaluation"), html.anchor("calibration")]
    assert set(links) <= set(ids)
    assert '<strong class="good">2.0 %</strong> calibration error.' in summary
    assert "<code>cnnlab report &#39;&lt;u&gt;&#39;</code>" in summary
    assert "<i>" not in page


def test_sections_are_folded_below_a_summary_and_open_without_one(summarised: Report) -> None:
    folds = Reader(html.page(summarised)).all("details")
    assert folds == [{}] * 3
    bare = Report(summarised.title, summarised.blocks)
    assert Reader(html.page(bare)).all("details") == [{"open": ""}] * 3


def test_what_a_link_leads_to_lies_within_what_it_opens(summarised: Report) -> None:
    """A browser opens the folds around the place that a link leads to, and never one that is that place itself."""
    page = html.page(summarised)
    for target in re.findall('href="#(part-[^"]*)"', page):
        before = page[: page.index(f'id="{target}"')]
        assert before.count("<details") - before.count("</details") == 1
        assert before.rindex("</summary>") > before.rindex("<details"), target


def test_every_section_is_in_the_contents(summarised: Report) -> None:
    page = html.page(summarised)
    contents = page[page.index("<nav") : page.index("</nav>")]
    titles = re.findall(">([^<>]+)</a>", contents)
    assert titles == ["Evaluation &lt;b&gt;", "Calibration", "Epochs", "Raw data"]
    ids = [attributes["id"] for _, attributes in Reader(page).tags if "id" in attributes]
    assert set(re.findall('href="#([^"]*)"', contents)) <= set(ids)


def test_printable_takes_the_power_from_characters() -> None:
    assert printable("a\x1b[2J\u202eb\nc\ud800") == r"a\x1b[2J\u202eb\nc\ud800"
    assert printable("a\nb", keep="\n") == "a\nb"
    assert printable("naïve 猫 👍🏽") == "naïve 猫 👍🏽"


def test_shortened_keeps_both_ends() -> None:
    assert shortened("abcdefghij", 5) == "ab…ij"
    assert shortened("abc", 3) == "abc"
    assert shortened("abc", 1) == "…"
