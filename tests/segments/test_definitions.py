from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings

from consent import ledger
from consent.models import Topic
from foundation import registry
from foundation.errors import Conflict, Invalid
from profiles.models import Profile
from segments import definitions, membership
from segments.language import parse
from segments.models import Cause, Membership, MembershipChange, Segment, SegmentVersion
from staff.actors import acting_as
from staff.models import AuditEntry
from tests.segments.world import Done, did, there

pytestmark = pytest.mark.django_db
PRO = {"kind": "attribute", "name": "plan", "op": "is", "value": "pro"}
EVERYBODY: dict[str, Any] = {"all": []}


def uses(slug: str) -> dict[str, str]:
    return {"kind": "segment", "slug": slug}


def members(slug: str) -> set[Any]:
    return set(Membership.objects.filter(segment__slug=slug).values_list("profile_id", flat=True))


def test_saving_a_changed_definition_makes_a_version_with_author_and_reason(now: datetime) -> None:
    with acting_as("user:ada"):
        definitions.save("pros", definition=PRO, name="Pros", reason="A first try.", now=now)
    definitions.save("pros", definition=PRO, name="Professionals", now=now)
    definitions.save("pros", definition={"not": PRO}, reason="The other way round.", now=now)
    versions = SegmentVersion.objects.order_by("number").values_list("number", "author", "reason")
    assert list(versions) == [(1, "user:ada", "A first try."), (2, "system", "The other way round.")]
    segment = Segment.objects.get()
    assert (segment.name, segment.status) == ("Professionals", "draft")
    assert segment.version == SegmentVersion.objects.get(number=2)
    assert list(AuditEntry.objects.filter(kind="segment").order_by("id").values_list("verb", flat=True)) == [
        "create",
        "update",
        "define",
    ]


def test_a_draft_has_no_members_and_going_live_builds_it(ada: Profile, ben: Profile, now: datetime) -> None:
    definitions.save("pros", definition=PRO, now=now)
    assert members("pros") == set()
    definitions.save("pros", status="live", now=now)
    definitions.save("pros", definition={"not": PRO}, now=now + timedelta(hours=1))
    assert members("pros") == {ben.id}
    told = MembershipChange.objects.order_by("id").values_list("profile_id", "entered", "cause")
    assert next(iter(told)) == (ada.id, True, Cause.BUILD)
    assert set(list(told)[1:]) == {(ada.id, False, Cause.DEFINITION), (ben.id, True, Cause.DEFINITION)}


def test_what_uses_a_segment_follows_its_new_definition(ada: Profile, ben: Profile, now: datetime) -> None:
    definitions.save("pros", definition=PRO, status="live", now=now)
    definitions.save("others", definition={"not": uses("pros")}, status="live", now=now)
    definitions.save("others-too", definition=uses("others"), status="live", now=now)
    assert members("others-too") == {ben.id}
    definitions.save("pros", definition={"not": PRO}, now=now)
    assert members("others") == members("others-too") == {ada.id}


def test_a_circle_is_refused_and_named(now: datetime) -> None:
    definitions.save("a", definition=PRO, now=now)
    definitions.save("b", definition=uses("a"), now=now)
    definitions.save("c", definition={"any": [PRO, {"not": uses("b")}]}, now=now)
    with pytest.raises(Invalid, match="a uses c uses b uses a"):
        definitions.save("a", definition=uses("c"), now=now)
    with pytest.raises(Invalid, match="own uses own"):
        definitions.save("own", definition=EVERYBODY, now=now)
        definitions.save("own", definition=uses("own"), now=now)


def test_a_circle_by_way_of_a_family_is_refused(now: datetime) -> None:
    definitions.save("first", definition=PRO, family="stage", position=1, now=now)
    definitions.save("second", definition=EVERYBODY, family="stage", position=2, now=now)
    with pytest.raises(Invalid, match="circle"):
        definitions.save("first", definition=uses("second"), now=now)


def test_what_is_not_there_is_named_with_its_path(now: datetime) -> None:
    speaks = {
        "segment": ("all[0].slug", uses("nowhere")),
        "journey": ("all[0].not.slug", {"not": {"kind": "journey", "slug": "nowhere", "status": "entered"}}),
        "topic": ("all[0].topic", {"kind": "consent", "topic": "nowhere", "channel": "email", "state": "granted"}),
    }
    for kind, (path, condition) in speaks.items():
        for act in (
            lambda condition=condition: definitions.save("a", definition={"all": [condition]}, now=now),
            lambda condition=condition: definitions.preview({"all": [condition]}, at=now),
        ):
            with pytest.raises(Invalid, match=f"There is no {kind} “nowhere”") as refused:
                act()
            assert refused.value.problems[0].path.endswith(path)


