"""The README tells the truth."""

import re

from file_map import ROOT, sentence_of, with_map

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_file_map_is_current() -> None:
    assert with_map(README) == README, "run: python tests/file_map.py"


def test_every_file_says_what_it_is() -> None:
    for path in (ROOT / "cnnlab").rglob("*.py"):
        assert sentence_of(path), path


def test_links_and_pictures_lead_somewhere() -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            assert (ROOT / link).exists() or link.startswith("http"), f"{name}: {link}"


def test_the_commands_it_names_exist() -> None:
    from cnnlab.main import app

    known = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    known |= {"list", "train"}
    named = set(re.findall(r"(?:^|`|/bin/)cnnlab ([a-z][a-z-]+)", README, re.MULTILINE))
    assert named <= known


def test_the_targets_it_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`?make ([a-z]+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
