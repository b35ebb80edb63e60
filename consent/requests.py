"""Requests under the GDPR: raised, answered in time, and carried out; the only writer of them and of their log."""

from calendar import monthrange
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from consent import limits, subjects
from consent.models import ConsentRecord, Limit, PrivacyRequest, PrivacyStep
from foundation import registry
from foundation.errors import Conflict, Invalid
from profiles import people
from profiles.models import Profile
from staff import actors, audit

Kind, Via, Outcome = PrivacyRequest.Kind, PrivacyRequest.Via, PrivacyRequest.Outcome
SOON = timedelta(days=7)
MONTHS, MORE_MONTHS = 1, 2  # GDPR, article 12(3)
LONGEST = 5_000
STATUSES = ("open", "due_soon", "overdue", "closed")


def raise_(
    profile: Profile, kind: str, *, via: str, said: str = "", identity: str = "", now: datetime
) -> PrivacyRequest:
    """Opens a request, due in a calendar month, and mails the person that we have it; the same once more is that one.

    `identity`: how whoever raises it for them made sure that it is them. On their page the link says so. An objection
    is carried out at once: whoever asks for less need not wait.
    """
    _check(kind, said)
    with transaction.atomic():
        subjects.lock_to_write([profile.id], now)
        row = PrivacyRequest.objects.filter(profile=profile, kind=kind, closed_at=None).first()
        if row is not None:
            _step(row, "Asked again.", now, said=said)
            return row
        row = PrivacyRequest.objects.create(
            profile=profile,
            kind=kind,
            via=via,
            said=said,
            identity=identity.strip(),
            raised_at=now,
            due_on=_months_on(_day(now), MONTHS),
        )
        _step(row, "Raised.", now)
        if via != Via.PAGE:
            audit.record("raise", "privacy request", str(row.id), f"Raised a privacy request ({_named(kind)}).")
        if kind == Kind.OBJECTION:
            carry_out(row.id, now=now)
            row.refresh_from_db()
        elif profile.email:
            registry.mail_notice.ask(profile, "request", {"due": row.due_on.isoformat()})
    return row


def note_correction(profile: Profile, what: str, *, now: datetime) -> None:
    """Logs what they corrected themselves, as a request that was kept at once."""
    row = PrivacyRequest.objects.create(
        profile=profile,
        kind=Kind.RECTIFICATION,
        via=Via.PAGE,
        raised_at=now,
        due_on=_months_on(_day(now), MONTHS),
        closed_at=now,
        outcome=Outcome.DONE,
        answer=f"Corrected by themselves: {what}",
    )
    _step(row, "Corrected by themselves.", now, said=what)


def note_identity(id: UUID, how: str, *, now: datetime) -> PrivacyRequest:
    """Notes how it was made sure that whoever asks is the person (GDPR, article 12(6))."""
    if not how.strip() or len(how) > LONGEST or "\0" in how:
        raise Invalid.at("identity", f"must say how you made sure that it is them, in {LONGEST:,} characters at most")
    with transaction.atomic():
        row = _held(id)
        row.identity = how.strip()
        row.save(update_fields=["identity"])
        _step(row, "Made sure that it is them.", now, said=row.identity)
        audit.record("identify", "privacy request", str(row.id), "Noted how it was made sure who asks.")
    return row


def carry_out(id: UUID, *, now: datetime) -> PrivacyRequest:
    """Does what was asked for, and closes the request: data is mailed as a link to the page that has it."""
    with transaction.atomic():
        row = _held(id)
        profile = row.profile
        if profile is None:
            raise Conflict("The person of this request was erased.")
        match row.kind:
            case Kind.ERASURE:
                _close(row, Outcome.DONE, "Erased.", now)
                people.erase(profile, now=now)
                row.refresh_from_db()
            case Kind.RESTRICTION:
                limits.restrict(profile, reason=row.said or "They asked for it.", now=now)
                _close(row, Outcome.DONE, "Restricted.", now)
            case Kind.OBJECTION:
                source = ConsentRecord.Source.PAGE if row.via == Via.PAGE else ConsentRecord.Source.STAFF
                limits.object_all(profile, source=source, now=now)
                _close(row, Outcome.DONE, "All marketing is stopped.", now)
            case Kind.ACCESS | Kind.PORTABILITY:
                if not profile.email:
                    raise Conflict("No email address of theirs is known; hand the export over yourself, and close it.")
                registry.mail_notice.ask(profile, "data", {})
                _close(row, Outcome.DONE, "A link to all their data was mailed.", now)
            case _:
                raise Conflict("Correct what is wrong where it comes from, then close the request with an answer.")
    return row


def close(id: UUID, *, outcome: str, answer: str, now: datetime) -> PrivacyRequest:
    """Closes a request by hand: `done`, or `refused`, with the answer that the person was given."""
    if outcome not in Outcome.values:
        raise Invalid.at("outcome", f"must be one of {', '.join(Outcome.values)}")
    if not answer.strip():
        raise Invalid.at("answer", "must say what the person was told")
    with transaction.atomic():
        row = _held(id)
        _close(row, outcome, answer.strip(), now)
    return row


