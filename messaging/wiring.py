"""How channels are set up: what staff say of them, secrets that nobody is shown again, and tests. Their only writer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from django.db import transaction

from foundation.errors import Conflict, Invalid, Problem
from messaging import brands, limits, rendering, sealing
from messaging.delivery import CHANNELS, Accepted, Channel, InDoubt, Later, Letter, Returned, Setting, Unreachable
from messaging.models import ChannelSettings
from staff import audit

OVERLAP = timedelta(days=1)
"""How long a key that was made anew is still taken, so that sites and programs can move over."""

_EARLIER, _UNTIL = "earlier ", "until "  # beside a made value: the one before it, and how long that counts


@dataclass(frozen=True, slots=True)
class Wired:
    """A channel as it is set up. `lost`: its secrets were sealed with a key that we no longer have."""

    enabled: bool
    values: Mapping[str, str]
    lost: bool = False

    def lack(self, channel: type[Channel]) -> str:
        """Why nothing can go out by it, for the middle of a sentence; "" where it can."""
        if not self.enabled:
            return "is switched off"
        missing = [one.label for one in channel.settings if one.required and not one.make and not self.values[one.name]]
        if self.lost and missing:
            return "has lost its secrets, since LINK_KEYS changed; they must be entered again"
        if not missing:
            return ""
        named = ", ".join(f"“{one}”" for one in missing)
        return f"is not set up yet: {named} {'is' if len(missing) == 1 else 'are'} still to be filled in"


def row(key: str) -> ChannelSettings:
    """How it is set up; where nobody did, a row that is not kept."""
    return ChannelSettings.objects.filter(channel=key).first() or ChannelSettings(channel=key)


def wired(key: str) -> Wired:
    return _wired(CHANNELS[key], row(key))


def all_wired() -> dict[str, Wired]:
    """Every channel, in one question."""
    rows = {found.channel: found for found in ChannelSettings.objects.all()}
    return {channel.key: _wired(channel, rows.get(channel.key) or ChannelSettings()) for channel in CHANNELS}


def _wired(channel: type[Channel], found: ChannelSettings) -> Wired:
    secrets = sealing.unseal(found.sealed)
    kept = {**found.values, **(secrets or {})}
    return Wired(
        enabled=found.enabled,
        values={one.name: kept.get(one.name) or one.usual for one in channel.settings},
        lost=secrets is None,
    )


def save(key: str, given: Mapping[str, str], *, enabled: bool = True, now: datetime) -> None:
    """Changes what is given; a secret that is given as "" stays as it is. `Invalid` with all that is wrong."""
    channel = CHANNELS[key]
    values = {name: value.replace("\r\n", "\n").strip() for name, value in given.items()}
    if problems := check(key, values):
        raise Invalid(problems)
    fields = {one.name: one for one in channel.settings}
    with transaction.atomic():
        found = _held(key)
        secrets = sealing.unseal(found.sealed) or {}
        before = (found.enabled, dict(found.values), dict(secrets))
        for name, value in values.items():
            if not fields[name].secret:
                found.values[name] = value
            elif value:
                secrets[name] = value
        found.enabled = enabled
        changed = sorted(
            name for name in values if (before[1] | before[2]).get(name) != (found.values | secrets).get(name)
        )
        if before == (found.enabled, found.values, secrets) and found.sealed:
            return
        found.sealed = sealing.seal(secrets)
        found.save()
        if changed or before[0] != enabled:
            what = ", ".join(fields[name].label.lower() for name in changed)
            said = "" if before[0] == enabled else " It is on now." if enabled else " It is off now."
            summary = f"Set up the channel {channel.label}{f': {what}' if what else ''}.{said}"
            audit.record("channel.changed", "channel", key, summary, fields=changed, enabled=enabled)
        limits.release(["channel"], now=now)


def check(key: str, values: Mapping[str, str]) -> list[Problem]:
    """Everything that is wrong with these values."""
    fields = {one.name: one for one in CHANNELS[key].settings if one.make is None}
    problems = [
        Problem(name, f"is none of its settings; they are {', '.join(fields)}") for name in values if name not in fields
    ]
    for name, value in values.items():
        if name in fields and (flaw := _flaw(fields[name], value)):
            problems.append(Problem(name, flaw))
    return problems


def _flaw(field: Setting, value: str) -> str:
    if len(value) > 4_000 or "\0" in value:
        return "must be a text of at most 4,000 characters"
    if not value:
        return ""
    if field.among is not None and value not in {key for key, _ in field.among()}:
        return "must be one of those that there are"
    return field.flaw(value)


def _held(key: str) -> ChannelSettings:
    ChannelSettings.objects.bulk_create([ChannelSettings(channel=key)], ignore_conflicts=True)
    return ChannelSettings.objects.select_for_update().get(channel=key)


# ── What we make up ourselves ────────────────────────────────────────────────────────────────────────────────────────
def made(key: str, name: str) -> str:
    """A value of ours, made when it is first asked for."""
    value = wired(key).values[name]
    return value or _make(key, name, again=False, now=None)


def taken(key: str, name: str, *, now: datetime) -> list[str]:
    """The values of ours that count now, the newest first: the one before it counts for a day."""
    secrets = sealing.unseal(row(key).sealed) or {}
    newest = secrets.get(name) or made(key, name)
    until = secrets.get(f"{_UNTIL}{name}")
    is_counting = until is not None and datetime.fromisoformat(until) > now
    return [newest, secrets[f"{_EARLIER}{name}"]] if is_counting else [newest]


def renew(key: str, name: str, *, now: datetime) -> None:
    """Makes a value anew; the one before it counts for one more day."""
    _make(key, name, again=True, now=now)


def _make(key: str, name: str, *, again: bool, now: datetime | None) -> str:
    field = next(one for one in CHANNELS[key].settings if one.name == name)
    if field.make is None:
        raise ValueError(f"{key}.{name} is not of our making")
    with transaction.atomic():
        found = _held(key)
        secrets = sealing.unseal(found.sealed) or {}
        if secrets.get(name) and not again:
            return secrets[name]  # another was first
        if secrets.get(name) and now is not None:
            secrets |= {f"{_EARLIER}{name}": secrets[name], f"{_UNTIL}{name}": (now + OVERLAP).isoformat()}
        secrets[name] = field.make()
        found.sealed = sealing.seal(secrets)
        found.save(update_fields=["sealed"])
        if again:
            summary = f"Made {field.label.lower()} of the channel {CHANNELS[key].label} anew."
            audit.record("channel.renewed", "channel", key, summary, field=name)
    return secrets[name]


# ── Whether it works ─────────────────────────────────────────────────────────────────────────────────────────────────
def test(key: str, to: str, *, now: datetime) -> None:
    """Sends a few words by the channel; `Conflict` with a sentence where that does not go through."""
    channel = CHANNELS[key]
    to = to.strip() or ("" if channel.test_to else "test")
    if not channel().takes(to):
        raise Conflict(f"Say where the test is to go: {channel.test_to.lower() or 'an address'} that is complete.")
    if lack := wired(key).lack(channel):
        raise Conflict(f"The channel {lack}.")
    failure = _tried(channel, to)
    with transaction.atomic():
        found = _held(key)
        found.tested_at, found.test_failed = now, failure
        found.save(update_fields=["tested_at", "test_failed"])
        how = "It did not go through." if failure else "It went through."
        audit.record("channel.tested", "channel", key, f"Tested the channel {channel.label}. {how}")
    if failure:
        raise Conflict(f"The test did not go through. {failure}")


def _tried(channel: type[Channel], to: str) -> str:
    brand = brands.current()
    id = uuid4()
    words = f"This is a test of {brand.name}. There is nothing to do."
    letter = Letter(
        id=id,
        channel=channel.key,
        message_id=f"<test-{id}@{brand.sender_address.rpartition('@')[2]}>",
        sender=rendering.sender(brand),
        address=to,
        subject=f"[Test] {brand.name}" if channel.form.has_subject else "",
        html=f"<p>{words}</p>" if channel.form.rich else "",
        text=words,
        options={"test": True},
    )
    try:
        with channel().line() as line:
            outcome = line.send(letter)
    except Unreachable as error:
        return str(error)
    match outcome:
        case Later(reason) | Returned(reason) | InDoubt(reason):
            return reason
        case Accepted():
            return ""
