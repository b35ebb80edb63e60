"""The form of blocks: what is read from it, and what its buttons do."""

import json
from datetime import datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from django.http import QueryDict
from django.template.loader import render_to_string
from hypothesis import given
from hypothesis import strategies as st

from messaging import building
from messaging.building import BLOCKS
from messaging.editor import drawing, pieces, shapes, undo
from messaging.editor.pieces import Board
from messaging.editor.reading import Reading
from segments import definitions

# One of each kind with all it can have, and hard texts in it; the conformance below asks that none is left out.
FULL: dict[str, dict[str, Any]] = {
    "heading": {"kind": "heading", "text": "Hello {{ profile.first_name | default: 'there' }} <b>&amp;\"'"},
    "text": {"kind": "text", "text": "\nA line\n\n  and **another** {% if account.name %}</textarea>{% endif %}\n"},
    "button": {"kind": "button", "text": "Look", "href": "https://example.com/?a=1&b={{ data.b }}"},
    "image": {"kind": "image", "src": "https://e.co/a.png", "alt": 'A "hill"', "href": "https://e.co", "width": 300},
    "list": {"kind": "list", "items": ["One", "Two\nin two lines", "<script>"], "ordered": True},
    "quote": {"kind": "quote", "text": "It saves me an hour.", "by": "Ben"},
    "divider": {"kind": "divider", "when": {"not": {"kind": "segment", "slug": "pros"}}},
    "snippet": {"kind": "snippet", "slug": "signed"},
    "mjml": {"kind": "mjml", "source": '\n<mj-text color="#111">\n  Hi {{ profile.plan }} &amp; you</mj-text>\n'},
    "feedback": {"kind": "feedback", "question": "How was it?", "low": "Bad", "high": "Good", "eleven": True},
    "columns": {
        "kind": "columns",
        "columns": [
            [{"kind": "text", "text": "Left"}, {"kind": "divider"}],
            [{"kind": "list", "items": ["a", "b"]}],
            [],
        ],
    },
}


