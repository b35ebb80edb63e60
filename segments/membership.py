"""Who is in which segment: asked anew when something changed, and only the difference written, with its cause.

No older answer ever overwrites a newer one. A refresh asks about people whose locks it holds, in a snapshot taken after
it got them, and holds each segment *with others* while it writes. A build asks about everybody and holds its segment
*alone*; who is refreshed meanwhile is put off for that segment (`Late`), and asked again when the build is done.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import DatabaseError, transaction
from django.db.models.functions import Coalesce

from foundation.errors import Conflict
from foundation.sql import statements
from profiles import pulses
from profiles.models import Pulse
from profiles.pulses import Taken
from segments import limits, live
from segments.behaviour import to_come
from segments.live import Live, Standing
from segments.models import Cause, Segment
from segments.question import Names, Question, earliest

TRIGGERING = frozenset({Cause.EVENT, Cause.ATTRIBUTE, Cause.TIME})
_sql = statements("segments", "membership")
_Why = dict[UUID, Cause]
_UNDER_WAY = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Change:
    """Somebody came into a segment or went. `triggers`: whether a journey may begin by it."""

    segment_id: int
    slug: str
    profile_id: UUID
    entered: bool
    at: datetime
    cause: Cause
    triggers: bool


# ── People touched ───────────────────────────────────────────────────────────────────────────────────────────────────
def refresh(taken: Sequence[Taken], *, now: datetime) -> list[Change]:
    """Asks again about these people, in the caller's transaction and under the locks of theirs that it holds.

    Asked are the live segments that what is new bears on; those that use segments come after them. What happens after
    `now` is not seen yet: it is asked about when its time comes.
    """
    if not taken:
        return []
    standing = live.read(lock=True)
    people = [one.profile_id for one in taken]
    watched = {profile: (at, anew) for profile, at, anew in _sql.rows("watched", {"profiles": people})}
    known = [
        now,
        *(at for at, _ in watched.values()),
        *(row[0] for row in _sql.rows("put_off_at", {"profiles": people})),
    ]
    now = _moment(taken, max(filter(None, known)))
    new = {person for person in people if watched.get(person, (None, True))[1]}
    return _Pass(standing, taken, new, now).run()


def _moment(taken: Sequence[Taken], now: datetime) -> datetime:
    """`now`, or later: what is taken may have come while the run that takes it was under way.

    Nor is it before somebody was asked last, or put off: a run that began earlier would undo what a later one saw.
    """
    now = pulses.as_of(taken, now)
    return max([now, *(one.last_at for one in taken if one.last_at and one.last_at <= now + _UNDER_WAY)])


@dataclass(frozen=True, slots=True)
class _Alike:
    """People of whom the same is new: what bears on one bears on all."""

    like: Taken
    new: bool  # whether everything is asked of them
    people: list[UUID] = field(default_factory=list)


class _Asked:
    """Of whom a segment is asked, and why."""

    def __init__(self, causes: Iterable[tuple[_Alike, Cause]], others: _Why) -> None:
        self._alike = {id(alike): (alike, cause) for alike, cause in causes}
        self._others = others

    def __bool__(self) -> bool:
        return bool(self._alike or self._others)

    @staticmethod
    def people(*asked: "_Asked") -> set[UUID]:
        """All of whom these are asked."""
        alike = {key: alike for one in asked for key, (alike, _) in one._alike.items()}
        return set().union(*(one._others for one in asked), *(found.people for found in alike.values()))

    def why(self, person: UUID, alike: _Alike) -> Cause | None:
        """Why it is asked of this person, who is one of those; None if it is not."""
        found = self._others.get(person)
        if found is None and id(alike) in self._alike:
            return self._alike[id(alike)][1]
        return found


class _Pass:
    """One refresh of some people."""

    def __init__(self, standing: Standing, taken: Sequence[Taken], new: set[UUID], now: datetime) -> None:
        self.standing, self.taken, self.new, self.now = standing, taken, new, now
        self.people = [one.profile_id for one in taken]
        self.changes: list[Change] = []
        alike: dict[object, _Alike] = {}
        self._of: dict[UUID, _Alike] = {}
        for one in taken:
            is_new = one.profile_id in new
            key = (one.causes, one.names, one.attributes, one.late_names, one.late_attributes, is_new)
            self._of[one.profile_id] = alike.setdefault(key, _Alike(one, is_new))
            self._of[one.profile_id].people.append(one.profile_id)
        self._alike = list(alike.values())
        self._put_off: list[tuple[int | None, UUID, Cause]] = []
        self._next: dict[UUID, datetime] = {}

    def run(self) -> list[Change]:
        late = self._late()
        self._follow_limits()
        if self.standing.making:
            self._put_off += [(None, one.profile_id, _of_all(one)) for one in self.taken]
        members = self._members()
        for level in self.standing.levels:
            asked = {one.id: self._why(one, late) for one in level}
            for one in level:
                if one.locked:
                    why = asked[one.id]
                    self._put_off += [
                        (one.id, person, cause)
                        for person in _Asked.people(why)
                        if (cause := why.why(person, self._of[person]))
                    ]
            todo = [one for one in level if asked[one.id] and not one.locked]
            if todo:
                self._settle(todo, asked, members)
        self._write_put_off()
        self._watch()
        return self.changes

    def _why(self, one: Live, late: dict[int | None, _Why]) -> _Asked:
        """Of whom this segment is asked, and why."""
        causes: dict[int, tuple[_Alike, Cause]] = {}
        unmoved: set[int] = set()  # who are asked since they are new, while nothing of theirs bears on it
        for alike in self._alike:
            cause = one.asks_of(alike.like, self.standing.touched)
            if cause is None and alike.new and not one.needs.whole:
                cause = live.strongest(alike.like.causes)
                unmoved.add(id(alike))
            if cause is not None:
                causes[id(alike)] = (alike, cause)
        others: _Why = {}

        def so_far(person: UUID) -> Cause | None:
            return others.get(person) or causes.get(id(self._of.get(person)), (None, None))[1]

        for change in self.changes:
            if change.slug in one.needs.segments:
                alike_to = id(self._of.get(change.profile_id))
                moved = others.get(change.profile_id) if alike_to in unmoved else so_far(change.profile_id)
                if moved not in TRIGGERING:
                    others[change.profile_id] = change.cause
        put_off = late.get(one.id, {})
        if not one.needs.whole:
            put_off = late.get(None, {}) | put_off
        # Those who were put off come back by a pulse of time, which only brings them: the cause is that of before.
        others |= {
            person: cause for person, cause in put_off.items() if so_far(person) not in (Cause.EVENT, Cause.ATTRIBUTE)
        }
        return _Asked(causes.values(), others)

    def _late(self) -> dict[int | None, _Why]:
        """What was put off for these people; changes that were written already are only handed on."""
        but = [one.id for one in self.standing.live if one.locked]
        slugs = {one.id: one.slug for one in self.standing.live}
        late: dict[int | None, _Why] = {}
        for segment, person, cause, entered, at in _sql.rows("take_late", {"profiles": self.people, "but": but}):
            if entered is None:
                late.setdefault(segment, {})[person] = Cause(cause)
            elif segment in slugs:
                self.changes.append(_change(segment, slugs[segment], person, entered, at, Cause(cause)))
        return late

    def _follow_limits(self) -> None:
        """Of segments filled by hand: who must not be in one goes, who is free again comes back."""
        asked = [t.profile_id for t in self.taken if limits.NAME in t.attributes or Cause.MERGE in t.causes]
        if asked:
            self.changes += _settle_by_hand(asked, None, self.now)

    def _members(self) -> dict[int, set[UUID]]:
        segments = [one.id for one in self.standing.live]
        rows = _sql.rows("members", {"profiles": self.people, "segments": segments})
        return {segment: set(people) for segment, people in rows}

    def _settle(self, todo: list[Live], asked: dict[int, _Asked], members: dict[int, set[UUID]]) -> None:
        people = sorted(_Asked.people(*(asked[one.id] for one in todo)))
        answers, following, failed = _answers(todo, people, self.now)
        self._come_back(following)
        found: list[Change] = []
        for one in todo:
            if one.id in failed:
                # It stays as it was; the sweep will find who no longer fits once it can be asked again.
                since = Coalesce("unforeseen_since", self.now)
                Segment.objects.filter(id=one.id).update(flagged=failed[one.id], unforeseen_since=since)
                continue
            before = members.get(one.id, set())
            for person in sorted(answers[one.id] ^ before):
                cause = asked[one.id].why(person, self._of[person])
                if cause is not None:
                    found.append(_change(one.id, one.slug, person, person not in before, self.now, cause))
        self.changes += _write(found, {one.id: one.version_id for one in todo}, self.now)

    def _come_back(self, moments: Mapping[UUID, datetime]) -> None:
        """These people are asked again at these times, if not before."""
        for person, moment in moments.items():
            self._next[person] = min(moment, self._next.get(person, moment))

    def _watch(self) -> None:
        """Writes down as of when these people were asked, and when time alone must have them asked again."""
        # What is dated ahead of time, by a clock that is fast, is seen when its time comes.
        ahead = [one.profile_id for one in self.taken if one.last_at and one.last_at > self.now]
        self._come_back(_to_come([*self.new, *ahead], self.now))
        moments = [self._next.get(person) for person in self.people]
        _sql.run("watch", {"profiles": self.people, "moments": moments, "now": self.now})

    def _write_put_off(self) -> None:
        if self._put_off:
            segments, profiles, causes = (list(column) for column in zip(*self._put_off, strict=True))
            _sql.run("put_off", {"segments": segments, "profiles": profiles, "causes": causes, "now": self.now})


def _of_all(taken: Taken) -> Cause:
    """Why any segment's answer may change: if it may be by what is late, it is by that."""
    if taken.late_names or taken.late_attributes:
        return Cause.HISTORY
    return live.strongest(taken.causes)


