"""People as programs and staff know them: set as a whole, changed in part, found by any id of theirs, erased."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from foundation import strict_json
from foundation.errors import Invalid, Problem
from profiles import erasing, pulses
from profiles.calls import COLUMNS, MAX_ID_BYTES
from profiles.erasing import erase, tombstoned
from profiles.models import Account, Identifier, Profile, Pulse
from profiles.values import ACCOUNT

__all__ = ["attributes_of", "erase", "find", "flaws", "patch", "put", "set_attributes", "tombstoned"]

_FIELDS = (*Profile.COLUMNS, "attributes", "account")
_BLANK = re.compile(r"\s*")


def find(external_id: str) -> Profile | None:
    """Who is known by this id today, also where it came with somebody who was merged into them."""
    found = Identifier.objects.filter(kind=Identifier.Kind.USER, value=external_id)
    return Profile.objects.select_related("account").filter(identifiers__in=found).first()


def attributes_of(profile: Profile) -> dict[str, Any]:
    """All that is known of a person under one set of names; a column wins over an attribute of the same name."""
    columns = {name: getattr(profile, name) for name in Profile.COLUMNS}
    return {**profile.attributes, **{name: value for name, value in columns.items() if value is not None}}


def put(external_id: str, values: Mapping[str, Any], *, now: datetime) -> tuple[Profile, bool]:
    """Makes the person be exactly this: what `values` leaves out is emptied. Whether the person is new stands beside.

    To put somebody who was erased is to begin anew: nothing of before comes back, and their id is taken again.
    """
    given = _checked({"external_id": external_id, **values})
    with transaction.atomic():
        profile, created = _held_or_made(external_id, now)
        whole = dict.fromkeys(Profile.COLUMNS) | given.columns
        attributes = dict.fromkeys(profile.attributes) | given.attributes
        _write(profile, _Given(whole, attributes, given.account), created=created, now=now)
    return profile, created


def patch(external_id: str, values: Mapping[str, Any], *, now: datetime) -> Profile:
    """Changes what `values` names, attributes key by key; null empties. Raises `Profile.DoesNotExist`."""
    given = _checked({"external_id": external_id, **values})
    with transaction.atomic():
        profile = _held(external_id)
        if profile is None:
            raise Profile.DoesNotExist
        if "account" not in values:
            given.account = profile.account.external_id if profile.account else None
        _write(profile, given, created=False, now=now)
    return profile


def set_attributes(values: Mapping[UUID, Mapping[str, Any]], *, now: datetime) -> dict[UUID, set[str]]:
    """Sets these values of these people, of each their own, in the caller's transaction; null empties.

    A name may be a column's. What came about later than `now` stays. Returns the names that changed, of those of whom
    any did; they are looked at again. Raises `Invalid`, with the path of each flaw, before anything is written. Reads
    once and writes once, however many people there are; who is gone is passed over.
    """
    given = _read_alike(values)
    held = Profile.objects.select_for_update(no_key=True).filter(pk__in=list(values)).order_by("pk")
    changed: dict[UUID, set[str]] = {}
    written = []
    for profile in held:
        if (names := _set(profile, given[profile.pk], now)) is not None:
            written.append(profile)
            changed[profile.pk] = names
    if written:
        Profile.objects.bulk_update(written, [*_columns_of(given.values()), "attributes", "attribute_times"])
        words = [
            pulses.Word(profile, Pulse.Cause.ATTRIBUTE, attributes=names) for profile, names in changed.items() if names
        ]
        pulses.add(words, now=now)
    return {profile: names for profile, names in changed.items() if names}


def flaws(values: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with values for `set_attributes`; the path is the name of the value."""
    try:
        _split(values)
    except Invalid as refusal:
        return [Problem(one.path.removeprefix("attributes").removeprefix("."), one.reason) for one in refusal.problems]
    return []


def _split(values: Mapping[str, Any]) -> "_Given":
    """Columns and attributes apart, read."""
    columns = {name: value for name, value in values.items() if name in Profile.COLUMNS}
    return _checked({**columns, "attributes": {name: value for name, value in values.items() if name not in columns}})


def _read_alike(values: Mapping[UUID, Mapping[str, Any]]) -> dict[UUID, "_Given"]:
    """The values of each, read; those that are one object (a step sets the same for everybody) are read once."""
    read: dict[int, _Given] = {}
    for given in values.values():
        if id(given) not in read:
            read[id(given)] = _split(given)
    return {profile: read[id(given)] for profile, given in values.items()}


def _columns_of(given: "Collection[_Given]") -> list[str]:
    return sorted({name for one in given for name in one.columns})


