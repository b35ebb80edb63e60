"""Webhooks of journeys: sent once a person, signed, tried until taken, survived by whoever waits for them."""

import json
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from foundation import outgoing, registry
from foundation.admin import page_of
from foundation.errors import Invalid
from journeys import audit, calling, publishing
from journeys.models import Call
from messaging.models import Message
from profiles.models import Event, Profile
from tests.journeys.conftest import Stage, branch, send, wait
from tests.journeys.test_admin import signed_in, text
from tests.receiving import Receiver, is_signed, receiving

People = Callable[..., Profile]


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    with receiving() as found:
        settings.OUTGOING_HTTP, settings.OUTGOING_HOSTS = True, [found.host]
        yield found


@pytest.fixture
def hook(receiver: Receiver) -> Callable[..., dict[str, Any]]:
    return lambda **fields: {"key": "hook", "kind": "webhook", "url": receiver.url, **fields}


def settle(stage: Stage, **later: float) -> None:
    """All that is due is done, calls included."""
    stage.now += timedelta(**later)
    while True:
        stage.rest()
        if not calling.tick(stage.now):
            return


def test_a_call_is_made_signed_and_its_answer_decides_where_they_go(
    stage: Stage, hook: Any, receiver: Receiver, ada: Profile
) -> None:
    receiver.says(200, body=b'{"tier": "gold", "score": 7, "nested": {"a": 1}}')
    gold = {
        "kind": "event", "name": calling.ANSWERED, "window": {"since": "entry"},
        "where": [{"property": "step", "op": "is", "value": "hook"},
                  {"property": "answer.tier", "op": "is", "value": "gold"}],
    }  # fmt: skip
    body = {"name": "{{ profile.first_name }}", "plan": "{{ profile.plan }}", "n": 3, "was": "Hi {{ event.page }}!"}
    stage.journey(hook(body=body), branch("tier", gold, [send("hello")], [send("nudge", "nudge")]))
    stage.does(ada, "signed_up", page='"/a"')
    stage.rest()
    settle(stage, seconds=1)
    assert stage.story(ada) == [
        "hook entered", "hook wait", "hook advance", "tier advance:yes", "hello advance",
    ]  # fmt: skip
    [request] = receiver.received
    assert json.loads(request.body) == {"name": "Ada", "plan": "pro", "n": 3, "was": 'Hi "/a"!'}
    assert request.headers["content-type"] == "application/json"
    assert is_signed(request, outgoing.secrets()[0])
    answer = stage.enrollment(ada).context["answers"]["hook"]
    assert answer == {"tier": "gold", "score": 7, "ok": True, "status": 200}
    assert stage.messages(ada) == [("hello", "queued")]
    assert Message.objects.get().context["data"] == {"answers": {"hook": answer}}, "templates may name it"
    assert audit.breaches(stage.now) == []


def test_ss_02_every_try_has_the_same_id_and_another_moment_is_signed_anew(
    stage: Stage, hook: Any, receiver: Receiver, ada: Profile
) -> None:
    receiver.says(500, 429, 503, 200)
    stage.journey(hook(), wait("rest"))
    stage.does(ada, "signed_up")
    settle(stage)
    for _ in range(3):
        assert stage.enrollment(ada).step == "hook"
        settle(stage, minutes=3)
    assert stage.enrollment(ada).step == "rest"
    assert len(receiver.received) == 4
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
    assert all(is_signed(request, outgoing.secrets()[0]) for request in receiver.received)
    assert len({request.body for request in receiver.received}) == 1


def test_the_receiver_says_how_long_it_wants_to_be_left_alone(
    stage: Stage, hook: Any, receiver: Receiver, ada: Profile
) -> None:
    receiver.says(429, retry_after="7200")
    stage.journey(hook(), wait("rest"))
    stage.does(ada, "signed_up")
    settle(stage)
    assert Call.objects.get().due_at == stage.now + timedelta(hours=2)