def _change(segment: int, slug: str, person: UUID, entered: bool, at: datetime, cause: Cause) -> Change:
    return Change(segment, slug, person, entered, at, cause, cause in TRIGGERING)


def _to_come(people: list[UUID], now: datetime) -> dict[UUID, datetime]:
    """When the next of what is dated after `now` comes about, for those of whom there is any."""
    if not people:
        return {}
    q = Question(now, Names.of(()), among=people)
    return {person: moment for person, moment in q.rows(["p.id", to_come(q, q.people)]) if moment is not None}


_Answers = dict[int, set[UUID]]
_Next = dict[UUID, datetime]


def _answers(todo: list[Live], people: list[UUID], now: datetime) -> tuple[_Answers, _Next, dict[int, str]]:
    """Who of these people matches each segment, and when that may next change for each person, in one question.

    With the segments that cannot be asked, and why.
    """
    try:
        with transaction.atomic():
            return *_ask(todo, people, now), {}
    except DatabaseError as error:
        if len(todo) == 1:
            return {}, {}, {todo[0].id: f"It could not be asked: {_first_line(error)}"}
    answers: _Answers = {}
    following: _Next = {}
    failed: dict[int, str] = {}
    for one in todo:  # one that fails holds back no other
        alone, then, why = _answers([one], people, now)
        answers |= alone
        following |= {person: min(moment, following.get(person, moment)) for person, moment in then.items()}
        failed |= why
    return answers, following, failed


