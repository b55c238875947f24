from __future__ import annotations

import pytest

from streams.kpis.yaml_lines import Document


def problems(text: str | bytes) -> list[tuple[int, str, str]]:
    """Line, place and sentence of everything that is wrong in `text`."""
    document = Document(text.encode() if isinstance(text, str) else text)
    return [
        (document.line(problem.at), ".".join(map(str, problem.at)), problem.sentence)
        for problem in document.problems
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"),
        ("no", "no"),
        ("Yes", "Yes"),
        ("true", True),
        ("FALSE", False),
        ("2026-10-01", "2026-10-01"),
        ("12:30", "12:30"),
        ("24h", "24h"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("010", 10),
        ("-3", -3),
        ("8.5", 8.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("'5'", "5"),
        ("=", "="),
    ],
)
def test_plain_values_are_those_of_yaml_1_2(text: str, value: object) -> None:
    """`off` is a word and a date is a text; only true and false are truth values."""
    content = Document(f"key: {text}".encode()).content
    assert {"key": value} == content
    assert type(value) is type(content["key"])


def test_keys_are_texts() -> None:
    """A key that looks like a number or a truth value is the text that was written."""
    assert Document(b"1: 1\ntrue: 2\nnull: 3").content == {"1": 1, "true": 2, "null": 3}


def test_every_value_has_its_line() -> None:
    """A place has the line of its key or item, and a place that is not there its parent's."""
    document = Document(b"a:\n  b:\n    - x\n    - y\n\nc: 1\n")
    places: list[tuple[str | int, ...]] = [
        ("a",),
        ("a", "b"),
        ("a", "b", 1),
        ("a", "z"),
        ("c",),
        (),
    ]
    assert [document.line(place) for place in places] == [1, 2, 4, 1, 6, 1]


def test_a_key_written_twice() -> None:
    """The second is named by its line; the first stays, so that it is checked too."""
    assert problems("a: 1\nb: 2\na: 3\n") == [(1, "a", "is written again on line 3; keep one")]
    assert Document(b"a: 1\na: 3\n").content == {"a": 1}


def test_an_empty_value() -> None:
    """A key without a value is a forgotten one: an empty `alert:` must not mean no alert."""
    expected = "has no value; write one, or remove the key"
    assert [(2, "a.b", expected), (3, "a.c.0", expected)] == problems("a:\n  b:\n  c: [~]\n")


def test_tabs() -> None:
    """A tab as indentation is named, with its line."""
    [(line, place, sentence)] = problems("a:\n\tb: 1\n")
    assert (line, place) == (2, "")
    assert sentence.startswith("is no YAML: ")
    assert sentence.endswith("indent with spaces, never with tabs")


@pytest.mark.parametrize(
    ("text", "line", "fragment"),
    [
        ("a: [1, 2}", 1, "is no YAML: while parsing a flow sequence"),
        ("a: 1\n---\nb: 2\n", 2, "expected a single document"),
        ("a: 1\n b: 2\n", 2, "is no YAML: "),
        ("a: b: c", 1, "mapping values are not allowed here"),
        ("a: @b", 1, "found character '@' that cannot start any token"),
        ("a: *b", 1, "found undefined alias 'b'"),
        ("[" * 3_000, 1, "is nested too deeply"),
        ("a: b\x00", 1, "can't be read as UTF-8 text"),
        (b"\xff\xff", 1, "can't be read as UTF-8 text"),
        (b"\xff\xfea", 1, "can't be read as UTF-8 text"),
    ],
)
def test_what_is_no_yaml(text: str | bytes, line: int, fragment: str) -> None:
    """One sentence with the line, whatever the parser meets."""
    [(found_line, place, sentence)] = problems(text)
    assert (line, "") == (found_line, place)
    assert fragment in sentence


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &x 1\nb: *x\n", (2, "b", "is an alias (*); write the value out")),
        ("a: &x [*x]\n", (1, "a.0", "is an alias (*); write the value out")),
        ("a: !!binary eA==\n", (1, "a", "has the tag binary; write the plain value")),
        (
            "a: !!python/object:os.system x\n",
            (1, "a", "has the tag python/object:os.system; write the plain value"),
        ),
        (
            "? [a, b]\n: 1\n",
            (1, "", "has a list or mapping as a key on line 1; use a word"),
        ),
        ('a: "\\ud800"', (1, "a", r"is no Unicode text; leave \ud800 to \udfff out")),
        ('b: 1\n"\\ud800": 1', (1, "", "has a key on line 2 that is no Unicode text; correct it")),
    ],
)
def test_what_a_kpi_file_does_not_need(text: str, expected: tuple[int, str, str]) -> None:
    """Aliases, tags and odd keys are refused at their place; nothing is ever constructed."""
    assert [expected] == problems(text)


@pytest.mark.parametrize(
    "text", [b"\xef\xbb\xbfa: 1", "a: 1".encode("utf-16"), b"a: 1\r\n", b"# only\n\na: 1"]
)
def test_files_as_editors_save_them(text: bytes) -> None:
    """A byte order mark, UTF-16 and Windows line ends change nothing."""
    assert Document(text).content == {"a": 1}


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "--- \n"])
def test_nothing_in_it(text: str) -> None:
    """A file without content has none."""
    assert Document(text.encode()).content is None
