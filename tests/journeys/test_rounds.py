"""Journeys that time alone starts: dates of people, and rules over segments."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.errors import Invalid
from journeys import audit, cron, engine, publishing, rounds
from journeys.models import Appointment, Enrollment, Round
from journeys.triggers.date import Date
from profiles import merging, people
from profiles.merging import Pair
from profiles.models import Profile
from segments import definitions
from tests.journeys.conftest import Person, Stage, wait

TUESDAY = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def renewal(**more: Any) -> dict[str, Any]:
    return {"kind": "date", "attribute": "renews_at", "time": "09:00", **more}


def who(slug: str = "onboarding") -> set[str | None]:
    rows = Enrollment.objects.filter(journey__slug=slug)
    return set(rows.values_list("profile__external_id", flat=True))


# ── When it is ───────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("value", "zone", "more", "expected"),
    [
        ("2026-12-01", None, {}, "2026-12-01T09:00+00:00"),
        ("2026-12-01", "America/New_York", {}, "2026-12-01T14:00+00:00"),
        ("2026-12-01T23:30:00Z", "Europe/Berlin", {}, "2026-12-02T08:00+00:00"),  # the day that it is there
        ("2026-12-31", None, {"offset": {"days": -30}}, "2026-12-01T09:00+00:00"),
        ("2026-11-24", None, {}, None),  # nine o'clock has passed
        ("2026-11-24", "America/New_York", {}, "2026-11-24T14:00+00:00"),
        ("1990-05-06", None, {"yearly": True}, "2027-05-06T09:00+00:00"),
        ("1992-02-29", None, {"yearly": True}, "2027-02-28T09:00+00:00"),
        ("1990-01-02", None, {"yearly": True, "offset": {"weeks": -1}}, "2026-12-26T09:00+00:00"),
        ("2027-03-28", "Europe/Berlin", {"time": "02:30"}, "2027-03-28T01:30+00:00"),  # the clocks leap over it
        ("soon", None, {}, None),
        (7, None, {}, None),
        (None, None, {}, None),
        ("9999-12-31", None, {"offset": {"weeks": 1}}, None),
        ("0001-01-01", "America/New_York", {"offset": {"weeks": -1}}, None),
    ],
)
def test_the_moment_is_that_hour_on_that_day_where_they_live(
    value: Any, zone: str | None, more: Any, expected: str | None
) -> None:
    moment = Date(renewal(**more)).moment(value, zone, TUESDAY)
    assert moment == (datetime.fromisoformat(expected) if expected else None)


@given(
    st.dates(date(1900, 1, 1), date(2100, 1, 1)),
    st.integers(-400, 400),
    st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)),  # noqa: DTZ001 (Hypothesis wants them so)
)
def test_a_yearly_date_comes_once_a_year_and_is_never_missed(day: date, days: int, after: datetime) -> None:
    trigger = Date(renewal(yearly=True, **({"offset": {"days": days}} if days else {})))
    after = after.replace(tzinfo=UTC)
    first = trigger.moment(day.isoformat(), None, after)
    assert first is not None and first > after
    second = trigger.moment(day.isoformat(), None, first)
    assert second is not None and timedelta(days=364) <= second - first <= timedelta(days=367)
    if day.year < after.year - 2:
        assert first - after <= timedelta(days=367)


# ── Dates ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_those_whose_day_it_is_enter_at_the_hour_where_they_live(stage: Stage, person: Person) -> None:
    for name, zone in (("london", "Europe/London"), ("york", "America/New_York"), ("tokyo", "Asia/Tokyo")):
        person(name, timezone=zone, attributes={"renews_at": "2026-12-01"})
    person("late", attributes={"renews_at": "2026-11-01"})
    person("dateless")
    stage.journey(wait("pause"), trigger=renewal(offset={"days": -1}))
    stage.rest()
    assert Appointment.objects.count() == 3
    stage.now = datetime(2026, 11, 30, 0, 30, tzinfo=UTC)
    stage.rest()
    assert who() == {"tokyo"}
    stage.go_on(hours=9)
    assert who() == {"tokyo", "london"}
    stage.go_on(hours=5)
    assert who() == {"tokyo", "london", "york"}
    entered = Enrollment.objects.get(profile__external_id="tokyo")
    assert entered.entered_at == datetime(2026, 11, 30, 0, 0, tzinfo=UTC)
    assert not Appointment.objects.exists()
    assert audit.breaches(stage.now) == []


def test_a_date_that_becomes_known_changes_or_goes_counts_as_it_is(stage: Stage, person: Person) -> None:
    person("put_off", attributes={"renews_at": "2026-12-01"})
    person("gone", attributes={"renews_at": "2026-12-01"})
    person("moved", timezone="America/New_York", attributes={"renews_at": "2026-12-01"})
    stage.journey(wait("pause"), trigger=renewal())
    stage.rest()
    people.patch("put_off", {"attributes": {"renews_at": "2026-12-05"}}, now=stage.now)
    people.patch("gone", {"attributes": {"renews_at": None}}, now=stage.now)
    people.patch("moved", {"timezone": "Asia/Tokyo"}, now=stage.now)
    people.put("new", {"attributes": {"renews_at": "2026-12-02"}}, now=stage.now)
    stage.rest()
    seen = {}
    for day in range(30, 37):
        stage.now = datetime(2026, 11, 1, 10, 0, tzinfo=UTC) + timedelta(days=day - 1)
        stage.rest()
        seen[stage.now.date().isoformat()] = who()
    assert seen["2026-11-30"] == set()
    assert seen["2026-12-01"] == {"moved"}
    assert seen["2026-12-04"] == {"moved", "new"}
    assert seen["2026-12-05"] == {"moved", "new", "put_off"}


def test_what_was_planned_and_is_not_so_any_more_lets_nobody_in(stage: Stage, person: Person) -> None:
    ada = person("ada", attributes={"renews_at": "2026-12-01"})
    stage.journey(wait("pause"), trigger=renewal())
    stage.rest()
    Profile.objects.filter(pk=ada.pk).update(attributes={"renews_at": "2026-12-03"})  # and no word of it
    stage.go_on(days=7)
    assert who() == set() or Enrollment.objects.get().entered_at.day == 3


def test_a_birthday_comes_every_year(stage: Stage, person: Person) -> None:
    person("ada", attributes={"born": "1990-12-10"})
    trigger = {"kind": "date", "attribute": "born", "time": "09:00", "yearly": True}
    stage.journey(wait("pause"), trigger=trigger, reentry={"rule": "every_time"})
    stage.rest()
    stage.now = datetime(2026, 12, 10, 12, 0, tzinfo=UTC)
    stage.rest()
    assert Enrollment.objects.get().entered_at == datetime(2026, 12, 10, 9, 0, tzinfo=UTC)
    assert Appointment.objects.get().at == datetime(2027, 12, 10, 9, 0, tzinfo=UTC)


def test_a_column_is_a_value_like_any_other(stage: Stage, person: Person) -> None:
    person("ada", created_at=datetime(2026, 11, 20, 8, 0, tzinfo=UTC))
    trigger = {"kind": "date", "attribute": "created_at", "offset": {"days": 7}, "time": "12:00"}
    stage.journey(wait("pause"), trigger=trigger)
    stage.rest()
    assert Appointment.objects.get().at == datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def test_everybody_is_planned_batch_by_batch_and_due_ones_cost_no_look_at_the_others(
    stage: Stage, person: Person, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr(rounds, "PLANNED", 7)
    for n in range(20):
        person(f"p{n}", attributes={"renews_at": "2026-12-01"} if n % 2 else {})
    stage.journey(wait("pause"), trigger=renewal())
    stage.rest()
    assert Appointment.objects.count() == 10
    assert Round.objects.get().next_at is None
    stage.now += timedelta(days=6)
    with django_assert_max_num_queries(30):
        assert engine.advance(stage.now) == 0, "while nobody is due, nobody is looked at"
    stage.go_on(days=1)
    assert len(who()) == 10


def test_after_a_long_silence_nobody_enters_for_a_date_of_long_ago(stage: Stage, person: Person) -> None:
    person("ada", attributes={"renews_at": "2026-12-01"})
    stage.journey(wait("pause"), trigger=renewal())
    stage.rest()
    stage.go_on(days=20)
    assert who() == set()
    assert not Appointment.objects.exists()


def test_paused_stopped_and_published_anew(stage: Stage, person: Person) -> None:
    ada = person("ada", attributes={"renews_at": "2026-12-01"})
    person("ben", attributes={"renews_at": "2026-12-02"})
    stage.journey(wait("pause"), trigger=renewal())
    stage.rest()
    publishing.pause("onboarding", now=stage.now)
    stage.now = datetime(2026, 12, 1, 10, 0, tzinfo=UTC)
    stage.rest()
    assert stage.refusals(ada) == [("paused", 1)]
    publishing.resume("onboarding", now=stage.now)
    stage.journey(wait("other"), trigger=[renewal(), {"kind": "manual"}])
    assert Appointment.objects.count() == 1, "of a trigger that stays, the plan stays"
    stage.journey(wait("other"), trigger=renewal(time="11:00"))
    stage.rest()
    stage.now = datetime(2026, 12, 2, 10, 0, tzinfo=UTC)
    stage.rest()
    assert who() == {"ada"}, "the new trigger's hour of the first was still to come, and Ben's of the second is"
    publishing.stop("onboarding", now=stage.now)
    assert not Round.objects.exists() and not Appointment.objects.exists()


def test_a_merge_and_an_erasure_leave_no_appointment_behind(stage: Stage, ada: Profile, person: Person) -> None:
    device = person("device", attributes={"renews_at": "2026-12-01"})
    stage.journey(wait("pause"), trigger=renewal())
    stage.rest()
    merging.merge([Pair(ada.id, device.id)], reason="They are one.", now=stage.now)
    stage.rest()
    assert Appointment.objects.get().profile == ada
    people.erase(ada, now=stage.now)
    assert not Appointment.objects.exists()


@pytest.mark.parametrize(
    ("more", "path"),
    [({"time": "9"}, "time"), ({"offset": {"hours": 2}}, "offset"), ({"yearly": "no"}, "yearly")],
)
def test_a_date_that_cannot_be_kept_is_named(stage: Stage, more: Any, path: str) -> None:
    with pytest.raises(Invalid) as refusal:
        stage.journey(wait("pause"), trigger=renewal(**more))
    assert [problem.path for problem in refusal.value.problems] == [f"document.entry.trigger.{path}"]


# ── Rules ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 9 * * 1", "2026-11-30T09:00"),
        ("30 8 * * mon-fri", "2026-11-25T08:30"),
        ("15 */6 * * *", "2026-11-24T12:15"),
        ("0 9 1 * *", "2026-12-01T09:00"),
        ("0 9 1 jan,mar *", "2027-01-01T09:00"),
        ("0 9 29 2 *", "2027-02-28T09:00"),  # FM-30
        ("0 9 13 * 5", "2026-11-27T09:00"),  # the thirteenth, or a Friday
        ("0 9 * * 7", "2026-11-29T09:00"),
        ("0 10 * * *", "2026-11-25T10:00"),  # strictly later
    ],
)
def test_rules_are_read_as_cron_reads_them(text: str, expected: str) -> None:
    assert cron.read(text).following(TUESDAY) == datetime.fromisoformat(f"{expected}+00:00")


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("0 9 31 * *", "11-30 12-31 01-31 02-28 03-31 04-30"),
        ("0 9 30 * *", "11-30 12-30 01-30 02-28 03-30 04-30"),
        ("0 9 29 * *", "11-29 12-29 01-29 02-28 03-29 04-29"),
        ("0 9 15,31 * *", "11-15 12-15 12-31 01-15 01-31 02-15"),  # of several, only those that a month has
    ],
)
def test_fm_30_a_month_that_is_too_short_for_its_day_has_its_last(text: str, days: str) -> None:
    rule, at = cron.read(text), datetime(2026, 11, 1, tzinfo=UTC)
    found: list[datetime] = []
    while len(found) < 6 and (following := rule.following(at)) is not None:
        found.append(following)
        at = following
    assert " ".join(f"{one:%m-%d}" for one in found) == days


@pytest.mark.parametrize(
    "text",
    [None, 7, "", "0 9 * *", "* 9 * * *", "0,30 9 * * *", "*/5 * * * *", "0 24 * * *", "0 9 0 * *", "0 9 31 2 *",
     "a b c d e", "0 9 * 13 *", "0 9 * * 8", "0 9 - * *", "@daily", "0 9 * * * *", "x" * 5_000],
)  # fmt: skip
def test_what_is_no_rule_is_refused_with_a_sentence(text: Any) -> None:
    with pytest.raises(cron.Unreadable):
        cron.read(text)


@given(st.text(max_size=30))
def test_whatever_is_sent_for_a_rule_is_read_or_refused(text: str) -> None:
    try:
        following = cron.read(text).following(TUESDAY)
    except cron.Unreadable:
        return
    assert following is None or following > TUESDAY


def test_rules_read_as_sentences() -> None:
    assert str(cron.read("0 9 * * 1")) == "at 09:00 on Monday"
    assert str(cron.read("5 * * * *")) == "every hour at 5 past every day"
    assert str(cron.read("0 9,17 1 * *")) == "at 09:00 and 17:00 on the 1 of the month"
    assert str(cron.read("0 9 31 * *")) == "at 09:00 on the 31 of the month, or its last day"
    assert str(cron.read("0 9 1 6 5")) == "at 09:00 on the 1 of the month or on Friday in Jun"


def test_whoever_is_in_the_segment_enters_at_each_moment_of_the_rule(
    stage: Stage, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "ENTERED", 2)
    for n in range(5):
        person(f"p{n}", attributes={"plan": "pro"})
    person("other", attributes={"plan": "free"})
    pro = {"kind": "attribute", "name": "plan", "op": "is", "value": "pro"}
    segment = definitions.save("pro", definition=pro, name="Pro", status="live", now=stage.now)
    definitions.refresh(segment, stage.now)
    trigger = {"kind": "schedule", "segment": "pro", "cron": "0 9 * * 1"}
    stage.journey(wait("pause"), trigger=trigger, reentry={"rule": "again"})
    stage.rest()
    assert who() == set()
    stage.now = datetime(2026, 11, 30, 9, 5, tzinfo=UTC)
    stage.rest()
    assert who() == {f"p{n}" for n in range(5)}
    assert set(Enrollment.objects.values_list("entered_at", flat=True)) == {datetime(2026, 11, 30, 9, 0, tzinfo=UTC)}
    assert Round.objects.get().next_at == datetime(2026, 12, 7, 9, 0, tzinfo=UTC)
    stage.now = datetime(2026, 12, 23, 9, 5, tzinfo=UTC)
    stage.rest()
    assert Enrollment.objects.count() == 10, "of two Mondays that were missed the last is made up for"
    assert Enrollment.objects.latest("entered_at").entered_at == datetime(2026, 12, 21, 9, 0, tzinfo=UTC)
    assert engine.advance(stage.now) == 0
    assert audit.breaches(stage.now) == []
