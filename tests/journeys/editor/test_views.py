"""The editor's pages as a browser asks for them: what is swapped, what is refused, what is kept, and who may."""

import copy
import re
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation import clock
from journeys import kinds, publishing
from journeys.editor import edits, flow, shape
from journeys.editor.comparing import compared
from journeys.editor.known import Known
from journeys.editor.panels import panel
from journeys.models import Enrollment, Journey
from profiles.models import Profile
from segments.editor.tree import fields_of
from segments.editor.values import flat
from staff.models import AuditEntry, User
from tests.journeys.conftest import Stage, branch, leave, send, wait
from tests.journeys.editor.test_merging import documents, done, some_edit

pytestmark = pytest.mark.django_db
FEATURE = {"kind": "event", "name": "feature_used"}


def signed_in(*groups: str) -> Client:
    user = User.objects.create_user("olga", is_staff=True)
    user.groups.set(Group.objects.filter(name__in=groups))
    client = Client()
    client.force_login(user)
    return client


class Browser:
    """What a browser knows: the revision that it has drawn, and the pieces that came last."""

    def __init__(self, client: Client, journey: Journey) -> None:
        self.client, self.journey, self.revision, self.came = client, journey, 0, ""
        self.take(client.get(self.at("edit/")))

    def at(self, more: str) -> str:
        return f"/admin/journeys/journey/{self.journey.pk}/{more}"

    def take(self, answer: Any) -> str:
        assert answer.status_code == 200, answer.status_code
        self.came = answer.content.decode()
        if found := re.search(r'name="revision" value="(\d+)"', self.came):
            self.revision = int(found[1])
        return self.came

    def act(self, do: str, **sent: str) -> str:
        sent = {"revision": str(self.revision), "do": do, **sent}
        return self.take(self.client.post(self.at("edit/act/"), sent, headers={"HX-Request": "true"}))

    def open(self, name: str) -> str:
        return self.take(self.client.get(self.at(f"edit/panel/{name}/"), headers={"HX-Request": "true"}))

    def save(self, name: str, **sent: str) -> str:
        sent = {"revision": str(self.revision), "upon": str(self.revision), "do": "save", **sent}
        return self.take(self.client.post(self.at(f"edit/panel/{name}/"), sent, headers={"HX-Request": "true"}))

    @property
    def draft(self) -> Any:
        version = publishing.draft_of(self.journey) or self.journey.version
        return version.document if version else None