@pytest.mark.parametrize(
    ("failure", "story"),
    [
        (None, ["hook wait", "hook advance", "rest wait"]),
        ("go_on", ["hook wait", "hook advance", "rest wait"]),
        ("leave", ["hook wait", "hook leave"]),
        ("park", ["hook wait", "hook retry"]),
    ],
)
def test_what_is_not_taken_parks_nobody_unless_the_document_says_so(
    stage: Stage, hook: Any, receiver: Receiver, ada: Profile, failure: str | None, story: list[str]
) -> None:
    receiver.says(410)
    stage.journey(hook(failure=failure), wait("rest"))
    stage.does(ada, "signed_up")
    settle(stage)
    assert stage.story(ada)[1:] == story
    assert len(receiver.received) == 1, "what is refused is not tried again"


def test_fm_39_an_endpoint_that_is_down_holds_nobody_longer_than_the_timeout(
    stage: Stage, hook: Any, receiver: Receiver, ada: Profile, ben: Profile
) -> None:
    receiver.says(500)
    stage.journey(hook(timeout={"hours": 2}), wait("rest"))
    for one in (ada, ben):
        stage.does(one, "signed_up")
    settle(stage)
    for _ in range(9):
        settle(stage, minutes=15)
    assert stage.enrollment(ada).step == "rest"
    assert stage.enrollment(ada).context["answers"]["hook"]["ok"] is False
    assert set(Call.objects.values_list("state", flat=True)) == {"expired"}
    assert 4 <= len(receiver.received) <= 14
    before = len(receiver.received)
    settle(stage, days=1)
    assert len(receiver.received) == before


def test_a_key_makes_calls_of_several_people_one(stage: Stage, hook: Any, receiver: Receiver, person: People) -> None:
    receiver.says(200, body=b'{"seat": 4}')
    stage.journey(hook(once_per="team-{{ profile.team }}"), wait("rest"))
    people = [person(f"p{n}", attributes={"team": "red" if n % 2 else "blue"}) for n in range(6)]
    for one in people[:5]:
        stage.does(one, "signed_up")
    settle(stage)
    stage.does(people[5], "signed_up")
    settle(stage)
    assert len(receiver.received) == 2
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 2
    for one in people:
        assert stage.enrollment(one).step == "rest"
        assert stage.enrollment(one).context["answers"]["hook"]["seat"] == 4
    # Whose person is erased while others rely on the call: it is made for them.
    receiver.says(503, 200)
    lone, other = person("lone", attributes={"team": "green"}), person("other", attributes={"team": "green"})
    for one in (lone, other):
        stage.does(one, "signed_up")
    settle(stage)
    registry.erase.ask(lone)
    settle(stage, minutes=1)
    assert stage.enrollment(other).step == "rest"
    green = [request.headers["webhook-id"] for request in receiver.received[2:]]
    assert len(green) == 2
    assert len(set(green)) == 1


def test_one_slow_host_does_not_hold_up_another(
    stage: Stage, hook: Any, receiver: Receiver, person: People, settings: Any
) -> None:
    with receiving() as other:
        settings.OUTGOING_HOSTS = [receiver.host, other.host]
        stage.journey(hook(), wait("rest"))
        stage.journey(hook(url=other.url), wait("rest"), slug="beside", trigger={"kind": "event", "name": "asked"})
        for n in range(calling.AT_ONCE + 5):
            stage.does(person(f"p{n}"), "signed_up")
        stage.now += timedelta(seconds=1)
        stage.does(person("last"), "asked")
        stage.rest()
        claimed = calling._claim(stage.now)
        assert len(claimed) == calling.TO_ONE_HOST + 1
        assert sum(one.url == other.url for one in claimed) == 1


