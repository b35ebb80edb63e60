"""What single kinds of steps decide, and how journeys with them are played."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from django.db.models import Min

from journeys import audit, hours, publishing
from journeys.models import Assignment, Enrollment
from journeys.steps.split import Split, bucket
from messaging.models import Message
from profiles import ingest, merging
from profiles.identity import Trust
from profiles.merging import Pair
from profiles.models import Profile
from segments import definitions
from segments.models import Membership
from tests.journeys.conftest import Person, Stage, send, wait

# ── Split ────────────────────────────────────────────────────────────────────────────────────────────────────────────
VECTORS = [("exp", "00000000-0000-0000-0000-000000000001", 5681), ("a:b", "ada", 1837), ("", "", 4368)]


def split(*weights: float, key: str = "split", salt: str = "exp") -> dict[str, Any]:
    arms = [{"key": f"arm{n}", "weight": weight, "steps": []} for n, weight in enumerate(weights)]
    return {"key": key, "kind": "split", "salt": salt, "arms": arms}


@pytest.mark.parametrize(("salt", "unit", "number"), VECTORS)
def test_ex_01_the_hash_is_the_one_that_is_written_down(salt: str, unit: str, number: int) -> None:
    assert bucket(salt, unit) == number


def test_ex_01_shares_are_what_the_weights_say_and_salts_know_nothing_of_each_other() -> None:
    people = [UUID(int=n) for n in range(20_000)]
    one, other = (Split("s", split(50, 30, 20, salt=salt)) for salt in ("one", "other"))
    first = Counter(one.drawn("j", unit) for unit in people)
    for arm, share in (("arm0", 0.5), ("arm1", 0.3), ("arm2", 0.2)):
        assert abs(first[arm] / len(people) - share) < 0.015
    both = Counter((one.drawn("j", unit), other.drawn("j", unit)) for unit in people)
    assert abs(both["arm0", "arm0"] / len(people) - 0.25) < 0.015


def test_ex_02_nobody_is_moved_when_weights_change(stage: Stage, person: Person) -> None:
    stage.journey(split(50, 50), wait("pause"), reentry={"rule": "again"})
    people = [person(f"p{n}") for n in range(40)]
    for one in people:
        stage.does(one, "signed_up")
    stage.rest()
    before = dict(Assignment.objects.values_list("profile", "arm"))
    assert set(before.values()) == {"arm0", "arm1"}
    stage.journey(split(1, 99), wait("pause"), reentry={"rule": "again"})
    stage.go_on(days=2)
    for one in people:
        stage.does(one, "signed_up")
    stage.rest()
    assert Enrollment.objects.count() == 80
    assert dict(Assignment.objects.values_list("profile", "arm")) == before
    again = Enrollment.objects.filter(state="active").values_list("profile", "context__variant")
    assert dict(again) == before
    assert audit.breaches(stage.now) == []


def test_the_arm_goes_with_the_messages_behind_it(stage: Stage, ada: Profile) -> None:
    from messaging.models import Message

    stage.journey(split(1), send("hello"))
    stage.does(ada, "signed_up")
    stage.rest()
    assert Message.objects.get().variant == "arm0"


def test_ex_02_a_merge_keeps_the_arm_that_was_drawn_first(stage: Stage, ada: Profile, person: Person) -> None:
    device = person("device")
    at = stage.now
    for one, arm, when in ((ada, "b", at), (device, "a", at - timedelta(days=1))):
        Assignment.objects.create(journey="x", step="s", profile=one, arm=arm, at=when)
    Assignment.objects.create(journey="y", step="s", profile=device, arm="c", at=at)
    merging.merge([Pair(ada.id, device.id)], reason="They are one.", now=stage.now)
    assert dict(Assignment.objects.filter(profile=ada).values_list("journey", "arm")) == {"x": "a", "y": "c"}
    assert Assignment.objects.count() == 2


def identify(person: Profile, now: datetime, **traits: Any) -> None:
    """Somebody says something of themselves; nothing looks at it yet."""
    call = {"type": "identify", "userId": person.external_id, "traits": traits, "messageId": str(uuid4()),
            "timestamp": now.isoformat()}  # fmt: skip
    ingest.take([call], source="test", trust=Trust.SERVER, now=now, sent_at=now)


# ── Waits ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def until(name: str | None, since: str, at: str, *days: int) -> str:
    moment = hours.following(
        datetime.fromisoformat(since), time.fromisoformat(at), days or tuple(range(1, 8)), name
    )  # fmt: skip
    return moment.astimezone(UTC).isoformat()


@pytest.mark.parametrize(
    ("name", "since", "at", "days", "expected"),
    [
        ("Europe/Berlin", "2026-11-24T07:59+00:00", "09:00", (), "2026-11-24T08:00:00+00:00"),
        ("Europe/Berlin", "2026-11-24T08:00+00:00", "09:00", (), "2026-11-24T08:00:00+00:00"),
        ("Europe/Berlin", "2026-11-24T08:01+00:00", "09:00", (), "2026-11-25T08:00:00+00:00"),
        ("America/New_York", "2026-11-27T15:00+00:00", "09:00", (1, 2, 3, 4, 5), "2026-11-30T14:00:00+00:00"),
        ("Pacific/Kiritimati", "2026-11-24T11:00+00:00", "00:30", (), "2026-11-25T10:30:00+00:00"),
        # FM-26: 02:30 does not exist on that day; half past three does.
        ("Europe/Berlin", "2027-03-27T12:00+00:00", "02:30", (), "2027-03-28T01:30:00+00:00"),
        # FM-27: 02:30 comes twice; the first counts.
        ("Europe/Berlin", "2027-10-30T12:00+00:00", "02:30", (), "2027-10-31T00:30:00+00:00"),
        # FM-29: bad zones count as the project's (UTC), and a day that was left out is passed over.
        ("Mars/Phobos", "2026-11-24T07:00+00:00", "09:00", (), "2026-11-24T09:00:00+00:00"),
        ("../../etc/passwd", "2026-11-24T07:00+00:00", "09:00", (), "2026-11-24T09:00:00+00:00"),
        (None, "2026-11-24T07:00+00:00", "09:00", (), "2026-11-24T09:00:00+00:00"),
        ("Pacific/Apia", "2011-12-30T00:00+00:00", "09:00", (), "2011-12-30T19:00:00+00:00"),
    ],
)
def test_a_time_of_day_is_the_persons_own(
    name: str | None, since: str, at: str, days: tuple[int, ...], expected: str
) -> None:
    assert until(name, since, at, *days) == expected


def test_somebody_waits_until_nine_where_they_live(stage: Stage, ada: Profile, ben: Profile) -> None:
    Profile.objects.filter(pk=ada.pk).update(timezone="Asia/Tokyo")
    step = {"key": "nine", "kind": "wait", "until": {"time": "09:00", "weekdays": [1, 2, 3, 4, 5]}}
    stage.journey(step, send("hello"))
    for one in (ada, ben):
        stage.does(one, "signed_up")
    stage.rest()
    assert stage.enrollment(ada).due_at == datetime(2026, 11, 25, 0, 0, tzinfo=UTC)
    assert stage.enrollment(ben).due_at == datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
    stage.go_on(hours=14)
    assert (stage.enrollment(ada).state, stage.enrollment(ben).state) == ("completed", "active")


def test_fm_29_whoever_moves_while_they_wait_waits_until_nine_where_they_live_now(stage: Stage, ada: Profile) -> None:
    stage.journey({"key": "nine", "kind": "wait", "until": {"time": "09:00"}}, send("hello"))
    stage.does(ada, "signed_up")
    stage.rest()
    for zone, hour in (("America/New_York", 14), ("Asia/Tokyo", 0), ("Europe/London", 9)):
        identify(ada, stage.now, timezone=zone)
        stage.rest()
        assert stage.enrollment(ada).due_at == datetime(2026, 11, 24 if hour == 14 else 25, hour, 0, tzinfo=UTC), zone
    identify(ada, stage.now, timezone="Asia/Tokyo")
    stage.rest()
    stage.go_on(hours=14)
    assert stage.enrollment(ada).state == "completed"


def test_whoever_waits_for_a_date_that_changes_waits_for_the_new_one(stage: Stage, ada: Profile) -> None:
    identify(ada, stage.now, renews_at="2026-12-24T00:00:00Z")
    stage.journey({"key": "soon", "kind": "wait", "until_date": {"attribute": "renews_at"}}, send("hello"))
    stage.does(ada, "signed_up")
    stage.rest()
    stage.now += timedelta(minutes=1)
    identify(ada, stage.now, renews_at="2026-11-26T00:00:00Z")
    stage.rest()
    assert stage.enrollment(ada).due_at == datetime(2026, 11, 26, tzinfo=UTC)
    stage.now += timedelta(minutes=1)
    identify(ada, stage.now, renews_at=None)
    stage.rest()
    assert stage.enrollment(ada).state == "completed"


ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu")


@pytest.mark.parametrize("zone", ZONES)
def test_fm_26_fm_27_half_past_two_comes_once_a_day_for_two_years(zone: str) -> None:
    since, days = datetime(2026, 1, 1, tzinfo=UTC), []
    for _ in range(730):
        moment = hours.following(since, time(2, 30), range(1, 8), zone)
        wall = moment.astimezone(ZoneInfo(zone))
        assert wall.fold == 0
        assert f"{wall:%H:%M}" == "02:30" or _leapt_over(wall.date(), zone)
        days.append(wall.date())
        since = moment + timedelta(minutes=1)
    assert days == [days[0] + timedelta(days=n) for n in range(730)]


@pytest.mark.parametrize("begins", ["2026-03-28", "2026-10-24"])
def test_fm_26_fm_27_people_in_five_zones_go_on_once_a_day_while_clocks_change(
    stage: Stage, person: Person, begins: str
) -> None:
    stage.now = datetime.fromisoformat(f"{begins}T00:00+00:00")
    steps: list[Any] = []
    for n in range(3):
        steps += [{"key": f"w{n}", "kind": "wait", "until": {"time": "02:30"}}, send(f"m{n}")]
        steps.append({"key": f"p{n}", "kind": "wait", "for": {"minutes": 1}})
    stage.journey(*steps)
    people = {zone: person(zone, timezone=zone) for zone in ZONES}
    for one in people.values():
        stage.does(one, "signed_up")
    stage.rest()
    while (due := Enrollment.objects.filter(state="active").aggregate(due=Min("due_at"))["due"]) is not None:
        stage.now = due
        stage.rest()
    for zone, one in people.items():
        sent = list(Message.objects.filter(profile=one).order_by("queued_at").values_list("queued_at", flat=True))
        walls = [at.astimezone(ZoneInfo(zone)) for at in sent]
        assert [wall.date() for wall in walls] == [walls[0].date() + timedelta(days=n) for n in range(3)], zone
        assert all(f"{wall:%H:%M}" == "02:30" or _leapt_over(wall.date(), zone) for wall in walls), zone
    assert audit.breaches(stage.now) == []


def _leapt_over(day: date, zone: str) -> bool:
    """Whether half past two does not exist on that day, found by going through its minutes."""
    minute = datetime.combine(day, time(), tzinfo=ZoneInfo(zone)).astimezone(UTC)
    shown = {f"{(minute + timedelta(minutes=n)).astimezone(ZoneInfo(zone)):%H:%M}" for n in range(5 * 60)}
    return "02:30" not in shown


def test_fm_28_a_day_is_twenty_four_hours_by_the_stopwatch(stage: Stage, ada: Profile) -> None:
    identify(ada, stage.now, timezone="Europe/Berlin")
    stage.now = datetime(2026, 3, 28, 8, 0, tzinfo=UTC)  # nine in Berlin, the day before the clocks change
    stage.journey(wait("day", days=1), send("hello"))
    stage.does(ada, "signed_up")
    stage.rest()
    assert stage.enrollment(ada).due_at == datetime(2026, 3, 29, 8, 0, tzinfo=UTC)  # ten in Berlin


def test_somebody_waits_until_before_a_date_that_is_known_of_them(stage: Stage, person: Person) -> None:
    values = {
        "soon": {"renews_at": "2026-12-04"},
        "late": {"renews_at": "2026-11-25T00:00:00Z"},
        "none": {},
        "odd": {"renews_at": "next week"},
    }
    people = {name: person(name, attributes=attributes) for name, attributes in values.items()}
    stage.journey(
        {"key": "date", "kind": "wait", "until_date": {"attribute": "renews_at", "offset": {"days": -7}}}, send("hello")
    )
    for one in people.values():
        stage.does(one, "signed_up")
    stage.rest()
    assert stage.enrollment(people["soon"]).due_at == datetime(2026, 11, 27, tzinfo=UTC)
    assert [stage.enrollment(people[name]).state for name in ("late", "none", "odd")] == ["completed"] * 3
    # Moved meanwhile: it is looked at again when its time has come.
    Profile.objects.filter(external_id="soon").update(attributes={"renews_at": "2026-12-05"})
    stage.go_on(days=3)
    assert stage.enrollment(people["soon"]).due_at == datetime(2026, 11, 28, tzinfo=UTC)
    stage.go_on(days=1)
    assert stage.enrollment(people["soon"]).state == "completed"


@pytest.mark.parametrize(
    ("step", "path"),
    [
        ({}, ""),
        ({"for": {"days": 1}, "until": {"time": "09:00"}}, "until"),
        ({"until": {"time": "9 am"}}, "until.time"),
        ({"until": {"time": "24:00"}}, "until.time"),
        ({"until": {"time": "09:00", "weekdays": [0]}}, "until.weekdays"),
        ({"until": {"time": "09:00", "weekdays": [True]}}, "until.weekdays"),
        ({"until": {"time": "09:00", "zone": "UTC"}}, "until.zone"),
        ({"until_date": {"offset": {"days": -7}}}, "until_date.attribute"),
        ({"until_date": {"attribute": "a", "offset": {"moons": 1}}}, "until_date.offset"),
    ],
)
def test_what_is_wrong_with_a_wait_is_named(step: dict[str, Any], path: str) -> None:
    from journeys.steps.wait import Wait

    found = [problem.path for problem in Wait.problems({"key": "w", "kind": "wait", **step}, "")]
    assert path in found


# ── Waiting for something ────────────────────────────────────────────────────────────────────────────────────────────
def wait_for(look_back: Any = None, days: int = 3) -> dict[str, Any]:
    arms = [
        {
            "key": "paid",
            "name": "paid",
            "where": [{"property": "amount", "op": "gte", "value": 10}],
            "steps": [send("thanks")],
        },
        {"key": "asked", "name": "asked", "steps": []},
    ]
    timeout = {"after": {"days": days}, "key": "nothing", "steps": [send("nudge", "nudge")]}
    back = {"look_back": look_back} if look_back else {}
    return {"key": "await", "kind": "wait_for", "arms": arms, "timeout": timeout, **back}


def test_what_they_do_wakes_them_at_once(stage: Stage, ada: Profile) -> None:
    stage.journey(wait_for())
    stage.does(ada, "signed_up")
    stage.rest()
    enrollment = stage.enrollment(ada)
    assert (enrollment.awaits, enrollment.due_at) == (["paid", "asked"], stage.now + timedelta(days=3))
    stage.go_on(hours=5)
    stage.does(ada, "paid", amount=3)
    stage.rest()
    assert stage.enrollment(ada).state == "active", "it was too little"
    stage.does(ada, "paid", amount=30)
    stage.rest()
    assert stage.story(ada) == ["await entered", "await wait", "await advance:paid", "thanks advance"]
    assert stage.enrollment(ada).context["answers"] == {"await": "paid"}


def test_where_nothing_comes_the_timeout_has_its_own_arm(stage: Stage, ada: Profile) -> None:
    stage.journey(wait_for())
    stage.does(ada, "signed_up")
    stage.rest()
    stage.go_on(days=3)
    assert stage.story(ada)[-2:] == ["await advance:nothing", "nudge advance"]


def test_fm_31_of_event_and_timeout_the_time_of_occurrence_decides(stage: Stage, ada: Profile, ben: Profile) -> None:
    stage.journey(wait_for())
    for one in (ada, ben):
        stage.does(one, "signed_up")
    stage.rest()
    deadline = stage.now + timedelta(days=3)
    stage.now = deadline + timedelta(hours=1)  # nobody looked in time
    stage.does(ada, "paid", at=deadline, amount=99)
    stage.does(ben, "paid", at=deadline + timedelta(seconds=1), amount=99)
    stage.rest()
    assert "await advance:paid" in stage.story(ada)
    assert "await advance:nothing" in stage.story(ben)


def test_the_first_arm_that_fits_goes_before_the_others(stage: Stage, ada: Profile) -> None:
    stage.journey(wait("pause", days=1), wait_for())
    stage.does(ada, "signed_up")
    stage.rest()
    stage.does(ada, "asked", at=stage.now + timedelta(seconds=1))
    stage.now += timedelta(hours=1)
    stage.does(ada, "paid", amount=10)
    stage.go_on(days=1)
    assert "await advance:paid" in stage.story(ada)


@pytest.mark.parametrize(("look_back", "seen"), [(None, True), ("entry", True), ("step", False), ({"hours": 2}, True)])
def test_fm_31_what_was_done_before_the_step_counts_as_chosen(
    stage: Stage, ada: Profile, look_back: Any, seen: bool
) -> None:
    stage.journey(wait("pause", days=1), wait_for(look_back))
    stage.does(ada, "signed_up")
    stage.rest()
    stage.go_on(hours=23)
    stage.does(ada, "asked")
    stage.rest()
    stage.go_on(hours=1)
    assert ("await advance:asked" in stage.story(ada)) is seen


def test_a_wait_for_something_holds_still_while_the_journey_is_paused(stage: Stage, ada: Profile) -> None:
    stage.journey(wait_for())
    stage.does(ada, "signed_up")
    stage.rest()
    publishing.pause("onboarding", now=stage.now)
    stage.go_on(hours=1)
    stage.does(ada, "asked")
    stage.rest()
    assert stage.enrollment(ada).state == "active"
    publishing.resume("onboarding", now=stage.now)
    stage.rest()
    assert "await advance:asked" in stage.story(ada)


def test_the_key_of_the_timeout_is_its_own() -> None:
    from journeys.steps.wait_for import WaitForStep

    document = wait_for()
    document["timeout"]["key"] = "paid"
    assert [problem.path for problem in WaitForStep.problems(document, "steps[0]")] == ["steps[0].timeout.key"]


# ── Segments ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_people_are_put_into_a_segment_and_taken_out_again(stage: Stage, ada: Profile) -> None:
    definitions.save("beta", name="Beta", kind="static", status="live", definition={"all": []}, now=stage.now)
    stage.journey(
        {"key": "in", "kind": "segment", "add": "beta"},
        wait("pause"),
        {"key": "out", "kind": "segment", "remove": "beta"},
    )
    stage.does(ada, "signed_up")
    stage.rest()
    assert Membership.objects.filter(segment__slug="beta", profile=ada).exists()
    stage.go_on(days=2)
    assert not Membership.objects.exists()
    assert audit.breaches(stage.now) == []


def test_a_segment_that_follows_its_definition_is_no_place_to_put_people(stage: Stage, ada: Profile) -> None:
    definitions.save("own", name="Own", definition={"all": []}, status="live", now=stage.now)
    stage.journey({"key": "in", "kind": "segment", "add": "own"})
    stage.does(ada, "signed_up")
    stage.rest()
    assert stage.story(ada)[-1] == "in retry"


def test_messages_of_a_journey_have_its_priority(stage: Stage, ada: Profile) -> None:
    stage.journey(send("hello"), wait("rest"), priority=7)
    stage.does(ada, "signed_up")
    stage.rest()
    assert Message.objects.get().priority == 7
