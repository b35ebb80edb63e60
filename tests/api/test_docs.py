"""The examples of docs/integrators.md, run in their order."""

import json
import re
import shlex
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from rest_framework.test import APIClient

from consent.models import ConsentRecord, RefusedUpgrade
from foundation import clock
from profiles.models import Pulse
from segments.models import SegmentVersion
from staff import keys, scopes
from staff.models import AuditEntry, Key

PAGE = Path(settings.BASE_DIR) / "docs" / "integrators.md"
EXAMPLE = re.compile(r"```sh\n(?P<commands>.*?)```(\n```json\n(?P<answer>.*?)```)?", re.DOTALL)
ANYTHING = "…"


def _run(command: str) -> Any:
    """Does what curl would do with it."""
    curl, *words = shlex.split(command.replace("\\\n", " "))
    assert curl == "curl"
    given: dict[str, Any] = {"-X": "", "--json": None, "headers": {}}
    while words:
        word = words.pop(0)
        if word in ("-X", "--json"):
            given[word] = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(": ")
            given["headers"][name] = value
        else:
            assert word.startswith("$BASE/api/v1/"), word
            given["address"] = word.removeprefix("$BASE")
    method = given["-X"] or ("POST" if given["--json"] else "GET")
    body = given["--json"] or ""
    assert not body or json.loads(body) is not None
    return APIClient().generic(
        method, given["address"], body, content_type="application/json", headers=given["headers"]
    )


def _agrees(shown: Any, got: Any) -> bool:
    if shown == ANYTHING:
        return got is not None
    if isinstance(shown, dict):
        named = {name for name in shown if name != ANYTHING}
        return (
            isinstance(got, dict)
            and (ANYTHING in shown or named == got.keys())
            and all(name in got and _agrees(shown[name], got[name]) for name in named)
        )
    if isinstance(shown, list):
        return len(shown) == len(got) and all(map(_agrees, shown, got))
    return bool(shown == got)


def test_every_example_is_answered_as_the_page_says(db: None, now) -> None:
    _, secret = keys.create("Docs", kind=Key.Kind.SECRET, scopes=["all"], now=now)
    examples = list(EXAMPLE.finditer(PAGE.read_text()))
    assert len(examples) > 12
    for example in examples:
        commands = re.split(r"\n(?=curl )", example["commands"].strip())
        for place, command in enumerate(commands):
            answer = _run(command.replace("$KEY", secret).replace("$AT", clock.now().isoformat()))
            said = json.loads(example["answer"]) if example["answer"] and place == len(commands) - 1 else {}
            assert (answer.status_code >= 400) == (said.get("status", 0) in range(400, 600)), (command, answer.content)
        if example["answer"]:
            assert _agrees(said, answer.json()), (command, answer.json())


def test_every_write_of_the_page_repeated_is_answered_the_same_and_done_once(db: None, now) -> None:
    _, secret = keys.create("Docs", kind=Key.Kind.SECRET, scopes=["all"], now=now)
    repeated = 0
    for example in EXAMPLE.finditer(PAGE.read_text()):
        for command in re.split(r"\n(?=curl )", example["commands"].strip()):
            if "--json" not in command and "-X" not in command:
                continue
            filled = command.replace("$KEY", secret).replace("$AT", clock.now().isoformat())
            filled += f' -H "Idempotency-Key: {uuid4()}"'
            first = _run(filled)
            done = _written()
            second = _run(filled)
            assert (first.status_code, first.content) == (second.status_code, second.content), command
            assert _written() == done, command
            assert second.get("Idempotent-Replayed") == (None if "/preview/" in command else "true")
            repeated += 1
    assert repeated > 10


def _written() -> tuple[int, ...]:
    return tuple(model.objects.count() for model in (AuditEntry, Pulse, RefusedUpgrade, ConsentRecord, SegmentVersion))


def test_the_page_names_every_scope() -> None:
    [sentence] = re.findall(r"A key may do what its scopes say: (.*?)\. Whoever", PAGE.read_text(), re.DOTALL)
    assert set(re.findall(r"`(\w+)`", sentence)) - {"all"} == set(scopes.RESOURCES)


@pytest.mark.parametrize("shown", [{"a": 1}, {"a": 2, "…": "…"}, {"a": 1, "b": [1]}, {"a": 1, "b": ["…", "…"]}])
def test_the_comparison_tells_what_differs(shown: dict) -> None:
    assert not _agrees(shown, {"a": 1, "b": [7]})
    assert _agrees({"a": 1, "b": ["…"]}, {"a": 1, "b": [7]})
