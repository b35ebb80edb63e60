"""JSON from outside, read in full and then judged."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.errors import Invalid
from foundation.strict_json import Doubled, Huge, Sent, decode, decode_parts, encode, problems, size

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=[]), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def reasons(value: Any) -> list[tuple[str, str]]:
    return [(problem.path, problem.reason) for problem in problems(value)]


@given(anything)
def test_whatever_is_written_is_read_again(value: Any) -> None:
    read = decode(json.dumps(value).encode())
    assert json.dumps(read) == json.dumps(value)


@given(anything, anything)
def test_the_parts_of_a_list_come_with_their_bytes(one: Any, two: Any) -> None:
    texts = [json.dumps(part, ensure_ascii=False).encode("utf-8", "replace") for part in (one, two)]
    body = b'{"a": [0], "batch" : [ ' + texts[0] + b" ,\n" + texts[1] + b']\t, "b": {"batch": [1]}} '
    read = decode_parts(body, "batch")
    assert [part.size for part in read["batch"]] == [len(text) for text in texts]
    assert json.dumps([part.value for part in read["batch"]]) == json.dumps([decode(text) for text in texts])
    assert (read["a"], read["b"]) == ([0], {"batch": [1]})


@given(st.binary(max_size=60) | anything.map(lambda value: json.dumps(value).encode()[:-1]))
def test_what_is_no_json_is_refused_and_nothing_else_happens(raw: bytes) -> None:
    for read in (decode, lambda body: decode_parts(body, "batch")):
        try:
            read(raw)
        except Invalid as error:
            assert str(error)


@pytest.mark.parametrize(
    "raw",
    [b"{}", b'{"batch": []}', b'{"batch": {"a": []}}', b'{"x": 1, "batch": [1, "\xc3\xa9", {}]}', b'[{"batch": 1}]'],
)
def test_reading_in_parts_reads_the_same(raw: bytes) -> None:
    read = decode_parts(raw, "batch")
    if isinstance(read, dict) and isinstance(read.get("batch"), list):
        read["batch"] = [part.value for part in read["batch"]]
    assert read == decode(raw)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "The body is empty"),
        (b" \n", "The body is empty"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"a": 1', "The body is not JSON"),
        (b'{"a": 1,}', "expecting a key in double quotes"),
        (b'{"a" 1}', "expecting ':' (line 1, column 6)"),
        (b'{"a": 1}\n x', "something behind its end (line 2, column 2)"),
        (b'{"batch": [1 2]}', "expecting ','"),
        (b'{"batch": [1,]}', "The body is not JSON"),
        (b'{"batch": [' + b"[" * 20_000, "expecting value (line 1, column 20012)"),
        (b"[" * 20_000, "expecting value (line 1, column 20001)"),
        (b"[" * 20_000 + b"1" * 9 + b"]" * 19_999, "expecting ','"),
        (b"[" * 20_000 + b"]" * 20_000 + b"]", "something behind its end"),
        (b'{"a":' * 20_000 + b"1" + b"}" * 19_999 + b",}", "expecting a key in double quotes"),
        (b"[" + b"9" * 5_000 + b"," + b"[" * 20_000, "The body is not JSON"),
    ],
)
def test_JS01_a_refusal_says_what_is_wrong_and_where(raw: bytes, sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        decode_parts(raw, "batch")
    assert sentence in str(caught.value)


DEEP = [
    b"[" * 20_000 + b"]" * 20_000,
    b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    b'[1,{"a":[],"b":' * 10_000 + b"{}" + b'}, "x"]' * 10_000,
]


@pytest.mark.parametrize("deep", DEEP)
def test_JS01_what_is_nested_however_deeply_is_read_and_then_named(deep: bytes) -> None:
    value = decode(deep)
    assert {reason for _, reason in reasons(value)} == {"It is nested more than 16 levels deep; flatten it."}
    assert encode(value) == deep.decode().replace(" ", "")
    read = decode_parts(b'{"x": ' + deep + b', "batch": [1, ' + deep + b" , 2]}", "batch")
    assert [part.size for part in read["batch"]] == [1, len(deep), 1]
    assert read["batch"][2].value == 2


@given(anything)
def test_what_is_deep_is_read_like_anything_else(value: Any) -> None:
    text = json.dumps(value)
    read = decode(b"[" * 5_000 + text.encode() + b"]" * 5_000)
    for _ in range(5_000):
        [read] = read
    assert json.dumps(read) == text


def test_a_byte_order_mark_is_passed_over() -> None:
    assert decode(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_JS01_what_cannot_be_kept_is_read_and_then_named() -> None:
    value = decode(
        b'{"nul": "a\\u0000b", "half": "\\ud83d", "whole": "\\ud83d\\ude00", "nan": NaN, "inf": -Infinity,'
        b' "big": 1e400, "long": ' + b"1" * 5_000 + b', "wide": 9007199254740993, "fits": 9007199254740992,'
        b' "twice": [{"k": 1, "k": 2}], "key": {"\\u0000": 1}, "text": "' + b"x" * 8_193 + b'"}'
    )
    assert isinstance(value["twice"][0], Doubled)
    assert value["long"] == Huge(5_000)
    assert [problem.path for problem in problems(value)] == [
        *("big", "half", "inf", "key", "long", "nan", "nul", "text", "twice[0]", "wide")
    ]


@pytest.mark.parametrize(
    ("value", "path", "sentence"),
    [
        ({"a": {"b": ["\x00"]}}, "a.b[0]", "NUL"),
        ({"a": "\ud800"}, "a", "surrogate"),
        ({"\ud800": 1}, "", "surrogate"),
        ({"a": math.nan}, "a", "finite"),
        ([2**53 + 1], "[0]", "2^53"),
        ([-(2**53) - 1], "[0]", "2^53"),
        ({"k" * 256: 1}, "", "255"),
        ({str(n): n for n in range(501)}, "", "500"),
        (["é" * 4_097], "[0]", "8,194 bytes"),
        ([object()], "[0]", "type"),
    ],
)
def test_JS01_each_limit_says_so(value: Any, path: str, sentence: str) -> None:
    [(found, reason)] = reasons(value)
    assert found == path
    assert sentence in reason


@pytest.mark.parametrize(
    "value",
    [
        {"k" * 255: "é" * 4_096},
        {str(n): n for n in range(500)},
        [2**53, -(2**53), 1.5, True, None, "\U0001f600"],
        "x" * 8_192,
    ],
)
def test_JS01_what_is_at_a_limit_is_fine(value: Any) -> None:
    assert problems(value) == []


def test_JS01_sixteen_levels_are_fine_and_seventeen_are_not() -> None:
    def nested(levels: int) -> Any:
        value: Any = {}
        for _ in range(levels - 1):
            value = {"a": value}
        return value

    assert problems(nested(16)) == []
    assert reasons(nested(17)) == [(".".join("a" * 16), "It is nested more than 16 levels deep; flatten it.")]


@given(anything)
def test_what_passes_is_kept_as_it_is(value: Any) -> None:
    if not problems(value):
        assert json.dumps(value, allow_nan=False).encode()
        assert encode(value) == json.dumps(value, separators=(",", ":"))


def test_anything_can_be_written_down_for_later() -> None:
    deep: Any = {"k\n": "\ud800\x00"}
    for _ in range(100_000):
        deep = [1, deep, {"a": None}]
    text = encode(deep)
    assert text.isascii()
    assert text.startswith("[1,[1,")
    assert text.endswith('{"a":null}],{"a":null}]')
    assert '{"k\\n":"\\ud800\\u0000"}' in text
    assert encode({"n": Huge(5_000)}) == '{"n":"(a number of 5000 digits)"}'
    assert json.loads(encode({"a": ["é", 1.5, True]})) == {"a": ["é", 1.5, True]}


def test_a_value_is_measured_in_bytes() -> None:
    assert size({"é": [1, "\U0001f600"]}) == len('{"é":[1,"\U0001f600"]}'.encode())
    assert Sent({"a": 1}, 9).size == 9


@given(anything)
def test_the_quick_answer_is_the_careful_one(value: Any) -> None:
    class Unhurried(list[Any]):
        """A list that the quick way does not know, and so leaves to the careful one."""

    careful = [p for p in problems(Unhurried([value])) if p.path.startswith("[0]")]
    assert bool(problems([value])) is bool(careful)
