"""Blocks: each says what is wrong with it, and what it looks like."""
# ruff: noqa: E501 (one block a line)

import html
import re
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.errors import Invalid
from messaging import building
from messaging.building import BLOCKS
from messaging.liquid import Program

VALUES: dict[str, Any] = {
    "profile": {"first_name": "Ada"},
    "event": {"url": "https://example.com/a?b=1&c=2"},
    "links": {
        "preferences": "https://example.com/p?a=1&b=2",
        "unsubscribe": "https://example.com/u",
        "feedback": "https://e.co/f/x",
    },
    "brand": {"name": "Cairn & Sons", "colour": "#0f766e", "postal_address": "Some Street 1\nSome Town"},
    "why": "You get this because you agreed.",
}
WHOLE: dict[str, dict[str, Any]] = {
    "heading": {"kind": "heading", "text": "Hello {{ profile.first_name }}"},
    "text": {"kind": "text", "text": "Some **strong** and *soft* [words](https://example.com/?a=1&b=2)."},
    "button": {"kind": "button", "text": "Go", "href": "{{ event.url }}"},
    "image": {
        "kind": "image",
        "src": "https://example.com/a.png",
        "alt": "A",
        "href": "https://example.com",
        "width": 300,
    },
    "list": {"kind": "list", "items": ["one", "two"], "ordered": True},
    "divider": {"kind": "divider"},
    "feedback": {"kind": "feedback", "question": "How was it?", "low": "Bad", "high": "Good"},
    "quote": {"kind": "quote", "text": "It works.", "by": "Ben"},
    "columns": {"kind": "columns", "columns": [[{"kind": "text", "text": "left"}], [{"kind": "divider"}]]},
    "snippet": {"kind": "snippet", "slug": "signed"},
    "mjml": {"kind": "mjml", "source": "<mj-section><mj-column><mj-text>By hand</mj-text></mj-column></mj-section>"},
}
SNIPPETS = {"signed": [{"kind": "text", "text": "Yours, Ada"}]}


def compiled(*blocks: dict[str, Any]) -> tuple[str, str]:
    made = building.compile_blocks(building.read(list(blocks), snippets=SNIPPETS))
    zone = ZoneInfo("UTC")
    return Program(made.html, html=True).fill(VALUES, zone=zone), Program(made.text).fill(VALUES, zone=zone)


def problems(*blocks: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        building.read(list(blocks))
    return {problem.path: problem.reason for problem in caught.value.problems}


def test_every_kind_of_block_stands_in_these_tests() -> None:
    assert sorted(WHOLE) == BLOCKS.keys()


@pytest.mark.parametrize("kind", sorted(WHOLE))
def test_a_whole_block_compiles_to_html_and_to_text(kind: str) -> None:
    markup, text = compiled(WHOLE[kind])
    assert markup.startswith("<!doctype html>")
    assert "{{" not in markup + text
    assert "zq" not in re.sub(r"https?://\S+", "", markup)
    assert text.strip()


@pytest.mark.parametrize("kind", sorted(WHOLE))
def test_a_block_without_what_it_needs_says_so_by_its_path(kind: str) -> None:
    needed = BLOCKS[kind].fields.keys() - BLOCKS[kind].optional
    if needed:
        assert set(problems({"kind": "divider"}, {"kind": kind})) == {f"blocks[1].{name}" for name in needed}


@pytest.mark.parametrize("kind", sorted(WHOLE))
@given(st.dictionaries(st.sampled_from(["text", "href", "src", "alt", "items", "columns", "width", "by", "slug", "source", "x"]),
                       st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5),
                                    lambda inner: st.lists(inner, max_size=3), max_leaves=5)))  # fmt: skip
def test_whatever_a_block_is_given_it_is_taken_or_refused(kind: str, values: dict[str, Any]) -> None:
    try:
        building.compile_blocks(building.read([{**values, "kind": kind}], snippets=SNIPPETS))
    except Invalid as invalid:
        assert all(problem.path.startswith("blocks[0]") for problem in invalid.problems)


def test_the_foot_says_where_we_are_why_they_get_it_and_how_to_stop() -> None:
    markup, text = compiled(WHOLE["heading"])
    for said in (html.unescape(markup), text):
        assert "You get this because you agreed." in said
        assert "Some Street 1\nSome Town" in said
        assert "https://example.com/p?a=1&b=2" in said
        assert "https://example.com/u" in said