def long(count: int = 50) -> dict[str, Any]:
    steps: list[Any] = []
    for number in range(count // 5):
        steps += [send(f"m{number}"), wait(f"w{number}")]
        steps.append(branch(f"b{number}", FEATURE, [send(f"x{number}")], [leave(f"y{number}")]))
    return {"entry": {"trigger": {"kind": "event", "name": "signed_up"}}, "steps": steps}


def begun(document: Any, slug: str = "welcome") -> Journey:
    return publishing.begin(slug, name="Welcome", document=document, now=clock.now())


# ── Swapping ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def cards_in(page: str) -> set[str]:
    return set(re.findall(r'id="card-([^"]+)"', page))


def test_an_edit_of_fifty_steps_swaps_what_changed_alone_and_asks_a_bounded_number_of_questions(stage: Stage) -> None:
    browser = Browser(signed_in("author"), begun(long()))
    assert len(cards_in(browser.came)) == 50
    with CaptureQueriesContext(connection) as asked:
        assert cards_in(browser.act("insert", at="after:w3", kind="wait")) == {"wait"}
    assert len(asked) < 40
    assert cards_in(browser.save("step/w4", **{"f.which": "for", "f.for.n": "9", "f.for.unit": "days"})) == {"w4"}
    assert "Wait for 9 days" in browser.came
    moved = browser.act("move", key="b1", at="after:m7")
    assert cards_in(moved) == {"b1", "x1", "y1"}
    assert '<div id="step-b1" hx-swap-oob="delete"></div>' in moved
    deleted = browser.act("delete", key="b1")
    assert cards_in(deleted) == set() and 'id="step-b1"' in deleted
    assert cards_in(browser.act("undo")) == {"b1", "x1", "y1"}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_what_is_swapped_turns_the_old_flow_into_the_new_one(db: None, data: Any) -> None:
    before = data.draw(documents())
    edit = some_edit(data.draw, before, "ada")
    after = done(edit, before)
    old, new = flow.drawn(before), flow.drawn(after)
    drawn = swapped(old, flow.swaps(old, new))
    assert drawn == tree(new.cards)


def tree(cards: list[flow.Card]) -> list[Any]:
    return [(card.key, card.face, [(way.key, way.sentence, tree(way.cards)) for way in card.ways]) for card in cards]


def swapped(old: flow.Flow, swaps: list[flow.Swap]) -> list[Any]:
    """What a browser makes of it: the lists by their ids, each of cards by the ids of their places."""
    drawn = copy.deepcopy(old)
    lists: dict[str, list[flow.Card]] = {}

    def look(cards: list[flow.Card], own: str) -> None:
        lists[own] = cards
        for card in cards:
            for way in card.ways:
                look(way.cards, way.name)

    look(drawn.cards, "")
    for swap in swaps:
        home = {card.id: (cards, card) for cards in lists.values() for card in cards}
        if swap.how == "delete":
            cards, card = home[swap.id.removeprefix("step-")]
            cards.remove(card)
        elif swap.template == "step" and swap.card:
            place = swap.how.removeprefix("afterend:#")
            if place.startswith("head-"):
                [cards] = [cards for own, cards in lists.items() if flow.id_of(own) == place.removeprefix("head-")]
                cards.insert(0, copy.deepcopy(swap.card))
            else:
                cards, card = home[place.removeprefix("step-")]
                cards.insert(cards.index(card) + 1, copy.deepcopy(swap.card))
        elif swap.template in ("card", "ways") and swap.card:
            cards, card = home[swap.card.id]
            fresh = copy.deepcopy(swap.card)
            if swap.template == "card":
                fresh.ways = card.ways
            else:
                card.ways = fresh.ways
                fresh = card
            cards[cards.index(card)] = fresh
        elif swap.template == "way" and swap.card and swap.way:
            _, card = home[swap.card.id]
            next(way for way in card.ways if way.key == swap.way.key).sentence = swap.way.sentence
        lists.clear()
        look(drawn.cards, "")
    return tree(drawn.cards)


# ── Panels ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("kind", list(kinds.steps), ids=lambda kind: kind.key)
def test_the_form_of_every_kind_of_step_says_what_the_document_says(stage: Stage, kind: type[kinds.Step]) -> None:
    step = {"key": "here", **copy.deepcopy(dict(kind.example))}
    if kind.key == "message":
        step["template"] = "hello"
    document = {**shape.empty(), "steps": [step]}
    names = ["step/here", *(f"way/here/{one.given['key']}" for one in shape.arms(step))]
    for name in names:
        shown = panel(document, name, Known())
        sent = dict(filled(shown))
        edit = panel(document, name, Known(), sent).edit()
        assert edit is not None
        assert edit.apply(document) == document


def filled(shown: Any) -> list[tuple[str, str]]:
    """What a browser sends of a panel that nobody touched."""
    found = [pair for sheet in shown.sheets for pair in flat(sheet.values, sheet.root)]
    found += [(f"{one.root}.key", one.key) for one in getattr(shown, "inline", [])]
    if shown.asks is not None:
        found += fields_of(shown.asks.root)
    return found


@pytest.mark.parametrize("kind", list(kinds.triggers), ids=lambda kind: kind.key)
def test_the_form_of_every_kind_of_start_says_what_the_document_says(stage: Stage, kind: type[kinds.Trigger]) -> None:
    document = {**shape.empty(), "entry": {"trigger": dict(kind.example)}}
    shown = panel(document, "part/trigger/0", Known())
    edit = panel(document, "part/trigger/0", Known(), dict(filled(shown))).edit()
    assert edit is not None and edit.apply(document) == document


def test_a_new_step_of_every_kind_says_what_is_to_be_filled_in(stage: Stage) -> None:
    browser = Browser(signed_in("author"), begun(shape.empty()))
    for kind in kinds.steps:
        browser.act("insert", at="in:", kind=kind.key)
        assert "panel-form" in browser.came
    page = browser.take(browser.client.get(browser.at("edit/")))
    for said in ("Choose a template.", "Say who goes this way.", "Say what they do.", "Choose a team."):
        assert said in page, said
    assert not re.search(r"is missing|must be|\{&#x27;", page)


def test_what_cannot_be_read_is_said_beside_it_and_stays_as_it_was_typed(stage: Stage) -> None:
    browser = Browser(signed_in("author"), begun({**shape.empty(), "steps": [wait("pause")]}))
    before = browser.draft
    shown = browser.save("step/pause", **{"f.which": "for", "f.for.n": "soon", "f.for.unit": "days"})
    assert "Type a number." in shown and 'value="soon"' in shown
    assert browser.draft == before


@pytest.mark.parametrize("name", ["step/none", "way/a/b", "part/none", "part/trigger/7", "x", "step/%00"])
def test_what_is_not_there_is_told_and_never_an_error(stage: Stage, name: str) -> None:
    browser = Browser(signed_in("author"), begun(shape.empty()))
    assert browser.client.get(browser.at(f"edit/panel/{name}/"), headers={"HX-Request": "true"}).status_code == 200
    for sent in ({"do": "none"}, {"do": "move", "key": "x"}, {"do": "paste"}, {"do": "remove_trigger", "number": "²"}):
        assert browser.client.post(browser.at("edit/act/"), sent, headers={"HX-Request": "true"}).status_code == 200


def test_steps_and_ways_are_copied_within_a_journey_and_to_another_one(stage: Stage) -> None:
    client = signed_in("author")
    first = Browser(client, begun({**shape.empty(), "steps": [branch("fork", FEATURE, [wait("w")], [])]}))
    second = Browser(client, begun({**shape.empty(), "steps": [branch("other", FEATURE, [], [])]}, slug="second"))
    first.act("copy", key="fork")
    second.act("paste", at="after:other")
    assert shape.keys(second.draft) == {"other", "fork", "w"}
    second.act("paste", at="after:other")
    assert {"fork-2", "w-2"} < shape.keys(second.draft)
    first.act("copy_way", key="fork", arm="yes")
    second.act("paste_way", key="other")
    assert [one.given["key"] for one in shape.arms(shape.find(second.draft, "other").step)] == ["yes", "yes-2", "no"]
    first.act("cut", key="w")
    first.act("paste", at="in:fork/no")
    assert shape.find(first.draft, "w").list == "fork/no", "what was cut comes back as itself"


def test_what_is_said_of_the_whole_is_kept_and_told(stage: Stage) -> None:
    browser = Browser(signed_in("author"), begun({**shape.empty(), "steps": [wait("w")]}))
    browser.save("part/settings", **{"f.priority.is": "10", "h.failed.is": "5"})
    assert "Priority 10; pauses itself above 5 failed" in browser.came
    browser.save("part/reentry", rule="again", **{"f.gap.n": "30", "f.gap.unit": "days"})
    rule = {"rule": "again", "gap": {"days": 30}}
    assert browser.draft["entry"]["reentry"] == rule
    assert (browser.draft["priority"], browser.draft["pauses_above"]) == (10, {"failed": 5})
    browser.save("part/settings", **{"f.priority.is": "1000"})
    assert "Must be a whole number from -100 to 100" in browser.came
    browser.save("part/settings", **{"f.priority.is": ""})
    assert "priority" not in browser.draft and "pauses_above" not in browser.draft


def test_whoever_may_only_look_may_not_draw(stage: Stage) -> None:
    journey = begun(shape.empty())
    client = signed_in("viewer")
    for more in ("edit/", "edit/panel/part/goal/", "edit/palette/", "edit/pulse/", "check/", "edit/saying/"):
        assert client.get(f"/admin/journeys/journey/{journey.pk}/{more}").status_code == 403, more
    assert client.post(f"/admin/journeys/journey/{journey.pk}/edit/act/", {"do": "undo"}).status_code == 403
    assert client.get("/admin/journeys/journey/add/").status_code == 403


def test_without_scripts_every_button_leads_to_the_page_as_it_then_is(stage: Stage) -> None:
    client, journey = signed_in("author"), begun(shape.empty())
    at = f"/admin/journeys/journey/{journey.pk}/edit/"
    assert "What should happen?" in client.get(f"{at}palette/?at=in:").content.decode()
    answer = client.post(f"{at}act/", {"do": "insert", "at": "in:", "kind": "wait"}, follow=True)
    assert "panel-form" in answer.content.decode() and "Wait for 2 days" in answer.content.decode()
    sent = {"do": "save", "f.which": "for", "f.for.n": "4", "f.for.unit": "hours"}
    assert "Wait for 4 hours" in client.post(f"{at}panel/step/wait/", sent, follow=True).content.decode()


# ── Before publishing, and afterwards ────────────────────────────────────────────────────────────────────────────────
def test_the_list_before_publishing_says_what_to_mend_and_what_to_think_about(stage: Stage) -> None:
    client = signed_in("author")
    browser = Browser(client, begun({**long(5), "steps": [send("a", "gone"), {"key": "b", "kind": "message"}]}))
    page = client.get(browser.at("check/")).content.decode()
    for said in (
        "2 to mend first",
        "Choose a template.",
        "is gone. Choose another.",
        "It has no goal",
        "no quiet hours",
    ):
        assert said in page, said
    stage.journey(wait("w"), slug="other", trigger={"kind": "event", "name": "signed_up"})
    publishing.save("welcome", name="Welcome", document=long(5), now=stage.now)
    page = client.get(browser.at("check/")).content.decode()
    assert "Nothing stands in its way" in page and "Some may be on “<bdi>Other" in page.replace("“Other", "“<bdi>Other")
    assert "Ask somebody with the role" in page and 'id="publish"' not in page
    assert client.post(browser.at("check/"), {"upon": str(browser.revision)}).status_code == 403


def test_what_becomes_of_those_on_the_way_is_chosen_when_it_is_published(stage: Stage, ada: Profile) -> None:
    client = signed_in("publisher")
    journey = stage.journey(wait("pause"), send("hello"))
    stage.does(ada, "signed_up")
    stage.rest()
    browser = Browser(client, journey)
    browser.act("delete", key="pause")
    page = client.get(browser.at("check/")).content.decode()
    assert "1 person stands" in page and "Choose what becomes of them" in page
    upon = {"upon": str(browser.revision), "reason": "Too slow"}
    refused = client.post(browser.at("check/"), upon)
    assert refused.status_code == 409 and "People stand on steps" in refused.content.decode()
    sent = {**upon, "plan.1.pause": "move", "plan.1.pause.to": "hello"}
    assert client.post(browser.at("check/"), sent).status_code == 302
    stage.rest()
    assert Enrollment.objects.get(profile=ada).version.number == 2
    assert AuditEntry.objects.get(verb="publish", actor="user:olga").details["reason"] == "Too slow"


def test_who_stands_at_a_step_is_helped_on_with_a_reason(stage: Stage, ada: Profile, ben: Profile) -> None:
    client = signed_in("support")
    journey = stage.journey(wait("pause"), wait("later", days=9))
    for person in (ada, ben):
        stage.does(person, "signed_up")
    stage.rest()
    at = f"/admin/journeys/journey/{journey.pk}/people/?step=pause"
    page = client.get(at).content.decode()
    assert "Ada" in page and "Ben" in page
    of = {person: str(stage.enrollment(person).pk) for person in (ada, ben)}
    said = client.post(at, {"who": of[ada], "do": "exit", "reason": ""}, follow=True).content.decode()
    assert "Say why" in said and stage.enrollment(ada).state == "active"
    said = client.post(at, {"who": of[ada], "do": "exit", "reason": "They asked"}, follow=True).content.decode()
    assert "Done for 1 person." in said and stage.enrollment(ada).state == "exited"
    client.post(at, {"who": of[ben], "do": "move", "to": "later", "reason": "They waited enough"})
    assert stage.enrollment(ben).step == "later"
    assert "<b>1</b> here now" in client.get(f"/admin/journeys/journey/{journey.pk}/change/?period=7").content.decode()


def test_two_versions_are_told_apart_step_by_step_and_one_is_put_back(stage: Stage) -> None:
    client = signed_in("publisher")
    first = [wait("pause"), branch("fork", FEATURE, [wait("w")], []), leave("bye")]
    journey = stage.journey(*first)
    second = [leave("bye"), wait("pause", days=5), branch("fork", FEATURE, [], [wait("w"), wait("n")])]
    stage.journey(*second)
    journey.refresh_from_db()
    old, new = (row.document for row in journey.versions.order_by("number"))
    told = {(line.state, line.text) for line in compared(old, new).lines if line.state != "same"}
    assert {("changed", "Wait for 5 days"), ("moved", "Wait for 2 days"), ("new", "Wait for 2 days")} <= told
    page = client.get(f"/admin/journeys/journey/{journey.pk}/versions/?from=1&to=2").content.decode()
    assert "was: <bdi>Wait for 2 days</bdi>" in page
    client.post(f"/admin/journeys/journey/{journey.pk}/versions/", {"restore": "1"})
    draft = publishing.draft_of(journey)
    assert draft is not None and draft.document == old
    assert compared(old, old).differs == 0


def test_fresh_steps_never_take_the_key_of_one_that_people_passed(stage: Stage) -> None:
    journey = stage.journey(wait("wait"))
    browser = Browser(signed_in("author"), journey)
    browser.act("insert", at="after:wait", kind="wait")
    browser.act("delete", key="wait")
    assert "wait-2" in shape.keys(browser.draft)
    browser.act("insert", at="after:wait-2", kind="wait")
    assert "wait" not in shape.keys(browser.draft)
    assert edits.begun("wait", {"wait", "wait-2"})["key"] == "wait-3"
