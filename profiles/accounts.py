"""Companies as programs set them, as a whole; what calls say of them goes through `profiles.ingest`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from foundation import strict_json
from foundation.errors import Invalid, Problem
from profiles import pulses
from profiles.calls import MAX_ID_BYTES
from profiles.models import Account, Profile, Pulse

_FIELDS = ("name", "attributes")


def put(external_id: str, values: Mapping[str, Any], *, now: datetime) -> tuple[Account, bool]:
    """Makes the company be exactly this: what `values` leaves out is emptied. Whether it is new stands beside.

    Its people are looked at again where anything changed. Raises `Invalid` with everything that is wrong.
    """
    _check(external_id, values)
    with transaction.atomic():
        account, created = _held_or_made(external_id, now)
        attributes = {name: value for name, value in (values.get("attributes") or {}).items() if value is not None}
        changed = _write(account, _name(values.get("name")), attributes, now)
        if changed and not created:
            people = Profile.objects.filter(account=account).values_list("id", flat=True)
            names = sorted(f"account.{name}" for name in changed)
            pulses.touch(list(people), cause=Pulse.Cause.ATTRIBUTE, now=now, attributes=names)
    return account, created


def _check(external_id: str, values: Mapping[str, Any]) -> None:
    wrong = strict_json.problems({"external_id": external_id, **values})
    if not external_id.strip():
        wrong.append(Problem("external_id", "Give your own id of the company, as text that is not blank."))
    elif len(external_id.encode(errors="surrogatepass")) > MAX_ID_BYTES:
        wrong.append(Problem("external_id", f"The id is longer than {MAX_ID_BYTES} bytes."))
    for name, value in values.items():
        if name not in _FIELDS:
            wrong.append(Problem(name, "A company has name and attributes. Put other values under attributes."))
        elif value is not None and not isinstance(value, str if name == "name" else dict):
            wrong.append(Problem(name, "The name is text." if name == "name" else "Attributes are names and values."))
        elif name == "attributes" and any(not key.strip() or key.startswith("$") for key in value or {}):
            wrong.append(Problem(name, "A name is blank or begins with $, as only Cairn's own do."))
    if wrong:
        raise Invalid(wrong)


def _name(name: str | None) -> str | None:
    """A blank name is none."""
    return name if name and name.strip() else None


def _held_or_made(external_id: str, now: datetime) -> tuple[Account, bool]:
    held = Account.objects.select_for_update().filter(external_id=external_id)
    if (account := held.first()) is not None:
        return account, False
    try:
        with transaction.atomic():
            return Account.objects.create(external_id=external_id, created_at=now), True
    except IntegrityError:  # a call or another request made it at the same moment
        return held.get(), False


def _write(account: Account, name: str | None, attributes: dict[str, Any], now: datetime) -> set[str]:
    """Writes what differs and notes when it came about; the names of what differs."""
    names = account.attributes.keys() | attributes.keys()
    changed = {key for key in names if not _same(account.attributes.get(key), attributes.get(key))}
    if account.name != name:
        changed.add("name")
    account.name, account.attributes = name, attributes
    account.attribute_times |= dict.fromkeys(changed, now.isoformat())
    account.save()
    return changed


def _same(old: Any, new: Any) -> bool:
    # True is 1 to Python, and not to anybody who asks about the value.
    return type(old) is type(new) and bool(old == new)