def _ask(todo: list[Live], people: list[UUID], now: datetime) -> tuple[_Answers, _Next]:
    names = Names.of(set().union(*(one.needs.events for one in todo)) | {"*"})
    q = Question(now, names, among=people)
    cases = [f"CASE WHEN {one.condition.holds(q)} THEN {place} END" for place, one in enumerate(todo)]
    soonest = earliest(moment for one in todo for moment in one.condition.changes(q))
    matched: list[set[UUID]] = [set() for _ in todo]
    following: _Next = {}
    columns = ["p.id", f"array_remove(ARRAY[{', '.join(cases)}]::int[], NULL)", soonest]
    for person, places, moment in q.rows(columns):
        for place in places:
            matched[place].add(person)
        if moment is not None:
            following[person] = moment
    return {one.id: matched[place] for place, one in enumerate(todo)}, following


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]


def _write(changes: list[Change], versions: dict[int, int | None], now: datetime) -> list[Change]:
    """Writes memberships and history; the changes that were news."""
    if not changes:
        return []
    come = [change for change in changes if change.entered]
    gone = [change for change in changes if not change.entered]
    news: set[tuple[int, UUID, bool]] = set()
    if come:
        rows = _sql.rows("enter", {**_columns(come, versions), "now": now})
        news |= {(segment, person, True) for segment, person in rows}
    if gone:
        news |= {(segment, person, False) for segment, person in _sql.rows("leave", _columns(gone, versions))}
    told = [change for change in changes if (change.segment_id, change.profile_id, change.entered) in news]
    if told:
        entered = [change.entered for change in told]
        _sql.run("tell", {**_columns(told, versions), "entered": entered, "now": now})
    return told


