"""Where links in messages lead: straight on, whoever follows them (BT-04), or to the page of a question."""

import logging

from django.db import DatabaseError, InterfaceError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import get_language_from_request, override
from django.views.decorators.csrf import csrf_exempt

from consent import attempts, preferences, tokens
from consent.public import page, token_page
from consent.visits import language_of
from foundation import clock
from foundation.errors import Invalid
from messaging import agents, clicks, openings, tracking
from messaging import feedback as answers
from messaging.models import Link, Message
from messaging.seen import Visit

log = logging.getLogger(__name__)


@token_page("GET", "HEAD")
def click(request: HttpRequest, token: str) -> HttpResponse:
    """On to where the author said; a program that checks links gets there like anybody else (BT-03)."""
    named = tokens.read("click", token)
    link = (
        Link.objects.select_related("message").filter(message=named["message"], place=named["place"]).first()
        if named
        else None
    )
    if link is None or not tracking.is_safe(link.destination):
        raise Http404
    try:
        with transaction.atomic():
            clicks.record(link, _visit(request))
    except DatabaseError as error:
        # Whoever follows a link wants to get there, also while nothing can be written (TR-04).
        log.error("a hit was not kept (%s)", type(error).__name__)
    # To the letter what was kept: Django's own redirect writes some characters in another way.
    return HttpResponse(status=302, headers={"Location": link.destination})


@token_page("GET", "HEAD", "POST")
def feedback(request: HttpRequest, token: str) -> HttpResponse:
    """The page of a question that a message asked; its button says what was answered."""
    if tokens.read("inert", token):
        return page("messaging/feedback.html", {"words": answers.words(get_language_from_request(request))})
    named = tokens.read("feedback", token)
    found = Message.objects.select_related("profile", "topic", "template", "version")
    message = found.filter(id=named["message"]).first() if named else None
    question = answers.question_of(message.version, request.GET.get("q", "")) if message else None
    if message is None or message.profile is None or question is None:
        raise Http404
    language = language_of(message.profile, preferences.of([message.profile.id])[message.profile.id])
    language = language or get_language_from_request(request)
    given = request.POST if request.method == "POST" else request.GET
    chosen, comment = given.get("score", ""), request.POST.get("comment", "")
    refused = False
    if request.method == "POST":
        try:
            answers.give(message, question, score=chosen, comment=comment, now=clock.now())
        except Invalid:
            refused = True
    context = {
        "words": answers.words(language),
        "question": question["question"],
        "scores": list(answers.scale(question)),
        "last": answers.scale(question)[-1],
        "low": question.get("low", ""),
        "high": question.get("high", ""),
        "chosen": int(chosen) if chosen.isascii() and chosen.isdecimal() and len(chosen) < 3 else None,
        "comment": comment[: answers.LONGEST],
        "done": request.method == "POST" and not refused,
        "refused": refused,
    }
    with override(language):
        return page("messaging/feedback.html", context, status=400 if refused else 200)


@csrf_exempt
def opened(request: HttpRequest, token: str) -> HttpResponse:
    """A picture of one clear point, the same for whoever asks for whatever (TR-05)."""
    try:
        if (named := tokens.read("open", token)) and request.method in ("GET", "HEAD"):
            with transaction.atomic():
                openings.record(named["message"], _visit(request))
    except (DatabaseError, InterfaceError) as error:
        log.error("that a picture was fetched was not kept (%s)", type(error).__name__)
    return HttpResponse(
        openings.PICTURE,
        content_type="image/gif",
        headers={
            "Cache-Control": "no-store, private",
            "Referrer-Policy": "no-referrer",
            "X-Robots-Tag": "noindex, nofollow",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _visit(request: HttpRequest) -> Visit:
    network = agents.network_of(attempts.where_from(request))
    return Visit(clock.now(), request.method or "", request.headers.get("User-Agent", ""), network)
