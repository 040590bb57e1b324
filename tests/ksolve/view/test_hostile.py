"""Whatever a model, a test or a file wrote is text on every page: no element, no attribute."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ksolve.view.texts import coloured, statement
from tests.ksolve.view import made
from tests.ksolve.view.visit import Parsed, visitor

PAGES = (
    "/",
    "/run/one",
    "/run/one/issue/0",
    "/run/one/issue/0?solver=0&outcome=unresolved",
    "/run/one/issue/0/sample/0/0",
    "/run/one/issue/0/compare?left=0.0&right=0.1",
)
ATTRIBUTES_THAT_LOAD = {"href", "src", "action", "formaction", "data", "poster", "srcset"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same run twice, with hostile and with plain text in it."""
    above = tmp_path_factory.mktemp("runs")
    return (
        made.record_hostile(above / "hostile" / "one"),
        made.record_hostile(above / "plain" / "one", "word " * 60),
    )


@pytest.mark.parametrize("address", PAGES)
def test_a_page_has_the_same_elements_whatever_its_texts_say(
    folders: tuple[Path, Path], address: str
) -> None:
    hostile, plain = (
        Parsed(client.get(address).text)
        for folder in folders
        for client in [visitor(folder).__enter__()]
    )
    # Colours depend on the text; they are the only elements that may.
    hostile_tags, plain_tags = ([t for t in page.tags if t != "span"] for page in (hostile, plain))
    assert hostile_tags == plain_tags
    assert [sorted(a) for t, a in hostile.elements if t != "span"] == [
        sorted(a) for t, a in plain.elements if t != "span"
    ]


@pytest.mark.parametrize("address", PAGES)
def test_no_attribute_acts_or_leads_away(folders: tuple[Path, Path], address: str) -> None:
    with visitor(folders[0]) as client:
        page = Parsed(client.get(address).text)
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        if tag == "span":
            assert set(attributes) <= {"class", "data-live"}
        for name in ATTRIBUTES_THAT_LOAD & attributes.keys():
            value = str(attributes[name])
            assert value.startswith(("/", "#"))
            assert not value.startswith("//")
    scripts = [a.get("src") for t, a in page.elements if t == "script"]
    assert all(str(source).startswith("/static/") for source in scripts)


@pytest.mark.parametrize("address", PAGES)
def test_characters_that_a_reader_is_deceived_by_are_gone(
    folders: tuple[Path, Path], address: str
) -> None:
    with visitor(folders[0]) as client:
        answer = client.get(address)
    text = answer.text
    assert not [c for c in text if c < " " and c not in "\n\t"]
    assert not set(text) & {"\u202e", "\u2066", "\x7f"}
    if address != "/":
        assert "document.title='taken'" in Parsed(text).text


def test_templates_in_texts_are_not_filled(folders: tuple[Path, Path]) -> None:
    with visitor(folders[0]) as client:
        text = Parsed(client.get(PAGES[4]).text).text
    assert "{{ 7*7 }}" in text
    assert "49" not in text


@settings(max_examples=60)
@given(st.text(), st.sampled_from(["diff", "python", "bash", "no such"]))
def test_code_in_colour_keeps_every_character_and_adds_only_spans(text: str, language: str) -> None:
    page = Parsed(f"<pre>{coloured(text, language)}</pre>")
    assert set(page.tags[1:]) <= {"span"}
    assert page.text == Parsed(f"<pre>{coloured(text, '')}</pre>").text


def test_only_code_whose_fence_is_closed_is_set_apart() -> None:
    open_ = "```python\n" * 5_000
    page = Parsed(f"<div>{statement(f'a{chr(10)}```{chr(10)}b{chr(10)}```{chr(10)}c')}</div>")
    assert page.tags == ["div", "code"]
    assert page.text.split() == ["abc"]
    assert Parsed(f"<div>{statement(open_)}</div>").tags == ["div"]
    assert Parsed(f"<div>{statement(f'{open_}```')}</div>").tags[:2] == ["div", "code"]


@settings(max_examples=60)
@given(st.lists(st.sampled_from(["```", "```python\n", "\n", "<b>", "x", "&amp;", "'"])))
def test_a_statement_adds_only_code_and_spans(parts: list[str]) -> None:
    page = Parsed(f"<div>{statement(''.join(parts))}</div>")
    assert set(page.tags[1:]) <= {"span", "code"}
