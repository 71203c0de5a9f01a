import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.core.errors import ConfigError, RequestError
from cnnlab.core.yaml import MAX_BYTES, MAX_DEPTH, Items, Mark, Table, Text, load, mark_at, parse, parse_value


def complaint(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, "f.yaml")
    return str(caught.value)


def test_every_value_knows_its_place() -> None:
    tree = parse("# head\na: 1\nb:\n  - x\n  - c: {d: [e, f]}\n", "f.yaml")
    places = {
        (): "f.yaml:2:1",
        ("a",): "f.yaml:2:1",
        ("b",): "f.yaml:3:1",
        ("b", 0): "f.yaml:4:5",
        ("b", 1): "f.yaml:5:5",
        ("b", 1, "c"): "f.yaml:5:5",
        ("b", 1, "c", "d"): "f.yaml:5:9",
        ("b", 1, "c", "d", 1): "f.yaml:5:16",
        ("b", 7): "f.yaml:3:1",
        ("b", 1, "missing", "more"): "f.yaml:5:5",
    }
    assert {path: str(mark_at(tree, path)) for path in places} == places


@pytest.mark.parametrize(
    "word", ["no", "yes", "on", "017", "0x10", "1e-3", "1_000", "12:30", "2024-01-01", ".inf", "="]
)
def test_nothing_is_guessed(word: str) -> None:
    value = parse(f"a: {word}", "f")["a"]
    assert value == word
    assert isinstance(value, Text)


@pytest.mark.parametrize("word", ["", "~", "null", "Null", "NULL", "# remark"])
def test_forms_of_nothing(word: str) -> None:
    assert parse(f"a: {word}\nb: 1", "f") == {"a": None, "b": "1"}


@pytest.mark.parametrize("word", ["''", '""', "'null'", '"~"'])
def test_quoted_text_is_text(word: str) -> None:
    assert parse(f"a: {word}", "f")["a"] == word[1:-1]


def test_texts_of_several_lines() -> None:
    assert parse("a: |\n  x\n  y\nb: >\n  x\n  y\nc: x\n  y\n", "f") == {"a": "x\ny\n", "b": "x y\n", "c": "x y"}


def test_repeated_keys_are_all_reported() -> None:
    assert complaint("a: 1\nb: {c: 1, c: 2}\na: 2\n") == (
        "f.yaml:2:11: 'c' is given twice; first on line 2\nf.yaml:3:1: 'a' is given twice; first on line 1"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:\n\tb: 1", "f.yaml:2:1: a tab; YAML is indented with spaces"),
        ("a:\n  - b\n\t- c", "f.yaml:3:1: a tab; YAML is indented with spaces"),
        ("a:\tb", "f.yaml:1:3: a tab; YAML is indented with spaces"),
        (
            'a: "x\ty" z',
            "f.yaml:1:10: not YAML: expected <block end>, but found '<scalar>' (while parsing a block mapping)",
        ),
        ("a: !!int 3", "f.yaml:1:4: the tag 'tag:yaml.org,2002:int' is not allowed; write the value alone"),
        ("!!str a: 3", "f.yaml:1:1: the tag 'tag:yaml.org,2002:str' is not allowed; write the value alone"),
        ("a: !x {b: 1}", "f.yaml:1:4: the tag '!x' is not allowed; write the value alone"),
        (
            "a: !!python/name:os.system",
            "f.yaml:1:4: the tag 'tag:yaml.org,2002:python/name:os.system' is not allowed; write the value alone",
        ),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: a second document ('---'); a config is one document"),
        ("", "f.yaml: is empty, expected a mapping such as 'name: first'"),
        ("# only a remark\n", "f.yaml: is empty, expected a mapping such as 'name: first'"),
        ("---\n", "f.yaml: is empty, expected a mapping such as 'name: first'"),
        ("- a\n- b", "f.yaml: is a list, expected a mapping such as 'name: first'"),
        ("hello", "f.yaml: is a single word, expected a mapping such as 'name: first'"),
        ("? [a]\n: b", "f.yaml:1:3: a key must be a single word"),
        ("{a: 1}: b", "f.yaml:1:1: a key must be a single word"),
        ("a: *x", "f.yaml:1:4: the alias '*x' has no anchor '&x' before it"),
        ("a: &x [1, *x]", "f.yaml:1:11: the alias '*x' stands inside its own anchor '&x'"),
        ("a: &x {b: {c: *x}}", "f.yaml:1:15: the alias '*x' stands inside its own anchor '&x'"),
        ("a: {<<: 3}", "f.yaml:1:5: '<<' merges mappings; this is none"),
        (
            'a: 1\nb: "c\nd: e\n',
            "f.yaml:2:4: not YAML: found unexpected end of stream (while scanning a quoted scalar)",
        ),
        (
            "b: [1,\n  2\n",
            "f.yaml:1:4: not YAML: expected ',' or ']', but got '<stream end>' (while parsing a flow sequence)",
        ),
        ("a: b: c", "f.yaml:1:5: not YAML: mapping values are not allowed here"),
        (
            "a: @b",
            "f.yaml:1:4: not YAML: found character '@' that cannot start any token (while scanning for the next token)",
        ),
        ("x: 1\na: \x07", "f.yaml:2:4: the character #x0007 is not allowed"),
        ('a: "\\0"', "f.yaml:1:4: the character #x0000 is not allowed"),
        ('a: "\\ud800"', "f.yaml:1:4: the character #xd800 is not allowed"),
        ('x: 1\n"\\ud800": a', "f.yaml:2:1: the character #xd800 is not allowed"),
        ('a: 1\nb: "\\U00110000"', "f.yaml:2:1: not YAML: an escape such as '\\U…' beyond U+10FFFF"),
        ("%YAML 3.0\n---\na: 1", "f.yaml:1:1: not YAML: found incompatible YAML document (version 1.* is required)"),
    ],
)
def test_what_is_refused(text: str, expected: str) -> None:
    assert complaint(text) == expected