def test_a_call_that_fails_in_a_way_that_nobody_foresaw_ends_alone(
    stage: Stage, hook: Any, receiver: Receiver, person: People, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OUTGOING_HOSTS = [receiver.host, "127.0.0.2:9"]
    connect = socket.create_connection

    def fail(address: Any, **options: Any) -> socket.socket:
        if address[1] == 9:
            raise RuntimeError("the library has a fault")
        return connect(address, **options)

    monkeypatch.setattr(socket, "create_connection", fail)
    stage.journey(hook(url="http://127.0.0.2:9/"), wait("rest"))
    stage.journey(hook(), wait("rest"), slug="beside")
    stage.does(person("ada"), "signed_up")
    settle(stage)
    assert dict(Call.objects.values_list("state", "reason")) == {
        "done": "Answered 200.",
        "queued": "Calling failed in a way that nobody foresaw (RuntimeError).",
    }


def test_a_worker_that_comes_late_writes_nothing(stage: Stage, hook: Any, receiver: Receiver, ada: Profile) -> None:
    stage.journey(hook(), wait("rest"))
    stage.does(ada, "signed_up")
    stage.rest()
    [late] = calling._claim(stage.now)
    assert calling._claim(stage.now) == [], "it has it for as long as its lease lasts"
    Call.objects.update(leased_until=stage.now - timedelta(days=400))
    [again] = calling._claim(stage.now)
    assert (again.id, again.fence, again.attempts) == (late.id, 2, 2)
    taken = outgoing.Outcome(outgoing.Result.DONE, "Answered 200.", 200)
    calling._record(late, taken, stage.now)
    assert Call.objects.get().state == "calling"
    calling._record(again, taken, stage.now)
    settle(stage)
    assert stage.enrollment(ada).step == "rest"
    assert Event.objects.filter(properties__step="hook").count() == 1


def test_whoever_is_taken_off_is_not_called_for_and_a_paused_journey_calls_nobody(
    stage: Stage, hook: Any, receiver: Receiver, ada: Profile, ben: Profile
) -> None:
    stage.journey(hook(), wait("rest"), exit={"kind": "event", "name": "gone"})
    for one in (ada, ben):
        stage.does(one, "signed_up")
    stage.rest()
    stage.now += timedelta(minutes=1)
    stage.does(ada, "gone")
    stage.rest()
    publishing.pause("onboarding", now=stage.now)
    settle(stage)
    assert receiver.received == []
    publishing.resume("onboarding", now=stage.now)
    settle(stage)
    assert len(receiver.received) == 1
    assert stage.enrollment(ben).step == "rest"
    assert Call.objects.get(enrollment__profile=ada).state == "called_off"


def test_ss_01_a_name_that_leads_inside_is_not_called(stage: Stage, ada: Profile, settings: Any) -> None:
    settings.OUTGOING_HTTP = True
    with receiving() as canary:
        stage.journey({"key": "hook", "kind": "webhook", "url": "http://localhost/latest/meta-data"}, wait("rest"))
        stage.does(ada, "signed_up")
        settle(stage)
        assert canary.received == []
    assert stage.enrollment(ada).step == "rest"
    assert Call.objects.get().reason == "The address leads into a network that is not public."
    shown = text(signed_in("publisher"), page_of(stage.enrollment(ada)))
    assert "Was not taken" in shown
    assert "leads into a network that is not public" in shown


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"url": "http://example.com/"}, "url"),
        ({"url": "https://me:secret@example.com/"}, "url"),
        ({"body": ["x"]}, "body"),
        ({"body": {"a": "{{ profile.first_name"}}, "body.a"),
        ({"body": {"a": [{"b": "{{ nobody.name }}"}]}}, "body.a[0].b"),
        ({"body": {"a": "x" * 30_000}}, "body"),
        ({"once_per": "{% include 'x' %}"}, "once_per"),
        ({"timeout": {"years": 1}}, "timeout"),
        ({"failure": "explode"}, "failure"),
    ],
)
def test_what_is_wrong_with_one_is_named(fields: dict[str, Any], path: str) -> None:
    from journeys.steps.webhook import Webhook

    document = {"key": "hook", "kind": "webhook", "url": "https://example.com/hook", **fields}
    assert [problem.path for problem in Webhook.problems(document, "steps[0]")] == [f"steps[0].{path}"]