def test_what_a_segment_speaks_of_knows_that_it_is_used(now: datetime) -> None:
    for kind, slug, condition in (
        ("topic", "news", {"kind": "consent", "topic": "news", "channel": "email", "state": "granted"}),
        ("journey", "hello", {"kind": "message", "status": "sent", "journey": "hello"}),
        ("template", "welcome", {"kind": "message", "status": "sent", "template": "welcome"}),
    ):
        definitions.save(f"of-{kind}", name=f"Of {kind}", definition=there(condition), now=now)
        said = [one for answer in registry.references.ask(kind, slug) for one in answer]
        assert said == [f"Segment “Of {kind}” uses it"]


def test_archiving_is_refused_while_something_uses_it(ada: Profile, now: datetime) -> None:
    definitions.save("pros", definition=PRO, status="live", now=now)
    definitions.save("others", definition={"not": uses("pros")}, name="The others", now=now)
    with pytest.raises(Conflict, match="The others"):
        definitions.archive("pros", now=now)
    definitions.archive("others", now=now)
    assert definitions.archive("pros", reason="Nobody asks.", now=now).status == "archived"
    assert members("pros") == set()


def test_a_preview_counts_the_known_and_the_anonymous_apart(
    ada: Profile, ben: Profile, cleo: Profile, now: datetime
) -> None:
    found = definitions.preview(EVERYBODY, at=now)
    assert (found.count, found.anonymous, found.members, found.sentence) == (2, 1, ["ada", "ben"], "Everybody")
    assert definitions.preview(EVERYBODY, at=now, limit=1).members == ["ada"]
    found = definitions.preview({"any": [{"not": PRO}]}, at=now)
    assert (found.members, found.as_of_now) == (["ben"], ["any[0].not"])


def test_a_refresh_tells_what_it_changed(ada: Profile, ben: Profile, now: datetime) -> None:
    segment = definitions.save("pros", definition=PRO, status="live", now=now)
    Profile.objects.filter(id=ada.id).update(attributes={})
    Profile.objects.filter(id=ben.id).update(attributes={"plan": "PRO"})
    assert definitions.refresh(segment, now) == (1, 1, 1)
    assert definitions.refresh(segment, now) == (0, 0, 1)


def test_what_a_refresh_found_reaches_the_journeys_once(ada: Profile, now: datetime) -> None:
    from django.db import transaction

    from profiles import pulses

    segment = definitions.save("pros", definition={"not": PRO}, status="live", now=now)
    definitions.save("not-pros", definition={"not": uses("pros")}, status="live", now=now)
    Profile.objects.filter(id=ada.id).update(attributes={})
    assert definitions.refresh(segment, now) == (1, 0, 1)
    with transaction.atomic():
        changes = membership.refresh(pulses.claim(10, now=now), now=now)
    assert [(c.slug, c.entered, c.cause, c.triggers) for c in changes] == [
        ("pros", True, Cause.TIME, True),
        ("not-pros", False, Cause.TIME, True),
    ]
    with transaction.atomic():
        assert membership.refresh(pulses.claim(10, now=now), now=now) == []


def test_a_refresh_leaves_old_data_without_a_trigger(ada: Profile, now: datetime) -> None:
    from django.db import transaction

    from profiles import pulses
    from profiles.models import Pulse

    segment = definitions.save("pros", definition={"not": PRO}, status="live", now=now)
    Profile.objects.filter(id=ada.id).update(attributes={})
    pulses.touch([ada.id], cause=Pulse.Cause.HISTORY, now=now, attributes=["plan"])
    definitions.refresh(segment, now)
    with transaction.atomic():
        [change] = membership.refresh(pulses.claim(10, now=now), now=now)
    assert (change.cause, change.triggers) == (Cause.HISTORY, False)


@override_settings(SEGMENT_TIMEOUT_SECONDS=0.001)
def test_a_segment_that_takes_too_long_is_flagged_and_keeps_its_members(
    person: Callable[..., Profile], ada: Profile, now: datetime
) -> None:
    with override_settings(SEGMENT_TIMEOUT_SECONDS=60):
        segment = definitions.save("pros", definition=PRO, status="live", now=now)
    for n in range(300):
        person(f"person-{n}", attributes={"plan": "pro" * 200})
    slow = {"any": [{**PRO, "op": "contains", "value": f"o{n}" * 30} for n in range(190)]}
    definitions.save("pros", definition=slow, now=now)
    segment.refresh_from_db()
    assert "longer" in segment.flagged
    assert members("pros") == {ada.id}
    with pytest.raises(Conflict, match="longer"):
        definitions.refresh(segment, now)


