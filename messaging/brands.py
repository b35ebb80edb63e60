"""How we look and sound, and who stands behind it: one row, or what the settings say until there is one."""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from foundation.errors import Invalid, Problem
from messaging import limits
from messaging.building import check_href
from messaging.domains import policy
from messaging.models import Brand
from staff import audit

FIELDS = ("name", "logo_url", "colour", "voice", "sender_name", "sender_address", "postal_address")
_ONLY = 1
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}\Z")
_BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def current() -> Brand:
    """The brand as it stands; what it leaves open is filled from the settings."""
    brand = Brand.objects.filter(pk=_ONLY).first() or Brand(pk=_ONLY, name="")
    name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    if not brand.sender_address:
        brand.sender_address, brand.sender_name = address, brand.sender_name or name
    brand.name = brand.name or name or "Cairn"
    brand.sender_name = brand.sender_name or brand.name
    brand.postal_address = brand.postal_address or settings.POSTAL_ADDRESS
    return brand


def save(*, now: datetime, **fields: Any) -> Brand:
    """Changes the fields that are given, all or none."""
    values = check(fields)
    with transaction.atomic():
        Brand.objects.bulk_create([Brand(pk=_ONLY)], ignore_conflicts=True)
        brand = Brand.objects.select_for_update().get(pk=_ONLY)
        changed = sorted(name for name, value in values.items() if getattr(brand, name) != value)
        if changed:
            for name in changed:
                setattr(brand, name, values[name])
            brand.save(update_fields=changed)
            what = ", ".join(name.replace("_", " ") for name in changed)
            audit.record("brand.changed", "brand", "brand", f"Changed the brand: {what}.", fields=changed)
        if "postal_address" in changed and brand.postal_address:
            limits.release(["postal"], now=now)
    return brand


def check(fields: Mapping[str, Any]) -> dict[str, str]:
    """The fields as they would be kept; `Invalid` with everything that is wrong with them."""
    values = {name: str(value or "").replace("\r\n", "\n").strip() for name, value in fields.items()}
    problems = [problem for name, value in values.items() for problem in _check(name, value)]
    if problems:
        raise Invalid(problems)
    return values


def _check(name: str, value: str) -> list[Problem]:
    if name not in FIELDS:
        return [Problem(name, f"is no part of the brand; its parts are {', '.join(FIELDS)}")]
    if name in ("name", "sender_name") and (len(value) > 100 or _BREAKS.search(value)):
        return [Problem(name, "must be one line of at most 100 characters")]
    if name == "name" and not value:
        return [Problem(name, "is missing: the name that people know you by")]
    if name == "colour" and not _COLOUR.match(value):
        return [Problem(name, "must be a colour such as #0f766e")]
    if name == "logo_url" and value and (check_href(value, name) or not value.startswith("https://")):
        return [Problem(name, "must be an address of a picture that begins with https://")]
    if name == "sender_address" and value:
        try:
            validate_email(value)
        except ValidationError:
            return [Problem(name, "must be an email address such as hello@example.com")]
        as_it_was = Brand.objects.filter(pk=_ONLY, sender_address=value).exists()
        if (flaw := policy.flaw(value)) and not as_it_was:
            return [Problem(name, flaw)]
    return []