def test_aliases_are_copies_with_the_place_of_their_anchor() -> None:
    tree = parse("a: &x {b: [1]}\nc: *x\nd: *x\ne: &y word\nf: *y", "f")
    tree["c"]["b"].append("2")
    assert tree["a"] == tree["d"] == {"b": ["1"]}
    assert tree["c"] == {"b": ["1", "2"]}
    assert tree["f"] == "word"
    assert str(mark_at(tree, ("d", "b", 0))) == "f:1:12"


def test_anchor_on_a_key() -> None:
    assert parse("&k a: 1\nb: *k", "f") == {"a": "1", "b": "a"}


def test_merge_keys() -> None:
    tree = parse("a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 0}\nd: {x: 9, <<: *a}", "f")
    assert tree["c"] == {"x": "0", "y": "1", "z": "2"}
    assert tree["d"] == {"x": "9", "y": "1"}
    assert str(tree["c"].marks["z"]) == "f:2:14"
    tree["c"]["y"] = "changed"
    assert tree["a"]["y"] == "1"
    assert parse("a: {'<<': 1}", "f")["a"] == {"<<": "1"}


def test_billion_laughs() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    started = time.perf_counter()
    assert "more than 50,000 values" in complaint("\n".join(lines))
    assert time.perf_counter() - started < 10


def test_depth_by_aliases() -> None:
    lines = ["a0: &a0 " + "[" * 40 + "x" + "]" * 40]
    lines += [f"a{i}: &a{i} " + "[" * 40 + f"*a{i - 1}" + "]" * 40 for i in range(1, 49)]
    assert complaint("\n".join(lines)) == f"f.yaml:2:49: nested more than {MAX_DEPTH} levels deep"


def test_greatest_depth() -> None:
    inner = MAX_DEPTH - 2
    tree = parse("a: &a " + "[" * inner + "x" + "]" * inner + "\nb: *a", "f")
    assert tree["b"] == tree["a"]
    assert "nested more than" in complaint("a: " + "[" * (inner + 1) + "x" + "]" * (inner + 1))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "a: " + "[" * 100_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "[{a: " * 50_000,
        "\n".join(" " * i + "a:" for i in range(2_000)),
        "\n".join(" " * i + "-" for i in range(2_000)),
    ],
    ids=["brackets", "value", "braces", "dashes", "both", "block mappings", "block lists"],
)
def test_huge_nesting_is_refused_at_once(text: str) -> None:
    started = time.perf_counter()
    assert f"nested more than {MAX_DEPTH} levels deep" in complaint(text)
    assert time.perf_counter() - started < 10


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab:-?[]{}&*!|>'\"%@` \n\t#,<~\\U0xé\u2028\x85\x07", max_size=30))
def test_any_text_gives_a_tree_or_places(text: str) -> None:
    try:
        tree, problems = parse(text, "f"), ()
    except ConfigError as error:
        tree, problems = None, error.problems
    assert isinstance(tree, Table) or problems
    assert all(problem.place.startswith("f") and problem.message for problem in problems)


scalars = st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=8)
values = st.recursive(scalars, lambda s: st.lists(s, max_size=3) | st.dictionaries(scalars, s, max_size=3))


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(scalars, values))
def test_what_pyyaml_writes_reads_back(data: dict[str, object]) -> None:
    assert parse(yaml.safe_dump(data, allow_unicode=True, default_style='"'), "f") == data


def test_bom(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes("\ufeffa: é\r\nb: 2\r\n".encode())
    tree = load(path)
    assert tree == {"a": "é", "b": "2"}
    assert str(tree.marks["a"]) == f"{path}:1:1"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a: é".encode("latin-1"), "is not UTF-8 text (byte 3); is it a YAML file?"),
        ("a: b".encode("utf-16"), "is not UTF-8 text (byte 0); is it a YAML file?"),
        (b"a" * (MAX_BYTES + 1), "has more than 4,000,000 bytes; is it a YAML file?"),
    ],
)
def test_files_that_are_no_text(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(RequestError) as caught:
        load(path)
    assert str(caught.value) == f"{path}: {expected}"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"none\.yaml: no such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(RequestError, match="is a folder, expected a YAML file"):
        load(tmp_path)


def test_values_of_overrides_stand_at_the_override() -> None:
    mark = Mark("override 'a=[1, {b: 2}]'")
    value = parse_value("[1, {b: 2}]", mark)
    assert isinstance(value, Items)
    assert value == ["1", {"b": "2"}]
    assert mark_at(value, (1, "b")) == mark
    assert str(mark) == "override 'a=[1, {b: 2}]'"
    assert parse_value("", mark) is None