def _columns(changes: Iterable[Change], versions: dict[int, int | None]) -> dict[str, list[object]]:
    rows = [(c.segment_id, c.profile_id, c.cause.value, versions.get(c.segment_id)) for c in changes]
    segments, profiles, causes, numbers = (list(column) for column in zip(*rows, strict=True))
    return {"segments": segments, "profiles": profiles, "causes": causes, "versions": numbers}


# ── Segments filled by hand ──────────────────────────────────────────────────────────────────────────────────────────
def add(segment: Segment, profile_ids: Collection[UUID], *, now: datetime, cause: Cause = Cause.HAND) -> list[Change]:
    """Puts people into a segment that is filled by hand, but for those who must not be in it; who was new to it."""
    return _by_hand(segment, profile_ids, True, now, cause)


def remove(
    segment: Segment, profile_ids: Collection[UUID], *, now: datetime, cause: Cause = Cause.HAND
) -> list[Change]:
    """Takes people out of a segment that is filled by hand; who of them was in it."""
    return _by_hand(segment, profile_ids, False, now, cause)


def _by_hand(
    segment: Segment, profile_ids: Collection[UUID], entered: bool, now: datetime, cause: Cause
) -> list[Change]:
    if segment.kind != Segment.Kind.STATIC:
        raise Conflict(f"{segment.name} follows its definition: nobody is put into it or taken out by hand.")
    if segment.status == Segment.Status.ARCHIVED:
        raise Conflict(f"{segment.name} is archived: bring it back before you change who is in it.")
    with transaction.atomic():
        people = limits.free(set(profile_ids), marketing=segment.marketing) if entered else set(profile_ids)
        wanted = [_change(segment.id, segment.slug, person, entered, now, cause) for person in sorted(people)]
        changes = _write(wanted, {segment.id: segment.version_id}, now)
        ask_again(_users_of(segment.slug), [change.profile_id for change in changes], cause, now)
    return changes


def follow_limits(segment: Segment, *, now: datetime) -> list[Change]:
    """Has a segment that is filled by hand hold those alone who may be in it, once that may be others."""
    with transaction.atomic():
        changes = _settle_by_hand(None, segment.id, now)
        ask_again(_users_of(segment.slug), [change.profile_id for change in changes], Cause.LIMIT, now)
    return changes


def _settle_by_hand(people: Collection[UUID] | None, segment_id: int | None, now: datetime) -> list[Change]:
    found = limits.by_hand(people, segment_id)
    changes = [_change(id, slug, person, comes, now, Cause.LIMIT) for id, slug, person, comes in found]
    rows = Segment.objects.filter(id__in={one.segment_id for one in changes}).values_list("id", "version_id")
    versions: dict[int, int | None] = dict(rows)
    return _write(changes, versions, now)


def _users_of(slug: str) -> list[int]:
    """The live segments that use this one, or come after it in its family."""
    return [one.id for one in live.read().live if slug in one.needs.segments]


def ask_again(segments: Iterable[int], people: Collection[UUID], cause: Cause, now: datetime) -> int:
    """Has these people asked again for these segments, under their locks; how many it touched."""
    pairs = [(segment, person) for segment in segments for person in people]
    if not pairs:
        return 0
    ids, profiles = (list(column) for column in zip(*pairs, strict=True))
    _sql.run("put_off", {"segments": ids, "profiles": profiles, "causes": [cause.value] * len(pairs), "now": now})
    return pulses.touch(set(people), cause=Pulse.Cause.TIME, now=now)
