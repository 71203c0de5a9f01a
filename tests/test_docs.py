"""README.md, CONTRIBUTING.md and docs/ tell the truth: pages made from the code are current, links lead somewhere, and
the commands, options, targets and Python that they show are there."""

import doctest
import pkgutil
import re
import shlex
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from file_map import ROOT, sentence_of
from house import FOUNDATION, SUBJECTS
from make_docs import PAGES
from PIL import Image
from references import commands, components, config, methods
from references.markdown import anchors, code, prose

TEXTS = ("README.md", "CONTRIBUTING.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md")))
BY_HAND = tuple(name for name in TEXTS if name == "README.md" or name not in PAGES)
LONGEST = 150
"""Lines of the README."""


@cache
def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_is_made_from_the_code_is_current(name: str) -> None:
    assert PAGES[name]() == text_of(name), "run: python tests/make_docs.py (or: make docs)"


def test_the_readme_is_short() -> None:
    assert text_of("README.md").count("\n") <= LONGEST


def test_every_file_says_what_it_is() -> None:
    for path in (ROOT / "cnnlab").rglob("*.py"):
        assert sentence_of(path), path


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]+`", "", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def headings(text: str) -> list[str]:
    plain = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^#+ (.+)$", plain, re.MULTILINE)


def places_of(target: Path, text: str | None = None) -> list[str]:
    """The anchors of a page; `text`: what stands in it, where that is known."""
    return anchors(headings(target.read_text(encoding="utf-8") if text is None else text))


def broken_links(name: str, text: str) -> list[str]:
    """The local links and figures of a page that lead nowhere."""
    links = re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", without_code(text.replace("[`", "[").replace("`]", "]")))
    found = []
    for link in (a or b for a, b in links):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, place = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        if not target.exists() or (place and place not in places_of(target, text if not path else None)):
            found.append(link)
    return found


@pytest.mark.parametrize("name", TEXTS)
def test_links_and_figures_lead_somewhere(name: str) -> None:
    assert broken_links(name, text_of(name)) == []


def test_planted_broken_links_are_found() -> None:
    text = "# A b\n[x](#a-b) [`y`](#c) [z](docs/nowhere.md) ![](docs/none.png) [w](https://example.org)"
    assert broken_links("README.md", text) == ["#c", "docs/nowhere.md", "docs/none.png"]


def is_public(name: str) -> bool:
    """Whether `name` is what a package offers, such as `cnnlab.open`."""
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


def absent(text: str) -> list[str]:
    """Files, folders and modules of the project that a page names and that are not there."""
    spans = re.findall(r"`([^`\n]+)`", text)
    paths = [span for span in spans if re.fullmatch(r"(cnnlab|tests|docs|configs|benchmarks)/[\w./-]*", span)]
    modules = [span for span in spans if re.fullmatch(r"cnnlab(\.\w+)+", span)]
    gone = [name for name in modules if not list(ROOT.glob(f"{name.replace('.', '/')}*")) and not is_public(name)]
    return [path for path in paths if not (ROOT / path).exists()] + gone


@pytest.mark.parametrize("name", BY_HAND)
def test_the_files_and_modules_it_names_are_there(name: str) -> None:
    assert absent(text_of(name)) == []


def test_planted_names_of_files_are_found() -> None:
    assert absent("`cnnlab/core/files.py` `tests/nowhere.py` `cnnlab.walk.layouts` `cnnlab.walk.gone`") == [
        "tests/nowhere.py", "cnnlab.walk.gone"
    ]  # fmt: skip


def shown(text: str) -> Iterator[list[str]]:
    """The words of each command that a page shows, in code spans and in blocks."""
    spans = re.findall(r"`(cnnlab [^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    blocks = "\n".join(re.findall(r"^```(?:sh)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    lines = re.findall(r"^(?:\$ |.*?/bin/)?(cnnlab .*)$", blocks, re.MULTILINE)
    for line in (*spans, *lines):
        for part in re.split(r"&&|;| \| ", line.replace("\\|", "|")):
            words = shlex.split(part, comments=True)
            if words[:1] == ["cnnlab"] and len(words) > 1:
                yield words


@cache
def known() -> dict[str, set[str]]:
    """Every command with its options."""
    return {
        name: {word for p in command.params for word in (*p.opts, *p.secondary_opts)} | {"--help"}
        for name, command in commands.commands()
    }


def unknown(words: list[str]) -> list[str]:
    """What a command that is shown asks for and does not have."""
    if words[1].startswith("-") or words[1] == "COMMAND":
        return []
    name = f"cnnlab {words[1]}"
    inner = [each for each in known() if each.startswith(f"{name} ")]
    if name not in known() and not inner:
        return [name]
    names = [f"{name} {word}" for word in words[2].split("|")] if inner and len(words) > 2 else inner or [name]
    options = [word.split("=")[0] for word in words[2:] if word.startswith("--")]
    return [each for each in names if each not in known()] + [
        f"{each} {option}" for each in names if each in known() for option in options if option not in known()[each]
    ]


@pytest.mark.parametrize("name", BY_HAND)
def test_the_commands_and_options_it_shows_exist(name: str) -> None:
    assert [missing for words in shown(text_of(name)) for missing in unknown(words)] == []


def test_planted_commands_are_found() -> None:
    block = "```sh\ncnnlab visualize teeth\n$ cnnlab eval a --split test # b\n```"
    text = f"`cnnlab trian x`, `cnnlab train x --fast`\n{block}"
    assert [unknown(words) for words in shown(text)] == [
        ["cnnlab trian"], ["cnnlab train --fast"], ["cnnlab visualize teeth"], []
    ]  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test_the_targets_it_names_exist(name: str) -> None:
    makefile = text_of("Makefile")
    for target in re.findall(r"(?:`|^)make ([a-z]+)", text_of(name), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


NETWORK = """
from torch import nn

class ResNet(nn.Sequential):
    def __init__(self, depth):
        super().__init__(nn.Conv2d(3, depth, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(depth, 5))
"""


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.py").write_text(NETWORK, encoding="utf-8")
    monkeypatch.setattr(sys, "path", list(sys.path))
    own: dict[str, Any] = {}
    exec(NETWORK, own)
    torch.save({"state_dict": own["ResNet"](20).state_dict()}, tmp_path / "w.pt")
    Image.new("RGB", (40, 30), "red").save(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    source = re.search(r"```python\n(.*?)```", text_of("README.md"), re.DOTALL)
    assert source
    names: dict[str, Any] = {}
    exec(source[1], names)
    assert (tmp_path / "explained" / "index.html").is_file()
    methods = re.findall(r"`(?:net)?\.(\w+)\(", text_of("README.md"))
    assert len(methods) > 4
    assert all(callable(getattr(names["net"], method)) for method in methods)


def test_the_examples_in_python_are_right() -> None:
    found = doctest.testfile(str(ROOT / "docs" / "python.md"), module_relative=False)
    assert found.attempted > 10
    assert found.failed == 0


def test_the_levels_are_those_that_the_imports_are_held_to() -> None:
    rows = re.findall(r"^\| \d+ \| ([^|]*) \|", text_of("docs/architecture.md"), re.MULTILINE)
    assert [set(re.findall(r"`(\w+)`", row)) for row in rows[:-1]] == [
        *FOUNDATION,
        set(SUBJECTS),
        {"report"},
        {"textbook"},
    ]
    rule = re.search(r"(core < .*?) < subjects", text_of("CONTRIBUTING.md"), re.DOTALL)
    assert rule
    assert [set(level.split(", ")) for level in " ".join(rule[1].split()).split(" < ")] == list(FOUNDATION)


def test_every_key_of_a_config_has_a_sentence_and_a_row() -> None:
    page = text_of("docs/reference/config.md")
    for key, schema in config.all_keys():
        assert f"`{key}`" in page
        if "$ref" not in str(schema):
            assert schema.get("description"), key


def test_every_component_and_option_is_in_the_reference() -> None:
    page = text_of("docs/reference/layers.md")
    for kind in components.KINDS:
        for entry in components.listed(kind):
            part = page.split(f"\n## {components.title(kind)}\n")[1].split("\n## ")[0].split(f"\n### {entry.name}\n")[1]
            assert all(f"`{option.name}`" in part.split("\n### ")[0] for option in entry.options)


def test_every_method_is_in_the_reference_with_every_option() -> None:
    page = text_of("docs/reference/methods.md")
    for name in methods.METHODS:
        part = page.split(f"\n### {name}\n")[1].split("\n### ")[0]
        assert all(f"`{option.name}`" in part for option in methods.find("methods", name).options), name


def test_every_command_is_in_the_reference_with_every_option() -> None:
    page = text_of("docs/reference/commands.md")
    for name, options in known().items():
        part = page.split(f"\n## {name}\n")[1].split("\n## ")[0]
        assert all(f"`{option}`" in part for option in options if option.startswith("--") and option != "--help"), name


def test_signs_of_markdown_are_themselves_in_prose_and_papers_are_links() -> None:
    assert prose("a*b_c `d*e` <f> (arXiv:1412.6806), doi:10.1109/X.2020.") == (
        "a\\*b\\_c `d*e` \\<f\\> ([arXiv:1412.6806](https://arxiv.org/abs/1412.6806)), "
        "[doi:10.1109/X.2020](https://doi.org/10.1109/X.2020)."
    )
    assert code("a|b") == "`a\\|b`"
    assert anchors(["A", "B c: d", "a"]) == ["a", "b-c-d", "a-1"]
