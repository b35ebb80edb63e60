"""The page of the test drive: whom to take along, the clock, what happens, what comes of it, and keeping it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from foundation import clock
from foundation.errors import Invalid, Refused
from foundation.wording import exact, spoken
from journeys.editor import driving, problems, revisions, told, words
from journeys.editor.driving import Drive
from journeys.editor.known import Known
from journeys.editor.shape import Document
from journeys.models import Journey
from journeys.testing import keeping, scripts
from journeys.testing.models import JourneyTest
from journeys.testing.scripts import Script
from messaging.editor import samples


def drive(request: HttpRequest, journey: Journey, site: AdminSite) -> HttpResponse:
    """Asks whom to take along; with a script, what came of it, and what may happen next."""
    if not request.user.has_perm("journeys.change_journey"):
        raise PermissionDenied
    now = clock.now()
    document = revisions.head(journey, now=now).document
    context: dict[str, Any] = {"alert": "", "unsound": bool(problems.find(document)), "drive": None}
    sent = {name: request.POST[name].replace("\x00", "") for name in request.POST}
    sent["do"] = request.POST.get("do", "")
    if not context["unsound"]:
        try:
            drive = _wanted(request, journey, document, sent, context, now)
            if isinstance(drive, HttpResponse):
                return drive
            if drive is not None:
                context |= _driven(drive, request)
        except Refused as refusal:
            context["alert"] = driving.sentence(refusal)
    if context["drive"] is None:
        context |= _setup(request, document, sent)
    return _page(request, journey, site, context)


Act = Callable[[Drive, Mapping[str, str]], None]


def _wanted(
    request: HttpRequest,
    journey: Journey,
    document: Document,
    sent: Mapping[str, str],
    context: dict[str, Any],
    now: datetime,
) -> Drive | HttpResponse | None:
    """The drive that is asked for; None where it is not begun yet."""
    if request.method != "POST":
        return _of_test(journey, document, request.GET.get("test", ""), context, now)
    do, _, what = sent["do"].partition(":")
    if do == "find" or not do:
        return None
    if do in ("begin", "as"):
        return _begun(request, journey, document, sent, what, now)
    drive = Drive.read(journey, document, sent, now)
    if drive.who is not None and not _sees_people(request):
        raise PermissionDenied
    context["name"], context["kept"] = sent.get("name", "").strip(), sent.get("kept", "")
    if do == "save":
        return _save(request, drive, sent, context)
    if do in _ACTS:
        _ACTS[do](drive, {**sent, "what": what})
    return drive


def _begun(
    request: HttpRequest, journey: Journey, document: Document, sent: Mapping[str, str], who: str, now: datetime
) -> Drive:
    if sent["do"] == "begin":
        at = driving.moment(sent.get("at", ""))
        begins = None if at is None or at == scripts.A_MONDAY else at
        script = Script(driving.somebody(sent), begins)
        drive = Drive(journey, document, scripts.read(script.as_json(), puts_on=False), now)
    else:
        if not _sees_people(request):
            raise PermissionDenied
        drive = Drive(journey, document, Script({}, now.replace(second=0, microsecond=0)), now, samples.person(who))
        if drive.who is None:
            raise Invalid.at("", "They are not known any more: find somebody else.")
    if sent.get("put_on") == "1":
        drive.add({"enters": True})
    return drive


def _of_test(journey: Journey, document: Document, key: str, context: dict[str, Any], now: datetime) -> Drive | None:
    """The drive that a test keeps."""
    test = JourneyTest.objects.filter(journey=journey, pk=key).first() if key.isdecimal() and len(key) < 12 else None
    if test is None:
        return None
    context["name"] = context["kept"] = test.name
    return Drive(journey, document, scripts.read(test.script), now)


# ── What happens ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _next(drive: Drive, sent: Mapping[str, str]) -> None:
    if drive.due is not None:
        drive.go_to(drive.due)


def _wait(drive: Drive, sent: Mapping[str, str]) -> None:
    if sent["what"] in driving.WAITS:
        drive.add({"wait": driving.WAITS[sent["what"]]})


def _to(drive: Drive, sent: Mapping[str, str]) -> None:
    moment = driving.moment(sent.get("to", ""))
    if moment is None:
        drive.alert = "Say a day and a time to go to."
    else:
        drive.go_to(moment)


def _does(drive: Drive, sent: Mapping[str, str]) -> None:
    name = sent["what"] or sent.get("event", "").strip()
    properties = {} if sent["what"] else driving.rows(sent, "p")
    if not name:
        drive.alert = "Say what they do."
        return
    drive.add({"does": name, **({"properties": properties} if properties else {})})


def _becomes(drive: Drive, sent: Mapping[str, str]) -> None:
    name = sent.get("b.name", "").strip()
    if not name:
        drive.alert = "Say which value changes."
        return
    value = sent.get("b.value", "")
    drive.add({"becomes": {name: driving.typed(value) if value.strip() else None}})


def _answers(drive: Drive, sent: Mapping[str, str]) -> None:
    step, _, outcome = sent["what"].partition("/")
    drive.add({"answers": step, **({"outcome": outcome} if outcome else {})})


def _draws(drive: Drive, sent: Mapping[str, str]) -> None:
    step, _, arm = sent["what"].partition("/")
    drive.draw(step, arm)


_ACTS: dict[str, Act] = {
    "next": _next,
    "wait": _wait,
    "to": _to,
    "does": _does,
    "becomes": _becomes,
    "answers": _answers,
    "draws": _draws,
    "enters": lambda drive, _: drive.add({"enters": True}),
    "back": lambda drive, _: drive.back(),
    "alike": lambda drive, _: drive.alike(),
}


def _save(request: HttpRequest, drive: Drive, sent: Mapping[str, str], context: dict[str, Any]) -> Drive | HttpResponse:
    """Keeps the drive as a test: what came of it now is what it expects from now on."""
    name = sent.get("name", "")
    before = JourneyTest.objects.filter(journey=drive.journey, name=" ".join(name.split())).exists()
    if not request.user.has_perm(f"journeys.{'change' if before else 'add'}_journeytest"):
        raise PermissionDenied
    if drive.who is not None:
        drive.alert = "A test takes somebody made up, since real people change, and may be erased."
    elif not any({"does", "becomes", "enters"} & act.keys() for act in drive.script.acts):
        drive.alert = "Nothing happened yet: a test is of what happens."
    elif not name.strip():
        drive.alert = "Give the test a name that says what it is to show."
    elif before and sent.get("kept") != " ".join(name.split()):
        drive.alert = f"There is a test “{name.strip()}” already; give this one another name."
    else:
        test = keeping.save(drive.journey, name, script=drive.script.as_json(), expect=drive.outcome, now=drive.now)
        messages.success(request, f"The test “{test.name}” is kept: it is played before each publishing.")
        address = reverse("admin:journeys_journey_tests", args=[drive.journey.pk])
        if getattr(request, "htmx", False):
            return HttpResponse(status=204, headers={"HX-Redirect": address})
        return HttpResponseRedirect(address)
    return drive


# ── What is shown ────────────────────────────────────────────────────────────────────────────────────────────────────
def _page(request: HttpRequest, journey: Journey, site: AdminSite, context: Mapping[str, Any]) -> HttpResponse:
    base = {
        **site.each_context(request),
        "title": f"Test drive of {journey.name}",
        "opts": Journey._meta,
        "journey": journey,
        "sees_people": _sees_people(request),
        "may_keep": request.user.has_perm("journeys.add_journeytest"),
    }
    request.current_app = site.name
    return render(request, "journeys/editor/drive.html", base | dict(context))


def _sees_people(request: HttpRequest) -> bool:
    return request.user.has_perm("journeys.view_enrollment")


def _setup(request: HttpRequest, document: Document, sent: Mapping[str, str]) -> dict[str, Any]:
    """Whom to take along."""
    term = sent.get("term", "").strip()[:200]
    finds = sent["do"] == "find" and _sees_people(request)
    return {
        "columns": [(name, label, sent.get(f"c.{name}", "")) for name, label in driving.COLUMNS.items()],
        "values": [(name, spoken(name), sent.get(f"a.{name}", "")) for name in driving.asked(document)],
        "rows": [(n, sent.get(f"v.{n}.name", ""), sent.get(f"v.{n}.value", "")) for n in driving.ROWS],
        "attributes": Known().options("attribute"),
        "at": sent.get("at") or _local(scripts.A_MONDAY),
        "put_on": sent.get("put_on") == "1" if sent["do"] else not driving.starts_by_itself(document),
        "term": term,
        "people": samples.people(term) if finds else None,
    }


def _driven(drive: Drive, request: HttpRequest) -> dict[str, Any]:
    """What came of it, and what may happen next."""
    known = Known()
    events = [one for one in known.options("event") if one.value != "*"]
    properties = (one.value for event in events[:50] for one in known.options("property", (event.value,)))
    due = drive.due
    return {
        "drive": drive,
        "alert": drive.alert,
        "story": told.story(drive),
        "standing": told.standing(drive),
        "person": _called(drive),
        "clock": exact(drive.at),
        "clock_at": _local(drive.at),
        "due": exact(due) if due else "",
        "cut": drive.played.cut,
        "listened": [(name, spoken(name)) for name in driving.listened_for(drive.document)],
        "events": events,
        "properties": list(dict.fromkeys(properties))[:300],
        "attributes": known.options("attribute"),
        "splits": [_split(step, drive.script.draws) for step in driving.splits(drive.document)],
        "rows": list(driving.ROWS),
    }


def _split(step: Mapping[str, Any], draws: Mapping[str, str]) -> dict[str, Any]:
    """What chance may give at a split; which of it was chosen."""
    arms = [(arm["key"], arm.get("label") or spoken(arm["key"])) for arm in step["arms"]]
    return {"key": step["key"], "title": words.title(step), "arms": arms, "drawn": draws.get(step["key"], "")}


def _called(drive: Drive) -> str:
    if drive.who is not None:
        return str(drive.who)
    name = drive.script.person.get("first_name") or drive.script.person.get("email")
    return str(name or "Somebody made up")


def _local(at: datetime) -> str:
    return timezone.localtime(at).strftime("%Y-%m-%dT%H:%M")
