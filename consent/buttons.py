"""What the buttons of the preference page do, each in one transaction, and what is then said of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import Http404
from django.utils.translation import gettext as _

from consent import choosing, forms, limits, preferences, requests, wordings
from consent.choosing import Act
from consent.ledger import EVERYTHING
from consent.models import ConsentRecord, Limit
from consent.page import Page
from consent.visits import Visit
from foundation import registry
from foundation.errors import Conflict
from profiles import people

Said = dict[str, Any]
"""For the page: `changed`, `wishes`, `stale` and `unproven` in words; `undo` and `was`, which take it back."""


def press(posted: Mapping[str, str], visit: Visit, now: datetime) -> Said:
    """Does what the button called `do` says. Raises `Invalid` or `Conflict` with sentences for the person."""
    page = Page(visit, now=now, posted={})
    with transaction.atomic():
        match posted.get("do", "save"):
            case "save":
                return _save(posted, visit, page, now)
            case "stop":
                return _stop(page, now)
            case "resume":
                return _wish(page, {"paused_until": None}, now)
            case "undo":
                return _undo(posted, page, now)
            case "object":
                requests.raise_(page.profile, requests.Kind.OBJECTION, via=requests.Via.PAGE, now=now)
                return {"objected": True}
            case "unobject" if visit.fresh:
                limits.lift(page.profile, Limit.Kind.OBJECTED, now=now)
                return {"unobjected": True}
            case "correct" if page.may_correct:
                return _correct(posted, page, now)
            case "ask" if visit.full:
                return _ask(posted, page, now)
            case "link":
                registry.mail_link.ask(visit.profile)
                return {"mailed": bool(registry.mail_link)}
    raise Conflict(_("This page does not know that button. Load it anew and try again."))


def _save(posted: Mapping[str, str], visit: Visit, page: Page, now: datetime) -> Said:
    wished = forms.wishes(posted, preferences.zone_of(page.profile, page.preference), now)
    if not page.asks_birth:
        wished.pop("born_on", None)
    wanted = forms.choices(posted, page.keys)
    if visit.fresh:
        page.check_ages(wanted, wished.get("born_on"))
    act = choosing.choose(
        page.profile,
        wanted,
        seen=posted.get("seen", ""),
        may_agree=visit.fresh,
        words=page.words,
        now=now,
    )
    return {**_told(act, page), **_wish(page, wished, now)}


def _stop(page: Page, now: datetime) -> Said:
    act = choosing.stop(
        page.profile,
        EVERYTHING,
        EVERYTHING,
        source=ConsentRecord.Source.PAGE,
        evidence={"page": "preferences", "control": "Stop everything"},
        words=page.words,
        now=now,
    )
    return {**_told(act, page), "stopped": True}


def _correct(posted: Mapping[str, str], page: Page, now: datetime) -> Said:
    """Their name as they write it; it counts as a request that was kept at once."""
    names = {name: " ".join(posted.get(name, "").split()) or None for name in ("first_name", "last_name")}
    if any(name and (len(name) > 100 or "\0" in name) for name in names.values()):
        raise Conflict(_("A name can have 100 characters at most."))
    if any(getattr(page.profile, name) != value for name, value in names.items()):
        people.patch(page.profile.external_id or "", names, now=now)
        requests.note_correction(page.profile, "Their name.", now=now)
    return {"wishes": [_("Your name")]}


def _ask(posted: Mapping[str, str], page: Page, now: datetime) -> Said:
    kind = posted.get("kind", "")
    if kind not in page.rights or len(posted.get("said", "")) > requests.LONGEST:
        raise Conflict(_("Choose what you ask for, and say it in 5,000 characters at most."))
    said = posted.get("said", "").replace("\0", "")
    row = requests.raise_(page.profile, kind, via=requests.Via.PAGE, said=said, now=now)
    return {"asked": wordings.date_of(row.due_on)}


def _undo(posted: Mapping[str, str], page: Page, now: datetime) -> Said:
    act = Act()
    if posted.get("undo"):
        owner, act = choosing.undo(posted["undo"], page="preferences", words=page.words, now=now)
        if owner != page.profile:
            raise Http404
    return {**_told(act, page), **_wish(page, forms.before(posted), now), "undone": True, "undo": "", "was": {}}


def _wish(page: Page, wished: Mapping[str, Any], now: datetime) -> Said:
    """Saves the wishes that differ from what stands; what they were comes back as a form can send it."""
    was = {name: before for name, value in wished.items() if (before := getattr(page.preference, name)) != value}
    if was:
        preferences.save(page.profile.id, now=now, **{name: wished[name] for name in was})
    return {
        "wishes": wordings.wishes({name: wished[name] for name in was}),
        "was": {name: forms.plain(value) for name, value in was.items()},
    }


def _told(act: Act, page: Page) -> Said:
    return {
        "changed": [(page.words.name(*key), state) for key, state in act.changed],
        "stale": [page.words.name(*key) for key in act.stale],
        "unproven": [page.words.name(*key) for key in act.unproven],
        "requested": [page.words.name(*key) for key in act.requested],
        "undo": act.undo,
    }