def test_people_are_put_into_a_static_segment_by_hand(ada: Profile, ben: Profile, now: datetime) -> None:
    segment = definitions.save("beta", kind="static", status="live", now=now)
    definitions.save("not-beta", definition={"not": uses("beta")}, status="live", now=now)
    [change] = membership.add(segment, [ada.id], now=now)
    assert (change.cause, change.triggers) == (Cause.HAND, False)
    assert membership.add(segment, [ada.id], now=now) == []
    assert members("beta") == {ada.id}
    assert definitions.preview(uses("beta"), at=now).members == ["ada"]
    [change] = membership.remove(segment, [ada.id, ben.id], now=now)
    assert (change.profile_id, change.entered) == (ada.id, False)
    dynamic = definitions.save("pros", definition=PRO, status="live", now=now)
    with pytest.raises(Conflict):
        membership.add(dynamic, [ada.id], now=now)


def test_membership_is_that_of_the_moment_asked_about(ada: Profile, now: datetime) -> None:
    segment = definitions.save("beta", kind="static", status="live", now=now)
    hours = [now + timedelta(hours=n) for n in range(8)]
    for n, act in ((1, membership.add), (3, membership.remove), (5, membership.add)):
        act(segment, [ada.id], now=hours[n])
    condition = parse(uses("beta"))
    found = [bool(condition.matching(None, at=at)) for at in hours]
    assert found == [False, True, True, False, False, True, True, True]
    assert [bool(condition.matching([ada.id], at=at)) for at in hours] == found


def topic() -> None:
    Topic.objects.create(
        slug="news", name="News", description="What is new.", purpose="To tell it.", channels=["email"]
    )


def test_consent_is_that_of_the_moment_asked_about(ada: Profile, ben: Profile, now: datetime) -> None:
    from consent.models import ConsentRecord

    def say(state: str, at: datetime, topic: str = "news", channel: str = "email") -> None:
        ledger.record(
            [
                ledger.Choice(
                    profile_id=ada.id,
                    topic=topic,
                    channel=channel,
                    state=state,
                    source=ConsentRecord.Source.PAGE,
                    occurred_at=at,
                )
            ],
            now=at,
        )

    topic()
    hours = [now + timedelta(hours=n) for n in range(7)]
    say("granted", hours[1])
    say("denied", hours[3])
    say("granted", hours[5])

    def at(hour: datetime, state: str) -> set[Any]:
        leaf = {"kind": "consent", "topic": "news", "channel": "email", "state": state}
        return parse(leaf).matching(None, at=hour)

    states = ["unset", "granted", "granted", "denied", "denied", "granted", "granted"]
    for hour, expected in zip(hours, states, strict=True):
        for state in ("granted", "denied", "unset"):
            assert (ada.id in at(hour, state)) == (state == expected)
            assert (ben.id in at(hour, state)) == (state == "unset")


def test_a_refusal_of_everything_is_one_of_a_topic_without_a_choice_of_its_own(ada: Profile, now: datetime) -> None:
    from consent.models import ConsentRecord

    topic()
    everything = ledger.Choice(
        profile_id=ada.id,
        topic="*",
        channel="*",
        state="denied",
        source=ConsentRecord.Source.PAGE,
        occurred_at=now,
    )
    ledger.record([everything], now=now)
    leaf = {"kind": "consent", "topic": "news", "channel": "email", "state": "denied"}
    assert parse(leaf).matching(None, at=now) == {ada.id}
    assert parse({**leaf, "state": "unset"}).matching(None, at=now) == set()


def test_a_merge_moves_what_was_put_in_by_hand_and_drops_the_rest(ada: Profile, cleo: Profile, now: datetime) -> None:
    from profiles.merging import Pair
    from segments import answers

    static = definitions.save("beta", kind="static", status="live", now=now)
    definitions.save("all", definition=EVERYBODY, status="live", now=now)
    membership.add(static, [cleo.id], now=now)
    answers.absorb([Pair(survivor_id=ada.id, absorbed_id=cleo.id)])
    assert members("beta") == members("all") == {ada.id}
    assert not MembershipChange.objects.filter(profile_id=cleo.id).exists()
    assert MembershipChange.objects.filter(profile_id=ada.id, segment=static).get().cause == Cause.MERGE


def test_an_erasure_leaves_nothing(ada: Profile, now: datetime) -> None:
    from segments import answers

    did([(ada.id, Done("a", now))])
    definitions.save("all", definition=EVERYBODY, status="live", now=now)
    assert answers.export(ada)["segments"][0]["segment"] == "All"
    answers.erase(ada)
    assert not Membership.objects.exists() and not MembershipChange.objects.exists()


def test_it_is_known_which_segments_use_what(now: datetime) -> None:
    from foundation import registry

    definitions.save("a", definition={"all": [PRO, {"kind": "event", "name": "signed_up"}]}, name="A", now=now)
    definitions.save("b", definition=uses("a"), name="B", now=now)
    for kind, slug, user in (("segment", "a", "B"), ("event", "signed_up", "A"), ("attribute", "plan", "A")):
        assert [f"Segment “{user}” uses it"] in registry.references.ask(kind, slug)
