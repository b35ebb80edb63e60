"""The customer's pages: what to be told, and the way out. Thin doors; the token says whose they are."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import translation

from consent import buttons, choosing, everything, links, optins, reading, receipts, tokens, visits, wordings
from consent import preferences as wishes
from consent.choosing import Act
from consent.ledger import EVERYTHING
from consent.models import ConsentRecord, OptIn, Preference, Topic
from consent.page import Page
from consent.public import page, token_page
from consent.visits import Visit
from consent.wordings import Wordings
from foundation import clock, registry
from foundation.errors import Conflict, Invalid, Refused
from profiles import people
from profiles.models import Profile

_ONE_CLICK = ("List-Unsubscribe", "One-Click")


@token_page("GET", "HEAD", "POST")
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """A page with one button; the button, or a mail provider's one-click, stops the topic before we answer."""
    inert = tokens.read("inert", token)
    link = inert or tokens.read("unsubscribe", token)
    if link is None:
        raise Http404
    now = clock.now()
    profile = None if inert else links.profile_of(link["profile"])
    preference = wishes.of([profile.id])[profile.id] if profile else None
    with visits.speaking_to(request, profile, preference):
        words = Wordings({topic.slug: topic for topic in Topic.objects.filter(slug=link["topic"])})
        context = {
            "inert": bool(inert),
            "name": words.name(link["topic"] or EVERYTHING, link["channel"]),
            "everything": not link["topic"],
            "all_choices": links.less_url(profile, now) if profile else "",
        }
        if request.method == "POST" and not inert:
            context |= _unsubscribe(request.POST, link, profile, words, now)
        elif request.method == "POST":
            context["done"] = request.POST.get(_ONE_CLICK[0]) == _ONE_CLICK[1]
        return page("consent/unsubscribe.html", context)


def _unsubscribe(
    posted: Mapping[str, str], link: Mapping[str, Any], profile: Profile | None, words: Wordings, now: datetime
) -> dict[str, Any]:
    """Does what was posted, and returns what the page says of it. Without the pair of RFC 8058 nothing is done."""
    if posted.get(_ONE_CLICK[0]) == _ONE_CLICK[1]:
        pressed = posted.get("page") == "unsubscribe"
        return {"done": True, "undo": _stopped(link, profile, words, pressed, now).undo if profile else ""}
    if profile is None or posted.get("do") not in ("undo", "less"):
        return {}
    try:
        with transaction.atomic():
            owner, _act = choosing.undo(posted.get("undo", ""), page="unsubscribe", words=words, now=now)
            if owner != profile:
                raise Http404
            if posted["do"] == "less":
                wishes.save(profile.id, now=now, intensity=Preference.Intensity.LESS)
    except Conflict as conflict:
        return {"problems": [str(conflict)], "done": True}
    return {"undone": posted["do"]}


def _stopped(link: Mapping[str, Any], profile: Profile, words: Wordings, pressed: bool, now: datetime) -> Act:
    return choosing.stop(
        profile,
        link["topic"] or EVERYTHING,
        link["channel"],
        source=ConsentRecord.Source.PAGE if pressed else ConsentRecord.Source.ONE_CLICK,
        evidence={"page": "unsubscribe", "control": "Unsubscribe"} if pressed else {"method": "rfc8058"},
        words=words,
        message=link["message"],
        now=now,
    )


@token_page("GET", "HEAD", "POST")
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """One button, and nothing happens before it is pressed: programs open every link that a mail has."""
    values = tokens.read_at_any_age("confirm", token)
    asked = OptIn.objects.select_related("profile").filter(id=values["request"]).first() if values else None
    if values is None:
        raise Http404
    now = clock.now()
    over = asked is None or tokens.read("confirm", token, now=now) is None
    profile = asked.profile if asked else None
    with visits.speaking_to(request, profile, wishes.of([profile.id])[profile.id] if profile else None):
        context: dict[str, Any] = {"over": over, "names": optins.names(asked) if asked else []}
        context["requester"] = wordings.requester()
        if asked and asked.confirmed_at:
            context |= {"done": True, "again": True}
        elif asked and not over and request.method == "POST" and request.POST.get("do") == "confirm":
            outcome = optins.confirm(asked.id, now=now)
            context |= {"done": True, "again": outcome.again, "refused": outcome.refused, "granted": outcome.granted}
        context["all_choices"] = links.less_url(asked.profile, now) if asked and context.get("done") else ""
        return page("consent/confirm.html", context, status=410 if over and not context.get("done") else 200)