def test_co_16_a_mail_without_a_postal_address_or_logo_has_no_gap_for_it() -> None:
    made = building.compile_blocks(building.read([WHOLE["divider"]]))
    bare = {**VALUES, "brand": {"name": "Cairn", "colour": "#0f766e"}}
    assert "<img" not in Program(made.html, html=True).fill(bare, zone=ZoneInfo("UTC"))


@pytest.mark.parametrize(
    "href",
    ["javascript:alert(1)", " JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "//evil.example", "/\\evil.example",
     "/x", "https://user@evil.example/", "https:///x", "https://a.example/\nx", "http://", "{{ event.a }}{{ event.b }}",
     "{{ event.a }}/x", "https://a.example/\"onclick=", "file:///etc/passwd", "java\tscript:x", ""],
)  # fmt: skip
def test_xs_01_a_link_that_leads_elsewhere_than_to_an_address_is_refused(href: str) -> None:
    assert "blocks[0].href" in problems({"kind": "button", "text": "x", "href": href})
    if href:
        assert "blocks[0].text" in problems({"kind": "text", "text": f"[x]({href})"})


@pytest.mark.parametrize(
    "href",
    ["https://example.com", "http://example.com/a?b=c#d", "mailto:help@example.com", "tel:+43 1 234",
     "{{ event.url }}", "https://example.com/{{ profile.external_id }}?x={{ event.id | url_encode }}"],
)  # fmt: skip
def test_good_links_are_taken(href: str) -> None:
    building.compile_blocks(building.read([{"kind": "button", "text": "x", "href": href}]))


def test_liquid_that_cannot_be_right_is_named_with_its_place() -> None:
    found = problems(
        {"kind": "text", "text": "{{ profile.first_name"},
        {"kind": "list", "items": ["ok", "{% if x %}"]},
        {"kind": "columns", "columns": [[{"kind": "text", "text": "{{ a | b }}"}], [{"kind": "nope"}]]},
        {"kind": "button", "text": "x", "href": "https://example.com/{{ y }}"},
        "no block",
    )
    assert set(found) == {
        "blocks[0].text",
        "blocks[1].items[1]",
        "blocks[2].columns[0][0].text",
        "blocks[2].columns[1][0].kind",
        "blocks[3].href",
        "blocks[4]",
    }


@given(st.text())
def test_xs_01_what_authors_write_is_text_and_never_markup(text: str) -> None:
    blocks: list[dict[str, Any]] = [
        {"kind": "text", "text": text}, {"kind": "heading", "text": text}, {"kind": "button", "text": text, "href": "https://a.example"},
        {"kind": "image", "src": "https://a.example/x.png", "alt": text}, {"kind": "quote", "text": text, "by": text},
        {"kind": "list", "items": [text]},
    ]  # fmt: skip
    try:
        plain = building.compile_blocks(building.read(blocks)).html
    except Invalid:
        return
    tags = re.findall(r"<(?!!)/?([a-z0-9:]+)", plain)
    assert not set(tags) - {
        "html", "head", "title", "meta", "style", "body", "div", "table", "tbody", "tr", "td", "p", "h1", "a", "img", "br",
        "strong", "em", "span", "ol", "ul", "li", "noscript", "xml", "o:",
    }  # fmt: skip
    assert not re.search(r"<[^>]*\son\w+=", plain)


def test_a_mail_fetches_nothing_but_the_pictures_it_shows() -> None:
    markup, _ = compiled(*(WHOLE[kind] for kind in sorted(WHOLE)))
    assert not re.search(r"<link|@import|url\(|src=(?!.https://example.com/a.png)", markup)


@given(st.text(alphabet="<>&\"'/=éàßøא漢😀\u0301\\ab ", min_size=1))
def test_what_is_written_is_what_is_read(text: str) -> None:
    try:
        blocks = building.read([{"kind": "image", "src": "https://a.example/x.png", "alt": text}])
    except Invalid:
        return
    found = re.search(r'alt="([^"]*)"[^>]*src="https://a.example', building.compile_blocks(blocks).html) or re.search(
        r'src="https://a.example[^>]*?alt="([^"]*)"', building.compile_blocks(blocks).html
    )
    assert found
    assert html.unescape(found[1]) == text


def test_a_message_is_bounded() -> None:
    assert "blocks" in {*_reasons([{"kind": "divider"}] * 101)}
    assert problems({"kind": "text", "text": "x" * 20_001})
    with pytest.raises(Invalid, match="at most 256,000"):
        building.compile_blocks(building.read([{"kind": "text", "text": "x" * 19_000}] * 20))


def _reasons(blocks: list[Any]) -> list[str]:
    with pytest.raises(Invalid) as caught:
        building.read(blocks)
    return [problem.path for problem in caught.value.problems]
