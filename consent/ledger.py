"""Writing down what people decide: the only writer of the ledger, of its evidence and wordings, and of the states."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from consent import chain, subjects, suppression, validity
from consent.fold import Decision, Standing, fold, outlasts
from consent.models import (
    DECISIONS,
    ConsentEvidence,
    ConsentRecord,
    ConsentState,
    RefusedUpgrade,
    State,
    Suppression,
    Topic,
    Wording,
)
from foundation.errors import Invalid, Problem
from foundation.sql import statements
from profiles import pulses
from profiles.models import Profile, Pulse
from staff import actors

EVERYTHING = "*"  # as a topic: all that is not transactional; as a channel: all channels
Source = ConsentRecord.Source
_TOPIC_LENGTH, _CHANNEL_LENGTH = 50, 20
_sql = statements("consent", "ledger")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a person decided, or what somebody says that they did.

    `wording` is the text they were shown, kept for ever and by digest; `evidence` is what else proves it, kept to the
    minimum and erasable. `occurred_at` is when, if that is not now. `expires_at` is until when a yes counts, if that is
    sooner than its topic says. `implied`: nobody said yes; a purchase or an inquiry of `occurred_at` stands for it.
    """

    profile_id: UUID
    topic: str
    channel: str
    state: str
    source: str
    occurred_at: datetime | None = None
    wording: str = ""
    locale: str = ""
    version: str = ""
    evidence: dict[str, Any] | None = None
    message: UUID | None = None
    expires_at: datetime | None = None
    implied: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a choice: `recorded`, `unchanged` (it stood already), `refused`, or `gone` (no such person).

    `rows` are what it added to the ledger: several where a refusal of everything reached consents to single topics.
    """

    choice: Choice
    verdict: str
    state: str | None
    reason: str = ""
    rows: tuple[ConsentRecord, ...] = ()


def record(choices: Sequence[Choice], *, now: datetime) -> list[Outcome]:
    """Takes decisions in their order, all or none; one outcome each. A few statements, however many there are.

    Nobody but the person can turn a refusal into a consent: such a choice is refused, and the attempt is kept.
    A choice that stands already adds nothing, unless it is a consent that brings evidence which is not there yet.
    A consent that ran out is as much the person's to renew; that it ran out is written down before anything else.
    A refusal of everything (`EVERYTHING`) also takes back each consent that stands within its reach.
    """
    _check(choices)
    with transaction.atomic():
        book = _Book([choice.profile_id for choice in choices], now)
        outcomes = [book.take(choice) for choice in choices]
        book.write()
    return outcomes


def run_out(profile_ids: Sequence[UUID], *, now: datetime) -> int:
    """Writes down which consents of these people have run out by now, once each; returns how many."""
    with transaction.atomic():
        book = _Book(profile_ids, now)
        for profile in book.refs:
            book.run_out(profile)
        book.write()
    return len(book.records)


def by_the_person(choice: Choice) -> bool:
    """Whether the choice is the person's own act: on our pages, or through the API with evidence of it."""
    if choice.implied:
        return False
    return choice.source in (Source.PAGE, Source.DOUBLE_OPT_IN) or bool(choice.source == Source.API and choice.evidence)


def _overturns(consent: Choice, standing: Standing) -> bool:
    """Only what the person did after they refused; evidence of what they agreed to before is no such act.

    What ran out, a new purchase or inquiry renews, too.
    """
    if consent.source == Source.API and consent.occurred_at is not None and consent.occurred_at <= standing.at:
        return False
    return by_the_person(consent) or bool(consent.implied and standing.state == State.EXPIRED)


def _check(choices: Sequence[Choice]) -> None:
    known = set(Topic.objects.filter(slug__in={choice.topic for choice in choices}).values_list("slug", flat=True))
    problems = [
        Problem(f"[{place}].{field}", reason)
        for place, choice in enumerate(choices)
        for field, reason in _wrong_with(choice, known)
    ]
    if problems:
        raise Invalid(problems)