@token_page("GET", "HEAD", "POST")
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """What somebody gets, why, and how; what is held about them; and every way to change it."""
    if tokens.read("inert", token) is not None:
        return page("consent/preview.html")
    now = clock.now()
    visit = visits.by(token, now)
    if visit is None:
        raise Http404
    with visits.speaking_to(request, visit.profile, visit.preference):
        if visit.over:
            return _renew(request, visit)
        if request.method != "POST":
            return _show(request, visit, now)
        try:
            said = buttons.press(request.POST, visit, now)
        except Refused as refusal:
            problems = [p.reason for p in refusal.problems] if isinstance(refusal, Invalid) else [str(refusal)]
            return _show(request, visit, now, posted=request.POST.dict(), problems=problems)
    # Anew: the language or the time zone may be another now.
    visit = replace(visit, preference=wishes.of([visit.profile.id])[visit.profile.id])
    with visits.speaking_to(request, visit.profile, visit.preference):
        return _show(request, visit, now, said=said)


def _show(
    request: HttpRequest, visit: Visit, now: datetime, *, posted: Mapping[str, str] | None = None, **more: Any
) -> HttpResponse:
    context = {
        "page": Page(visit, now=now, posted=posted or {}),
        "contact": wordings.contact(),
        "can_mail": bool(registry.mail_link),
        **more,
    }
    return page("consent/preferences.html", context, status=422 if more.get("problems") else 200)


def _renew(request: HttpRequest, visit: Visit) -> HttpResponse:
    """For a link that is over: no data, and the way to a new one."""
    mailed = request.method == "POST" and request.POST.get("do") == "link"
    if mailed:
        registry.mail_link.ask(visit.profile)
    context = {"can_mail": bool(registry.mail_link), "mailed": mailed}
    return page("consent/renew.html", context, status=410)


@token_page("GET", "HEAD")
def download(request: HttpRequest, token: str) -> HttpResponse:
    """All that is held about the person, as JSON; by a fresh link only."""
    now = clock.now()
    visit = _fresh(token, now)
    if isinstance(visit, Visit):
        data = everything.gather(visit.profile, now)
        return JsonResponse(data, headers={"Content-Disposition": 'attachment; filename="my-data.json"'})
    return _needs_fresh(request, visit)


@token_page("GET", "HEAD")
def read(request: HttpRequest, token: str) -> HttpResponse:
    """The same to be read and printed: in groups, in their language, without ids; by a fresh link only."""
    now = clock.now()
    visit = _fresh(token, now)
    if not isinstance(visit, Visit):
        return _needs_fresh(request, visit)
    with visits.speaking_to(request, visit.profile, wishes.of([visit.profile.id])[visit.profile.id]):
        return page("consent/everything.html", reading.page_of(everything.gather(visit.profile, now)))


@token_page("GET", "HEAD")
def receipts_file(request: HttpRequest, token: str) -> HttpResponse:
    """A receipt of each decision of theirs, as JSON; by a fresh link only."""
    visit = _fresh(token, clock.now())
    if not isinstance(visit, Visit):
        return _needs_fresh(request, visit)
    with translation.override(settings.LANGUAGE_CODE):
        found = receipts.of(visit.profile)
    return JsonResponse({"receipts": found}, headers={"Content-Disposition": 'attachment; filename="my-receipts.json"'})


@token_page("GET", "HEAD", "POST")
def erase(request: HttpRequest, token: str) -> HttpResponse:
    """Asks once, and on the answer erases; by a fresh link only."""
    now = clock.now()
    visit = _fresh(token, now)
    if not isinstance(visit, Visit):
        return _needs_fresh(request, visit)
    with visits.speaking_to(request, visit.profile, wishes.of([visit.profile.id])[visit.profile.id]):
        done = request.method == "POST" and request.POST.get("do") == "erase"
        if done:
            people.erase(visit.profile, now=now)
        return page("consent/erase.html", {"done": done})


def _fresh(token: str, now: datetime) -> Visit | Profile:
    """The visit, if its link is fresh; else whose it is. Raises `Http404`."""
    visit = visits.by(token, now)
    if visit is None or not visit.full:
        raise Http404
    return visit if visit.fresh and not visit.over else visit.profile


def _needs_fresh(request: HttpRequest, profile: Profile) -> HttpResponse:
    with visits.speaking_to(request, profile, wishes.of([profile.id])[profile.id]):
        return page("consent/renew.html", {"can_mail": bool(registry.mail_link), "step": True}, status=403)