def extend(id: UUID, *, reason: str, now: datetime) -> PrivacyRequest:
    """Two months more, once, and before it is overdue; the person is told by mail."""
    if not reason.strip():
        raise Invalid.at("extended", "must say why it takes longer, for the person is told")
    with transaction.atomic():
        row = _held(id)
        if row.extended:
            raise Conflict("It was extended before, and the law allows that once.")
        if _day(now) > row.due_on:
            raise Conflict("It is overdue; the person was to be told of an extension before that.")
        row.extended, row.due_on = reason.strip(), _months_on(_day(row.raised_at), MONTHS + MORE_MONTHS)
        row.save(update_fields=["extended", "due_on"])
        _step(row, "Two months more.", now, said=row.extended)
        audit.record("extend", "privacy request", str(row.id), "Extended a privacy request by two months.")
        if row.profile and row.profile.email:
            registry.mail_notice.ask(row.profile, "extended", {"due": row.due_on.isoformat(), "reason": row.extended})
    return row


def may_lift(row: PrivacyRequest) -> bool:
    """Whether what this request set still holds, so that it can be lifted."""
    kind = _LIMITS.get(row.kind)
    return bool(row.profile and kind and Limit.objects.filter(profile=row.profile, kind=kind).exists())


def lift(id: UUID, *, reason: str, now: datetime) -> PrivacyRequest:
    """Takes back the restriction, or the objection, that this request set; its log says why.

    Of a restriction they are told (GDPR, article 18(3)), by mail, with the reason.
    """
    if not reason.strip() or len(reason) > LONGEST or "\0" in reason:
        raise Invalid.at("reason", f"must say why, in {LONGEST:,} characters at most")
    with transaction.atomic():
        row = PrivacyRequest.objects.select_for_update(of=["self"]).select_related("profile").get(id=id)
        if row.profile is None or row.kind not in _LIMITS:
            raise Conflict("This request limited nothing that could be lifted.")
        if not limits.lift(row.profile, _LIMITS[row.kind], now=now):
            raise Conflict("Nothing is to be lifted: their data is used as usual.")
        _step(row, "Lifted: their data is used as before.", now, said=reason.strip())
        if row.kind == Kind.RESTRICTION and row.profile.email:
            registry.mail_notice.ask(row.profile, "lifted", {"reason": reason.strip()})
    return row


_LIMITS: dict[str, str] = {Kind.RESTRICTION: Limit.Kind.RESTRICTED, Kind.OBJECTION: Limit.Kind.OBJECTED}


def forget_words(profile: Profile, *, now: datetime) -> None:
    """With an erasure: what is open is done, and what anybody said of it in words of their own goes; the log stays."""
    theirs = PrivacyRequest.objects.filter(profile=profile)
    PrivacyStep.objects.filter(request__in=theirs).update(said="")
    theirs.update(said="", identity="", answer="")
    theirs.exclude(extended="").update(extended="It took longer.")
    still_open = theirs.filter(closed_at=None)
    steps = [PrivacyStep(request=row, at=now, actor=actors.current(), what="Erased.") for row in still_open]
    PrivacyStep.objects.bulk_create(steps)
    still_open.update(closed_at=now, outcome=Outcome.DONE, answer="Erased.")


def status(row: PrivacyRequest, now: datetime) -> str:
    """One of `STATUSES`. Days are those of the project's time zone."""
    if row.closed_at is not None:
        return "closed"
    today = _day(now)
    if today > row.due_on:
        return "overdue"
    return "due_soon" if today >= row.due_on - SOON else "open"


def of(profile: Profile) -> list[PrivacyRequest]:
    """Those that are open, the first due first."""
    return list(PrivacyRequest.objects.filter(profile=profile, closed_at=None).order_by("due_on", "id"))


def today(now: datetime) -> date:
    return _day(now)


def _check(kind: str, said: str) -> None:
    if kind not in Kind.values:
        raise Invalid.at("kind", f"must be one of {', '.join(Kind.values)}")
    if len(said) > LONGEST or "\0" in said:
        raise Invalid.at("said", f"must be a text of at most {LONGEST:,} characters")


def _held(id: UUID) -> PrivacyRequest:
    row = PrivacyRequest.objects.select_for_update(of=["self"]).select_related("profile").get(id=id)
    if row.closed_at is not None:
        raise Conflict("It is closed.")
    return row


def _close(row: PrivacyRequest, outcome: str, answer: str, now: datetime) -> None:
    row.closed_at, row.outcome, row.answer = now, outcome, answer
    row.save(update_fields=["closed_at", "outcome", "answer"])
    _step(row, f"{Outcome(outcome).label}.", now, said=answer)
    what = f"Closed a privacy request ({_named(row.kind)}): {Outcome(outcome).label.lower()}."
    audit.record("close", "privacy request", str(row.id), what)


def _named(kind: str) -> str:
    return Kind(kind).label.lower()


def _step(row: PrivacyRequest, what: str, now: datetime, said: str = "") -> None:
    PrivacyStep.objects.create(request=row, at=now, actor=actors.current(), what=what, said=said)


def _day(at: datetime) -> date:
    return at.astimezone(ZoneInfo(settings.PROJECT_TIME_ZONE)).date()


def _months_on(day: date, number: int) -> date:
    """The same day some months on, or the last of a month that is too short for it."""
    years, month = divmod(day.month - 1 + number, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