def _wrong_with(choice: Choice, topics: set[str]) -> Iterator[tuple[str, str]]:
    if choice.state not in DECISIONS and not (choice.state == State.EXPIRED and choice.source == Source.MERGE):
        yield "state", f"must be granted or denied, not {choice.state!r}"
    if choice.expires_at is not None and choice.state != State.GRANTED:
        yield "expires_at", "goes with a yes only; leave it out"
    if choice.implied:
        yield from _wrong_with_implied(choice)
    if choice.source not in Source.values:
        yield "source", f"must be one of {', '.join(Source.values)}"
    if not (0 < len(choice.channel) <= _CHANNEL_LENGTH):
        yield "channel", "must name a channel, such as email"
    if not all(isinstance(value, str | bool) for value in (choice.evidence or {}).values()):
        yield "evidence", "holds texts and yes or no, nothing else"  # what reads back exactly as it was committed to
    if choice.channel == EVERYTHING != choice.topic:
        yield "channel", "names all channels, which goes with all topics only; name one"
    if choice.topic == EVERYTHING:
        if choice.state == State.GRANTED and choice.source != Source.PAGE:
            yield "topic", "nobody can agree to everything at once; name the topic"
    # A refusal is taken whatever it names: a topic that is gone is refused all the same.
    elif not choice.topic or len(choice.topic) > _TOPIC_LENGTH or "\0" in choice.topic:
        yield "topic", "must be the slug of a topic"
    elif choice.state == State.GRANTED and choice.topic not in topics:
        yield "topic", f"there is no topic {choice.topic!r}; make it first, or name another"


def _wrong_with_implied(choice: Choice) -> Iterator[tuple[str, str]]:
    """CO-11: what nobody said needs what it is implied by, and that they could say no when they gave their address."""
    if choice.implied not in ConsentRecord.Implied.values:
        yield "implied", f"must be one of {', '.join(ConsentRecord.Implied.values)}"
    if choice.state != State.GRANTED or choice.source != Source.API or choice.occurred_at is None:
        yield "implied", "goes with a yes that a program brings, and with the time of what it is implied by"
    evidence = choice.evidence or {}
    if not evidence.get("event"):
        yield "evidence.event", "must name the purchase or inquiry, such as the id of the order"
    if evidence.get("opt_out_offered") is not True:
        yield "evidence.opt_out_offered", "must be true: they could say no when they gave their address"


_Key = tuple[UUID, str, str]