class Form(HTMLParser):
    """Reads a form as a browser would send it."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, str]] = []
        self._area: list[str] | None = None
        self._name = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name") or ""
        if tag == "input" and name:
            if given.get("type") == "checkbox":
                if "checked" in given:
                    self.sent.append((name, "on"))
            else:
                self.sent.append((name, given.get("value") or ""))
        if tag in ("textarea", "select"):
            self._area, self._name = [] if tag == "textarea" else None, name
        if tag == "option" and "selected" in given:
            self.sent.append((self._name, given.get("value") or ""))

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._area.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._area is not None:
            text = "".join(self._area).removeprefix("\n")
            self.sent.append((self._name, text.replace("\n", "\r\n")))
            self._area = None


def through_the_form(board: Board) -> Board:
    boxes = drawing.boxes(board, Reading(pieces.written(board)))
    html = "".join(
        render_to_string("messaging/editor/box.html", {"box": box, "kinds": drawing.kinds(lambda _: True), "here": "/"})
        for box in boxes
    )
    form = Form()
    form.feed(html)
    data = QueryDict(mutable=True)
    for name, value in form.sent:
        data.appendlist(name, value)
    return pieces.from_form(data)


def test_every_kind_of_block_is_tried_here(db: None, now: datetime) -> None:
    definitions.save("pros", name="Pros", definition={"all": []}, status="live", now=now)
    assert set(FULL) == set(BLOCKS.keys())
    for key, block in FULL.items():
        assert set(block) - {"kind", "when"} == set(BLOCKS[key].fields)
        building.read([block], snippets={"signed": [{"kind": "divider"}]})


@pytest.mark.parametrize("kind", sorted(FULL))
def test_a_block_comes_back_from_its_form_as_it_was(kind: str) -> None:
    board = pieces.from_blocks([FULL[kind]])
    assert pieces.written(board).blocks == [FULL[kind]]
    assert pieces.written(through_the_form(board)).blocks == [FULL[kind]]


def test_all_of_them_together_come_back_in_their_order() -> None:
    board = pieces.from_blocks(list(FULL.values()))
    assert pieces.written(through_the_form(board)).blocks == list(FULL.values())


@pytest.mark.parametrize("kind", sorted(FULL))
def test_a_new_block_has_a_field_for_all_it_can_have_and_says_what_is_missing(kind: str) -> None:
    board = Board()
    assert pieces.act(board, f"add:{kind}") == "piece-k1"
    board = through_the_form(board)
    [piece] = board.pieces
    shown = set(piece.values) | ({"columns"} if piece.columns else set())
    assert shown == set(BLOCKS[kind].fields)
    assert all(shapes.label(BLOCKS[kind], name) for name in BLOCKS[kind].fields)
    assert BLOCKS[kind].icon


@pytest.mark.parametrize("kind", sorted(FULL))
def test_a_duplicate_says_the_same_under_other_keys(kind: str) -> None:
    board = pieces.from_blocks([FULL[kind]])
    pieces.act(board, f"double:{board.pieces[0].key}")
    assert pieces.written(board).blocks == [FULL[kind], FULL[kind]]
    keys = [piece.key for piece in board.walk()]
    assert len(keys) == len(set(keys))


def test_blocks_move_up_down_into_columns_and_out_again() -> None:
    board = pieces.from_blocks([FULL["heading"], FULL["text"], {"kind": "columns", "columns": [[], []]}])
    heading, text, columns = (piece.key for piece in board.pieces)
    assert pieces.act(board, f"down:{heading}") == f"press-down-{heading}"
    assert [piece.key for piece in board.pieces] == [text, heading, columns]
    pieces.act(board, f"up:{text}")  # the first stays the first
    assert [piece.key for piece in board.pieces] == [text, heading, columns]
    pieces.act(board, f"move:{text}:{columns}.1:0")
    assert [piece.key for piece in board.pieces] == [heading, columns]
    assert [piece.key for piece in board.pieces[1].columns[1]] == [text]
    pieces.act(board, f"move:{columns}:{columns}.0:0")  # not into itself
    assert [piece.key for piece in board.pieces] == [heading, columns]
    board = through_the_form(board)
    pieces.act(board, f"move:{text}::0")
    assert [piece.key for piece in board.pieces] == [text, heading, columns]


def test_fewer_columns_lose_no_block() -> None:
    board = pieces.from_blocks([FULL["columns"]])
    key = board.pieces[0].key
    board.pieces[0].columns[2] = pieces.from_blocks([FULL["quote"]]).pieces
    pieces.act(board, f"columns:{key}:2")
    assert [[one.kind for one in column] for column in board.pieces[0].columns] == [
        ["text", "divider"],
        ["list", "quote"],
    ]
    pieces.act(board, f"columns:{key}:3")
    assert len(board.pieces[0].columns) == 3


def test_points_are_added_where_one_stands_and_removed() -> None:
    board = pieces.from_blocks([{"kind": "list", "items": ["a", "b"]}])
    key = board.pieces[0].key
    assert pieces.act(board, f"more:{key}.items.1") == f"field-{key}-items-1"
    assert board.pieces[0].values["items"] == ["a", "", "b"]
    assert pieces.written(board).blocks == [{"kind": "list", "items": ["a", "b"]}]
    pieces.act(board, f"fewer:{key}.items.0")
    assert board.pieces[0].values["items"] == ["", "b"]


def test_a_block_of_a_kind_that_is_known_no_more_is_kept_until_it_is_removed() -> None:
    gone = {"kind": "hologram", "beam": [1, {"a": "<b>"}]}
    board = through_the_form(pieces.from_blocks([gone]))
    assert pieces.written(board).blocks == [gone]


@given(st.lists(st.sampled_from(sorted(FULL)), max_size=4), st.lists(st.integers(0, 60), max_size=8))
def test_undo_and_redo_go_back_and_forth_over_whatever_was_done(kinds: list[str], steps: list[int]) -> None:
    board = pieces.from_blocks([FULL[kind] for kind in kinds])
    past = undo.Past(drawn=pieces.written(board).blocks)
    states = [pieces.written(board).blocks]
    for step in steps:
        keys = [piece.key for piece in board.walk()] or ["k1"]
        verb = ["up", "down", "double", "remove", "add"][step % 5]
        past.note(board)
        pieces.act(board, f"add:{sorted(FULL)[step % 8]}" if verb == "add" else f"{verb}:{keys[step % len(keys)]}")
        past.note(board)
        if pieces.written(board).blocks != states[-1]:
            states.append(pieces.written(board).blocks)
        past = undo.unpacked(past.packed())
    seen = [states[-1]]
    while back := past.undo():
        seen.append(pieces.written(back).blocks)
    assert seen == states[::-1]
    seen = [states[0]]
    while forth := past.redo():
        seen.append(pieces.written(forth).blocks)
    assert seen == states


@pytest.mark.parametrize("text", ["", "x", "eyJ", "[]", "a:b:c", "\0", "9" * 5_000])
def test_a_past_that_is_not_ours_is_none(text: str) -> None:
    assert undo.unpacked(text) == undo.Past()


_WORDS = ["k1", "k2", "k1.0", "columns", "text", "list", "3", "on", "{", "{{", "\0"]
_TEXT = st.text(max_size=12) | st.sampled_from(_WORDS)
_NAMES = (
    "order order b.k1.kind b.k2.kind b.k2.in b.k1.in b.k1.text b.k1.items b.k1.columns b.k1.kept b.k2.kept b.k1.width"
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(_NAMES.split()),
            _TEXT,
        ),
        max_size=20,
    ),
    st.sampled_from(["add", "up", "down", "double", "remove", "move", "more", "fewer", "columns", "nothing"]),
    st.lists(_TEXT, max_size=4),
    st.sampled_from([":", "."]),
)
def test_whatever_a_form_says_it_is_read_and_acted_on(
    sent: list[tuple[str, str]], verb: str, rest: list[str], between: str
) -> None:
    data = QueryDict(mutable=True)
    for name, value in sent:
        data.appendlist(name, value)
    board = pieces.from_form(data)
    pieces.act(board, ":".join([verb, between.join(rest)]))
    json.dumps(pieces.written(board).blocks)
    assert len({piece.key for piece in board.walk()}) == len(list(board.walk()))


def test_what_is_dragged_is_moved_from_where_it_stood() -> None:
    data = QueryDict(mutable=True)
    data.setlist("order", ["k2", "k1"])  # as the page has it when it is dropped
    data.update({"was": "k1,k2", "b.k1.kind": "text", "b.k1.text": "A", "b.k2.kind": "text", "b.k2.text": "B"})
    board = pieces.from_form(data)
    assert [piece.key for piece in board.pieces] == ["k1", "k2"]
    pieces.act(board, "move:k2::0")
    assert [piece.key for piece in board.pieces] == ["k2", "k1"]
