"""The customer's pages: what to be told, and the way out. Thin doors; the token says whose they are."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from consent import ledger, tokens
from consent.models import ConsentRecord, ConsentState, State, Topic
from consent.public import token_page
from foundation import clock
from profiles.models import Profile

_ONE_CLICK = ("List-Unsubscribe", "One-Click")


@token_page("GET", "HEAD", "POST")
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """A page with one button; the button, or a mail provider's one-click, stops the topic."""
    link = tokens.read("unsubscribe", token)
    if link is None:
        raise Http404
    topic = Topic.objects.filter(slug=link["topic"]).first()
    done = request.method == "POST" and request.POST.get(_ONE_CLICK[0]) == _ONE_CLICK[1]
    if done:
        choice = ledger.Choice(
            profile_id=link["profile"],
            topic=link["topic"] or ledger.EVERYTHING,
            channel=link["channel"],
            state=State.DENIED,
            source=ConsentRecord.Source.ONE_CLICK,
            message=link["message"],
        )
        ledger.record([choice], now=clock.now())
    return render(request, "consent/unsubscribe.html", {"topic": topic, "done": done, "channel": link["channel"]})


@token_page("GET", "HEAD", "POST")
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """What somebody gets, by topic and channel, and the choice to get something else."""
    now = clock.now()
    link = tokens.read("preferences", token, now=now)
    profile = Profile.objects.filter(id=link["profile"]).first() if link else None
    if profile is None:
        raise Http404
    keys = [
        (topic, channel)
        for topic in Topic.objects.filter(archived=False, transactional=False).order_by("name")
        for channel in topic.channels
    ]
    if request.method == "POST":
        ledger.record(
            [
                ledger.Choice(
                    profile_id=profile.id,
                    topic=topic.slug,
                    channel=channel,
                    state=request.POST[name],
                    source=ConsentRecord.Source.PAGE,
                )
                for topic, channel in keys
                if (name := f"{topic.slug}.{channel}") in request.POST
            ],
            now=now,
        )
    states = {(row.topic, row.channel): row.state for row in ConsentState.objects.filter(profile=profile)}
    choices = [(topic, channel, states.get((topic.slug, channel), "")) for topic, channel in keys]
    return render(request, "consent/preferences.html", {"profile": profile, "choices": choices})
