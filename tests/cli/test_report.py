"""`cnnlab report`: the whole of a run on one page that needs nothing else."""

import re


def test_the_page_has_every_part_and_needs_nothing_else(trained) -> None:
    result = trained.place("report", "tiny")
    assert result.code == 0, result.err
    page = trained.place.folder / result.out.strip()
    assert page == trained.run / "reports" / "index.html" or page.samefile(trained.run / "reports" / "index.html")
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"<h2[^>]*>([^<]*)</h2>", text)
    assert headings[-3:] == ["Architecture", "What the answers rest on", "Raw data"]
    assert {"Curves", "Evaluation on validation"} <= set(headings)
    assert "<script" not in text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', text)
    assert all(source.startswith("data:image/png") for source in re.findall(r'src="([^"]{0,20})', text))
    assert len(text) < 15_000_000


def test_every_link_leads_somewhere(trained) -> None:
    page = trained.place.folder / trained.place("report", "tiny").out.strip()
    text = page.read_text(encoding="utf-8")
    ids = set(re.findall(r'id="([^"]*)"', text))
    for link in re.findall(r'href="([^"]*)"', text):
        assert link[1:] in ids if link.startswith("#") else (page.parent / link).exists(), link
    assert len(ids) == len(re.findall(r'id="([^"]*)"', text)), "an id stands twice"


def test_the_gallery_has_a_map_for_every_choice(trained) -> None:
    document = trained.place("report", "tiny", "--json").json()["report"]
    (section,) = [block for block in document["blocks"] if block.get("title") == "What the answers rest on"]
    album = section["blocks"][0]
    sizes = [len(choice["options"]) for choice in album["choices"]]
    covered = set()
    for shot in album["shots"]:
        places = [range(size) if i is None else [i] for i, size in zip(shot["options"], sizes, strict=True)]
        for p in places[0]:
            for m in places[1]:
                for layer in places[2]:
                    for t in places[3]:
                        assert (p, m, layer, t) not in covered
                        covered.add((p, m, layer, t))
    assert len(covered) == sizes[0] * sizes[1] * sizes[2] * sizes[3]


def test_the_cells_count_what_the_evaluation_counts(trained) -> None:
    document = trained.place("report", "tiny", "--json").json()["report"]
    (evaluation,) = [block for block in document["blocks"] if block.get("title") == "Evaluation on validation"]
    (confusion,) = [block for block in evaluation["blocks"] if block.get("title") == "Confusion"]
    counts = confusion["blocks"][-1]["counts"]
    assert counts == trained.place("eval", "tiny", "--json").json()["confusion"]