def test_an_address_without_tls_is_not_published(stage: Stage) -> None:
    with pytest.raises(Invalid, match="must begin with https://"):
        stage.journey({"key": "hook", "kind": "webhook", "url": "http://example.com/"})


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"", {}), (b"[1]", {}), (b"{", {}), (b"\xff", {}), (b'{"a": NaN}', {}),
        (b'{"a": {"b": 1}, "c": null}', {"c": None}),
        (b'{"a": "\\u0000", "b": "\\ud800", "": 1, "n": 1e400, "big": 99999999999999999999}', {}),
        (json.dumps({f"k{n}": n for n in range(99)}).encode(), {f"k{n}": n for n in range(30)}),
        (b"[" * 100_000, {}),
    ],
)  # fmt: skip
def test_of_an_answer_only_what_is_short_and_flat_is_kept(body: bytes, kept: dict[str, Any]) -> None:
    assert calling.flat(body) == kept


def test_what_cannot_be_filled_in_is_null_and_values_keep_their_kind(
    stage: Stage, hook: Any, receiver: Receiver, person: People
) -> None:
    one = person("x", attributes={"seats": 5, "tags": ["a"], "quote": '"; \n\\'})
    body = {
        "seats": "{{ profile.seats }}", "tags": "{{profile.tags}}", "missing": "{{ profile.nothing }}",
        "mixed": "{{ profile.nothing }}!", "text": "{{ profile.seats }} seats", "quote": "{{ profile.quote }}",
        "plain": "as it is", "deep": [{"id": "{{ profile.external_id }}"}],
    }  # fmt: skip
    stage.journey(hook(body=body))
    stage.does(one, "signed_up")
    settle(stage)
    assert json.loads(receiver.received[0].body) == {
        "seats": 5, "tags": ["a"], "missing": None, "mixed": None, "text": "5 seats", "quote": '"; \n\\',
        "plain": "as it is", "deep": [{"id": "x"}],
    }  # fmt: skip


def test_without_a_body_it_says_who_and_where(stage: Stage, hook: Any, receiver: Receiver, ada: Profile) -> None:
    stage.journey(hook())
    stage.does(ada, "signed_up", plan="pro")
    settle(stage)
    sent = json.loads(receiver.received[0].body)
    assert sent["type"] == "journey.webhook"
    assert {name: sent["data"][name] for name in ("journey", "step", "external_id", "profile")} == {
        "journey": "onboarding", "step": "hook", "external_id": "ada", "profile": str(ada.pk),
    }  # fmt: skip
    assert sent["data"]["event"]["properties"] == {"plan": "pro"}


def test_a_call_that_was_parked_is_made_anew_when_staff_say_so(
    stage: Stage, hook: Any, receiver: Receiver, ada: Profile
) -> None:
    from journeys import moving

    receiver.says(404, 200)
    stage.journey(hook(failure="park"), wait("rest"))
    stage.does(ada, "signed_up")
    settle(stage)
    for _ in range(5):
        settle(stage, hours=3)
    assert stage.enrollment(ada).state == "failed"
    assert len(receiver.received) == 1
    moving.retry("onboarding", [stage.enrollment(ada).pk], now=stage.now)
    settle(stage)
    assert stage.enrollment(ada).step == "rest"
    assert len(receiver.received) == 2
    assert audit.breaches(stage.now) == []


def test_a_call_given_twice_stays_the_first(stage: Stage, hook: Any, receiver: Receiver, ada: Profile) -> None:
    stage.journey(hook(), wait("rest"))
    stage.does(ada, "signed_up")
    stage.rest()
    enrollment = stage.enrollment(ada).pk
    given = calling.Given(enrollment, "", '{"other": 1}', stage.now + timedelta(days=1))
    calling.give([given], step="hook", url=receiver.url, now=stage.now)
    assert Call.objects.get().body != given.body
    assert calling.answers("hook", [enrollment, uuid4()])[enrollment].state == "queued"