def _set(profile: Profile, given: "_Given", now: datetime) -> set[str] | None:
    """Sets what is not known better since; the names that changed, None where nothing is to be written."""
    times = profile.attribute_times
    names = [
        name
        for name in (*given.columns, *given.attributes)
        if name not in times or datetime.fromisoformat(times[name]) <= now
    ]
    changed = set()
    for name in names:
        if name in given.columns:
            if getattr(profile, name) != given.columns[name]:
                setattr(profile, name, given.columns[name])
                changed.add(name)
        elif not _same(profile.attributes.get(name), given.attributes[name]):
            changed.add(name)
            profile.attributes[name] = given.attributes[name]
            if given.attributes[name] is None:
                del profile.attributes[name]
    if not names:
        return None
    times |= dict.fromkeys(names, now.isoformat())
    return changed


@dataclass(slots=True)
class _Given:
    """Values that can be taken. An attribute of None is to go; `account` is the external id of the company, or None."""

    columns: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    account: str | None = None


def _checked(values: Mapping[str, Any]) -> _Given:
    """The values, read. Raises `Invalid` with everything that is wrong, each with its path."""
    wrong = strict_json.problems(dict(values))
    given = _Given()
    for name, value in values.items():
        if wrong and any(problem.path.startswith(name) for problem in wrong):
            continue
        try:
            _take(given, name, value)
        except ValueError as error:
            wrong.append(Problem(name, str(error)))
    if wrong:
        raise Invalid(wrong)
    return given


def _take(given: _Given, name: str, value: Any) -> None:
    if name == "external_id":
        _id(value)
    elif name in Profile.COLUMNS:
        given.columns[name] = None if value is None else COLUMNS[name](value)
    elif name == "attributes":
        if not isinstance(value, dict):
            raise ValueError("must be an object of names and values")
        given.attributes = value
        if any(not key.strip() or key.startswith("$") for key in value):
            raise ValueError("has a name that is blank or begins with $, as only Cairn's own do")
    elif name == "account":
        given.account = None if value is None else _id(value)
    else:
        raise ValueError(f"is no field of a profile; there are {', '.join(_FIELDS)}. Put other values under attributes")


def _id(value: Any) -> str:
    if not isinstance(value, str) or _BLANK.fullmatch(value):
        raise ValueError("must be your own id, as text that is not blank")
    if len(value.encode()) > MAX_ID_BYTES:
        raise ValueError(f"is longer than {MAX_ID_BYTES} bytes")
    return value


def _held(external_id: str) -> Profile | None:
    """The person, held until the transaction ends."""
    held = Profile.objects.select_for_update(of=["self"]).select_related("account")
    while (found := find(external_id)) is not None:
        # A merge may have taken the row away between the two; then the id leads to somebody else.
        if (profile := held.filter(pk=found.pk).first()) is not None:
            return profile
    return None


def _held_or_made(external_id: str, now: datetime) -> tuple[Profile, bool]:
    if (profile := _held(external_id)) is not None:
        return profile, False
    try:
        with transaction.atomic():
            profile = Profile.objects.create(external_id=external_id, first_seen_at=now, last_seen_at=now)
            Identifier.objects.create(kind=Identifier.Kind.USER, value=external_id, profile=profile, created_at=now)
        erasing.admit(external_id)
    except IntegrityError:  # a call or another request made them at the same moment
        if (existing := _held(external_id)) is None:
            raise
        return existing, False
    return profile, True


def _write(profile: Profile, given: _Given, *, created: bool, now: datetime) -> None:
    """Writes what differs, notes when it came about, and has the person looked at again where anything did."""
    changed = {name for name, value in given.columns.items() if getattr(profile, name) != value}
    for name, value in given.columns.items():
        setattr(profile, name, value)
    changed |= {name for name, value in given.attributes.items() if not _same(profile.attributes.get(name), value)}
    kept = {**profile.attributes, **given.attributes}
    profile.attributes = {name: value for name, value in kept.items() if value is not None}
    moved = _set_account(profile, given.account, now)
    times = {*given.columns, *given.attributes, *([ACCOUNT] if moved else [])}
    if not created:  # of somebody new only what is there has a time
        profile.attribute_times |= dict.fromkeys(times, now.isoformat())
    else:
        there = {name for name, value in (given.columns | given.attributes).items() if value is not None}
        profile.attribute_times = dict.fromkeys(there | (times & {ACCOUNT}), now.isoformat())
    profile.save()
    if changed or moved or created:
        pulses.touch([profile.id], cause=Pulse.Cause.ATTRIBUTE, now=now, attributes=sorted(changed | moved))


def _same(old: Any, new: Any) -> bool:
    # As JSON, since True is 1 to Python, and not to anybody who asks about the value.
    return json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)


def _set_account(profile: Profile, external_id: str | None, now: datetime) -> set[str]:
    """Ties the person to the company; the names of the values that this may change."""
    before = profile.account
    if external_id == (before.external_id if before else None):
        return set()
    if external_id is None:
        profile.account = None
    else:
        profile.account, _ = Account.objects.get_or_create(external_id=external_id, defaults={"created_at": now})
    names = {name for account in (before, profile.account) if account for name in ("name", *account.attributes)}
    return {f"account.{name}" for name in names}