class _Book:
    """The ledger of some people, open for writing: their subjects are locked, so nobody else adds to it meanwhile."""

    def __init__(self, profile_ids: Sequence[UUID], now: datetime) -> None:
        self.now, self.actor = now, actors.current()
        self.refs = subjects.lock_to_write(profile_ids, now)
        people = list(self.refs)
        self.standing: dict[_Key, Standing] = {
            (profile, topic, channel): Standing(state, since, record, at, expires_at)
            for profile, topic, channel, state, record, since, at, expires_at in _sql.rows(
                "standing", {"profiles": people}
            )
        }
        self.before = dict(self.standing)
        self.about: dict[UUID, set[tuple[str, str]]] = defaultdict(set)  # what each person's choices are about
        for profile, topic, channel in self.standing:
            self.about[profile].add((topic, channel))
        self.heads = {ref: (seq, digest) for ref, seq, digest in _sql.rows("heads", {"refs": list(self.refs.values())})}
        topics = list(Topic.objects.values_list("slug", "transactional", "valid_months"))
        self.transactional = {slug for slug, transactional, _ in topics if transactional}
        self.months = {slug: months for slug, _, months in topics}
        self.known = self._evidence_held()
        self.records: list[ConsentRecord] = []
        self.evidence: list[ConsentEvidence] = []
        self.wordings: dict[str, Wording] = {}
        self.refused: list[RefusedUpgrade] = []
        self.merged: set[UUID] = set()
        self.again: dict[str, set[UUID]] = {}  # channel to who takes a no back

    def _evidence_held(self) -> dict[UUID, Any]:
        records = [standing.record for standing in self.standing.values()]
        return dict(ConsentEvidence.objects.filter(record__in=records).values_list("record", "data"))

    def take(self, choice: Choice) -> Outcome:
        if choice.profile_id not in self.refs:
            return Outcome(choice, "gone", None, "Nobody is known by this id (any more).")
        self.run_out(choice.profile_id)
        key = (choice.profile_id, choice.topic, choice.channel)
        if choice.state == State.GRANTED and (against := self._against(key)):
            if not _overturns(choice, against):
                return self._refuse(choice, against)
            if against.state == State.DENIED:
                self.again.setdefault(choice.channel, set()).add(choice.profile_id)
        rows = [self._take(each) for each in (choice, *self._within_reach(choice)) if self._adds(each)]
        standing = self.standing[key]
        return Outcome(choice, "recorded" if rows else "unchanged", standing.state, rows=tuple(rows))

    def run_out(self, profile: UUID) -> None:
        """Writes down which of their consents have run out, as of when they did."""
        for topic, channel in sorted(self.about[profile]):
            standing = self.standing[profile, topic, channel]
            if standing.has_run_out(self.now):
                self._take(
                    Choice(
                        profile_id=profile,
                        topic=topic,
                        channel=channel,
                        state=State.EXPIRED,
                        source=Source.EXPIRY,
                        occurred_at=standing.expires_at,
                    )
                )

    def _take(self, choice: Choice) -> ConsentRecord:
        key = (choice.profile_id, choice.topic, choice.channel)
        if choice.source == Source.MERGE:
            self.merged.add(choice.profile_id)
        row = self._append(choice, self._time(choice))
        self.about[choice.profile_id].add((choice.topic, choice.channel))
        self.standing[key] = fold(self.standing.get(key), Decision.of(row))
        return row

    def _adds(self, choice: Choice) -> bool:
        standing = self.standing.get((choice.profile_id, choice.topic, choice.channel))
        if standing is None or standing.state != choice.state:
            return True
        if choice.source == Source.MERGE:
            return choice.expires_at != standing.expires_at
        if choice.state != State.GRANTED:
            return False  # a refusal needs no more proof than itself
        lengthens = bool(choice.implied or choice.occurred_at) and self._outlasts(choice, standing)
        if lengthens or choice.implied:
            return lengthens  # else they have said as much themselves, or more lately
        return bool(choice.evidence) and self.known.get(standing.record) != choice.evidence

    def _outlasts(self, choice: Choice, standing: Standing) -> bool:
        at = self._time(choice)
        return at >= standing.since and outlasts(self._end(choice, at), standing.expires_at)

    def _end(self, choice: Choice, at: datetime) -> datetime | None:
        """Until when it counts. A merge takes over what was said, and says nothing new."""
        if choice.state != State.GRANTED or choice.source == Source.MERGE:
            return choice.expires_at
        months = self.months.get(choice.topic)
        return validity.until(at, months=months, implied=choice.implied, named=choice.expires_at)

    def _within_reach(self, choice: Choice) -> list[Choice]:
        """The consents to single topics that a refusal of everything takes back.

        A merge says of each topic itself what stands: of two people one may have agreed after they refused everything.
        """
        if choice.topic != EVERYTHING or choice.state != State.DENIED or choice.source == Source.MERGE:
            return []
        return [
            replace(choice, topic=topic, channel=channel)
            for topic, channel in sorted(self.about[choice.profile_id])
            if self.standing[choice.profile_id, topic, channel].state != State.DENIED
            and topic != EVERYTHING
            and choice.channel in (channel, EVERYTHING)
            and topic not in self.transactional
        ]

    def _against(self, key: _Key) -> Standing | None:
        """What stands against a yes: a no to the topic or to everything, or that it ran out; None if nothing."""
        profile, topic, channel = key
        wider = (
            [] if topic in self.transactional else [(profile, EVERYTHING, channel), (profile, EVERYTHING, EVERYTHING)]
        )
        own, *others = [self.standing.get(each) for each in [key, *wider]] if wider else [self.standing.get(key)]
        if own is not None and own.state != State.EXPIRED:
            return own if own.state == State.DENIED else None
        refused = next((found for found in others if found), None)
        return refused if refused is not None and refused.state == State.DENIED else own

    def _refuse(self, choice: Choice, against: Standing) -> Outcome:
        ran_out = against.state == State.EXPIRED
        reason = (
            f"{'Their yes' if ran_out else 'They said no'} to {choice.topic} by {choice.channel}"
            f"{' ran out' if ran_out else ''}. Only they can {'renew it' if ran_out else 'take that back'}: "
            f"on their preference page, or through the API with evidence of what they did since."
        )
        self.refused.append(
            RefusedUpgrade(
                profile_id=choice.profile_id,
                topic=choice.topic,
                channel=choice.channel,
                source=choice.source,
                actor=self.actor,
                at=self.now,
                reason=reason,
            )
        )
        return Outcome(choice, "refused", against.state, reason)

    def _time(self, choice: Choice) -> datetime:
        if choice.occurred_at is not None:
            return min(choice.occurred_at, self.now)
        # What is done now comes after what stood before, even while the clock stands still; within one call it does
        # not, so that of a yes and a no in one breath the no wins.
        key = (choice.profile_id, choice.topic, choice.channel)
        before, stands = self.before.get(key), self.standing.get(key)
        if before is not None and stands is not None and stands.state == State.EXPIRED:
            before = stands
        return max(self.now, before.at + timedelta(microseconds=1)) if before else self.now

    def _append(self, choice: Choice, occurred_at: datetime) -> ConsentRecord:
        ref = self.refs[choice.profile_id]
        seq, previous = self.heads.get(ref, (0, ""))
        row = ConsentRecord(
            id=uuid4(),
            subject_ref=ref,
            seq=seq + 1,
            topic=choice.topic,
            channel=choice.channel,
            state=choice.state,
            source=choice.source,
            actor=self.actor,
            wording=self._wording(choice),
            locale=choice.locale,
            message=choice.message,
            occurred_at=occurred_at,
            recorded_at=self.now,
            previous=previous,
            expires_at=self._end(choice, occurred_at),
            implied=choice.implied,
        )
        row.evidence = self._commit_to(choice.evidence, row.id)
        row.hash = chain.link(row)
        self.heads[ref] = (row.seq, row.hash)
        self.records.append(row)
        return row

    def _wording(self, choice: Choice) -> str:
        if not choice.wording:
            return ""
        digest = chain.wording(choice.wording, choice.locale, choice.version)
        self.wordings[digest] = Wording(
            digest=digest, text=choice.wording, locale=choice.locale, version=choice.version
        )
        return digest

    def _commit_to(self, evidence: dict[str, Any] | None, record: UUID) -> str:
        if not evidence:
            return ""
        salt = chain.salt()
        self.evidence.append(ConsentEvidence(record=record, salt=salt, data=evidence, recorded_at=self.now))
        self.known[record] = evidence
        return chain.commitment(salt, evidence)

    def write(self) -> None:
        changed = [key for key, standing in self.standing.items() if self.before.get(key) != standing]
        Wording.objects.bulk_create(self.wordings.values(), ignore_conflicts=True)
        ConsentRecord.objects.bulk_create(self.records)
        ConsentEvidence.objects.bulk_create(self.evidence)
        RefusedUpgrade.objects.bulk_create(self.refused)
        ConsentState.objects.bulk_create(
            [_row(key, self.standing[key]) for key in changed],
            update_conflicts=True,
            unique_fields=["profile", "topic", "channel"],
            update_fields=["state", "record", "since", "expires_at"],
        )
        self._admit()
        self._tell(changed)

    def _admit(self) -> None:
        """Who said stop from a number, and now yes, is written to there again."""
        if people := self.again.get("sms"):
            for number in Profile.objects.filter(id__in=people, phone__isnull=False).values_list("phone", flat=True):
                suppression.lift("sms", str(number), Suppression.Reason.STOPPED)

    def _tell(self, changed: Sequence[_Key]) -> None:
        """Has segments look again at whose decisions changed. Without a wake-up: to refuse never waits for a broker."""
        decided: dict[UUID, set[str]] = {}
        for profile, topic, channel in changed:
            decided.setdefault(profile, set()).add(f"consent.{topic}.{channel}")
        words = [
            pulses.Word(profile, Pulse.Cause.ATTRIBUTE, attributes=names)
            for profile, names in decided.items()
            if profile not in self.merged  # a merge has them looked at for all there is, and starts nothing
        ]
        pulses.add(words, now=self.now, waking=False)


def _row(key: _Key, standing: Standing) -> ConsentState:
    profile, topic, channel = key
    return ConsentState(
        profile_id=profile,
        topic=topic,
        channel=channel,
        state=standing.state,
        record=standing.record,
        since=standing.since,
        expires_at=standing.expires_at,
    )
