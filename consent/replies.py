"""What people write back to stop what they get: mails to the address for it, text messages, and what staff must read.

A mail proves nothing by who it says it is from: only the token that it bears counts. A text message comes through the
provider, who knows the number; so a word for stopping counts, and until staff have read anything else, all is held.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from consent import choosing, ledger, links, preferences, suppression, tokens, visits
from consent.ledger import EVERYTHING
from consent.models import ConsentRecord, Reply, State, Suppression, Topic
from consent.stopping import says_stop
from consent.suppression import normalised
from consent.wordings import Wordings
from foundation import inbound, phones, registry
from foundation.errors import Conflict
from foundation.inbound import Inbound
from profiles.models import Profile, digits_of_phone
from staff import actors, audit

SMS, EMAIL = "sms", "email"
_TOKEN = re.compile(r"v1\.[\w-]+\.[\w-]+\.[\w-]+")
_ADDRESSED = ("To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To")
_FEWEST_DIGITS = 5  # of a number; less is a name or a code in which digits happen to be
_KEPT = 4_000  # characters of what somebody wrote


@dataclass(frozen=True, slots=True)
class Reaction:
    """What became of a text message: `stopped`, `known` (it stood already) or `kept` for staff; and what to answer."""

    verdict: str
    answer: str = ""


# ── Mail ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
@registry.inbound.join
def read(mail: Inbound, now: datetime) -> str:
    """Stops what the token of a mail to `UNSUBSCRIBE_ADDRESS` names, whoever it says it is from (UN-10)."""
    addressed = _ours(mail)
    if not addressed:
        return ""
    if mail.is_automatic or mail.header("Return-Path") == "<>":
        return "A program wrote to the address for unsubscribing; nothing was done."
    subject = mail.header("Subject")
    for text in (*addressed, subject, "".join(subject.split())):
        for token in _TOKEN.findall(text):
            if said := _by_token(token, now):
                return said
    sender = next(iter(inbound.addresses(mail.header("From"))), "")
    text = "\n".join(inbound.text_of(part) for part in mail.parts if part.get_content_type() == "text/plain")
    _keep(EMAIL, normalised(sender), f"{subject}\n\n{text}".strip(), mail.digest, now)
    return "A mail to the address for unsubscribing says not what to stop; it is kept for staff to read."


def _ours(mail: Inbound) -> list[str]:
    """The addresses of the mail that are ours for unsubscribing, with or without something behind a `+`."""
    name, at, domain = settings.UNSUBSCRIBE_ADDRESS.lower().rpartition("@")
    if not at:
        return []
    named = inbound.addresses(*(mail.header(each) for each in _ADDRESSED))
    found = []
    for address in (mail.to, *named):
        local, _at, host = address.rpartition("@")
        if host.lower() == domain and local.lower().partition("+")[0] == name:
            found.append(address)
    return found


def _by_token(token: str, now: datetime) -> str:
    """What was done for a token of ours; "" where it is none."""
    try:
        if tokens.read("inert", token) is not None:
            return "The link of a test or a preview came back by mail; nothing was done."
        link = tokens.read("unsubscribe", token)
    except (ValueError, IndexError):
        return ""
    if link is None:
        return ""
    profile = links.profile_of(link["profile"])
    if profile is None:
        return "Somebody who is no longer known unsubscribed by mail."
    with actors.acting_as("customer"):
        choosing.stop(
            profile,
            link["topic"] or EVERYTHING,
            link["channel"],
            source=ConsentRecord.Source.ONE_CLICK,
            evidence={"method": "mailto"},
            words=Wordings({topic.slug: topic for topic in Topic.objects.filter(slug=link["topic"])}),
            message=link["message"],
            now=now,
        )
    return "Somebody unsubscribed by mail."


# ── Text messages ────────────────────────────────────────────────────────────────────────────────────────────────────
def sms(number: str, text: str, *, id: str = "", now: datetime) -> Reaction:
    """Stops all text messages to a number that says so, and confirms that once (CO-18); keeps all else for staff.

    `id` is what the provider calls the message: delivered twice, it is one.
    """
    number, text = normalised(inbound.storable(number))[:320], inbound.storable(text)
    if says_stop(text):
        with transaction.atomic(), actors.acting_as("customer"):
            return _stop_number(number, text, now)
    digest = hashlib.sha256("\0".join((SMS, number, id or f"{now.isoformat()}", text)).encode()).hexdigest()
    with transaction.atomic():
        if _keep(SMS, number, text, digest, now):
            # "Any reasonable means" of stopping counts from when it was said, though nobody has understood it yet.
            suppression.add(SMS, number, Suppression.Reason.REVIEW, now, Suppression.Scope.MARKETING)
    return Reaction("kept")


def _stop_number(number: str, text: str, now: datetime) -> Reaction:
    people = whose(SMS, number)
    recorded = [_stop(profile, SMS, {"method": "sms", "said": text.strip()[:160]}, now) for profile in people]
    # The number, too: it holds for whoever is made with it later, until somebody who said no themselves says yes.
    if suppression.add(SMS, number, Suppression.Reason.STOPPED, now, Suppression.Scope.MARKETING):
        recorded.append(not people)
    if not any(recorded):
        return Reaction("known")
    profile = people[0] if people else None
    language = visits.language_of(profile, preferences.of([profile.id])[profile.id]) if profile else None
    with translation.override(language or settings.LANGUAGE_CODE):
        said = _("You get no more text messages from us. You can change that on your page at any time.")
        return Reaction("stopped", said)


def _stop(profile: Profile, channel: str, evidence: dict[str, Any], now: datetime) -> bool:
    """Whether that was news."""
    choice = ledger.Choice(
        profile_id=profile.id,
        topic=EVERYTHING,
        channel=channel,
        state=State.DENIED,
        source=ConsentRecord.Source.REPLY,
        evidence=evidence,
    )
    return ledger.record([choice], now=now)[0].verdict == "recorded"


def whose(channel: str, address: str) -> list[Profile]:
    """Everybody who has this address, in any spelling of a number, those with an id of yours first."""
    digits = [one for one in phones.spellings(address) if len(one) >= _FEWEST_DIGITS]
    if channel == EMAIL:
        found = Profile.objects.filter(email__iexact=normalised(address))
    elif digits:
        found = Profile.objects.alias(digits=digits_of_phone()).filter(phone__isnull=False, digits__in=digits)
    else:
        found = Profile.objects.filter(phone=address)
    return sorted(found, key=lambda one: (one.external_id is None, one.id))


# ── What staff read ──────────────────────────────────────────────────────────────────────────────────────────────────
def close(id: UUID, *, outcome: str, now: datetime) -> Reply:
    """Ends the reading: as a no of everybody with that address to all of the channel, or as nothing of the kind."""
    with transaction.atomic():
        row = Reply.objects.select_for_update().get(id=id)
        if row.closed_at is not None:
            raise Conflict(f"It was read before: {row.get_outcome_display().lower()}.")
        if outcome == Reply.Outcome.STOPPED:
            people = whose(row.channel, row.sender)
            if not people and row.channel == EMAIL:
                raise Conflict("Nobody is known by this address. Find the person whom they mean, and say no for them.")
            for profile in people:
                _stop(profile, row.channel, {"method": "read by staff", "reply": str(row.id)}, now)
            if row.channel == SMS:
                suppression.add(SMS, row.sender, Suppression.Reason.STOPPED, now, Suppression.Scope.MARKETING)
        row.closed_at, row.outcome = now, outcome
        row.save(update_fields=["closed_at", "outcome"])
        if not Reply.objects.filter(channel=row.channel, sender=row.sender, closed_at=None).exists():
            suppression.lift(row.channel, row.sender, Suppression.Reason.REVIEW)
        said = f"Read an answer by {row.channel}: {row.get_outcome_display().lower()}."
        audit.record("close", "reply", str(row.id), said)
    return row


def forget(address: str, channel: str) -> None:
    """Deletes what came from an address whose owner is erased."""
    Reply.objects.filter(channel=channel, sender__iexact=normalised(address)).delete()
    suppression.lift(channel, address, Suppression.Reason.REVIEW)


def _keep(channel: str, sender: str, said: str, digest: str, now: datetime) -> bool:
    """Whether it was not there yet."""
    row = {"channel": channel, "sender": sender[:320], "said": said[:_KEPT], "received_at": now}
    return Reply.objects.get_or_create(digest=digest, defaults=row)[1]
