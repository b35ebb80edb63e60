"""Writing down what people decide: the only writer of the ledger, of its evidence and wordings, and of the states."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from consent import chain, subjects
from consent.fold import Decision, Standing, fold
from consent.models import ConsentEvidence, ConsentRecord, ConsentState, RefusedUpgrade, State, Topic, Wording
from foundation.errors import Invalid, Problem
from foundation.sql import statements
from profiles import pulses
from profiles.models import Pulse
from staff import actors

EVERYTHING = "*"  # as a topic: all that is not transactional; as a channel: all channels
Source = ConsentRecord.Source
_TOPIC_LENGTH, _CHANNEL_LENGTH = 50, 20
_sql = statements("consent", "ledger")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a person decided, or what somebody says that they did.

    `wording` is the text they were shown, kept for ever and by digest; `evidence` is what else proves it, kept to the
    minimum and erasable. `occurred_at` is when, if that is not now.
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
    A refusal of everything (`EVERYTHING`) also takes back each consent that stands within its reach.
    """
    _check(choices)
    with transaction.atomic():
        book = _Book([choice.profile_id for choice in choices], now)
        outcomes = [book.take(choice) for choice in choices]
        book.write()
    return outcomes


def by_the_person(choice: Choice) -> bool:
    """Whether the choice is the person's own act: on our pages, or through the API with evidence of it."""
    return choice.source in (Source.PAGE, Source.DOUBLE_OPT_IN) or bool(choice.source == Source.API and choice.evidence)


def _overturns(consent: Choice, refusal: Standing) -> bool:
    """Only what the person did after they refused; evidence of what they agreed to before is no such act."""
    if consent.source == Source.API and consent.occurred_at is not None and consent.occurred_at <= refusal.at:
        return False
    return by_the_person(consent)


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
    if choice.state not in State.values:
        yield "state", f"must be granted or denied, not {choice.state!r}"
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


_Key = tuple[UUID, str, str]


class _Book:
    """The ledger of some people, open for writing: their subjects are locked, so nobody else adds to it meanwhile."""

    def __init__(self, profile_ids: Sequence[UUID], now: datetime) -> None:
        self.now, self.actor = now, actors.current()
        self.refs = subjects.lock_to_write(profile_ids, now)
        people = list(self.refs)
        self.standing: dict[_Key, Standing] = {
            (profile, topic, channel): Standing(state, since, record, at)
            for profile, topic, channel, state, record, since, at in _sql.rows("standing", {"profiles": people})
        }
        self.before = dict(self.standing)
        self.heads = {ref: (seq, digest) for ref, seq, digest in _sql.rows("heads", {"refs": list(self.refs.values())})}
        self.transactional = set(Topic.objects.filter(transactional=True).values_list("slug", flat=True))
        self.known = self._evidence_held()
        self.records: list[ConsentRecord] = []
        self.evidence: list[ConsentEvidence] = []
        self.wordings: dict[str, Wording] = {}
        self.refused: list[RefusedUpgrade] = []
        self.merged: set[UUID] = set()

    def _evidence_held(self) -> dict[UUID, Any]:
        records = [standing.record for standing in self.standing.values()]
        return dict(ConsentEvidence.objects.filter(record__in=records).values_list("record", "data"))

    def take(self, choice: Choice) -> Outcome:
        if choice.profile_id not in self.refs:
            return Outcome(choice, "gone", None, "Nobody is known by this id (any more).")
        key = (choice.profile_id, choice.topic, choice.channel)
        if choice.state == State.GRANTED and (refusal := self._refusal(key)) and not _overturns(choice, refusal):
            return self._refuse(choice)
        rows = [self._take(each) for each in (choice, *self._within_reach(choice)) if self._adds(each)]
        standing = self.standing[key]
        return Outcome(choice, "recorded" if rows else "unchanged", standing.state, rows=tuple(rows))

    def _take(self, choice: Choice) -> ConsentRecord:
        key = (choice.profile_id, choice.topic, choice.channel)
        if choice.source == Source.MERGE:
            self.merged.add(choice.profile_id)
        row = self._append(choice, self._time(choice))
        self.standing[key] = fold(self.standing.get(key), Decision(row.id, row.state, row.occurred_at))
        return row

    def _adds(self, choice: Choice) -> bool:
        standing = self.standing.get((choice.profile_id, choice.topic, choice.channel))
        if standing is None or standing.state != choice.state:
            return True
        # A refusal needs no more proof than itself.
        return (
            choice.state == State.GRANTED
            and bool(choice.evidence)
            and self.known.get(standing.record) != choice.evidence
        )

    def _within_reach(self, choice: Choice) -> list[Choice]:
        """The consents to single topics that a refusal of everything takes back.

        A merge says of each topic itself what stands: of two people one may have agreed after they refused everything.
        """
        if choice.topic != EVERYTHING or choice.state != State.DENIED or choice.source == Source.MERGE:
            return []
        return [
            replace(choice, topic=topic, channel=channel)
            for (profile, topic, channel), standing in sorted(self.standing.items(), key=itemgetter(0))
            if profile == choice.profile_id
            and standing.state == State.GRANTED
            and choice.channel in (channel, EVERYTHING)
            and topic not in self.transactional
        ]

    def _refusal(self, key: _Key) -> Standing | None:
        """What they refused that bears on the key, the topic itself or everything; None if nothing."""
        profile, topic, channel = key
        wider = (
            [] if topic in self.transactional else [(profile, EVERYTHING, channel), (profile, EVERYTHING, EVERYTHING)]
        )
        standing = next((found for each in [key, *wider] if (found := self.standing.get(each))), None)
        return standing if standing is not None and standing.state == State.DENIED else None

    def _refuse(self, choice: Choice) -> Outcome:
        reason = (
            f"They said no to {choice.topic} by {choice.channel}. Only they can take that back: "
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
        return Outcome(choice, "refused", State.DENIED, reason)

    def _time(self, choice: Choice) -> datetime:
        if choice.occurred_at is not None:
            return min(choice.occurred_at, self.now)
        # What is done now comes after what stood before, even while the clock stands still; within one call it does
        # not, so that of a yes and a no in one breath the no wins.
        before = self.before.get((choice.profile_id, choice.topic, choice.channel))
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
            update_fields=["state", "record", "since"],
        )
        self._tell(changed)

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
    )
