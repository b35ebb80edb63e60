"""The hosted sign-up forms: pages of their own, or in a frame on yours."""

from datetime import timedelta

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import translation
from django.utils.translation import gettext as _

from consent import attempts, forms, signups, visits, wordings
from consent.models import SignupForm
from consent.public import framed_by, page, token_page
from foundation import clock
from foundation.errors import Invalid

MOST, SPAN = 30, timedelta(hours=1)  # from one network
_TRAP = "website"  # people do not see it; programs fill in whatever there is


@token_page("GET", "HEAD", "POST")
def signup(request: HttpRequest, slug: str) -> HttpResponse:
    """The form, and what is said to whoever sent it: always the same, whoever they are."""
    form = SignupForm.objects.filter(slug=slug, active=True).first()
    topics = signups.offered(form) if form else []
    if form is None or not topics:
        raise Http404
    with visits.speaking_to(request, None, None):
        locale, words = signups.words(form, translation.get_language() or "")
        chosen = request.POST.getlist("topics") if len(topics) > 1 else [topics[0].slug]
        context = {"form": form, "words": words, "topics": topics, "chosen": chosen, "locale": locale}
        context["requester"] = wordings.requester()
        context["asks_birth"] = any(topic.min_age for topic in topics)
        status = 200
        if request.method == "POST":
            status = _take(request, form, chosen, locale, context)
        response = page("consent/form.html", context, status=status)
    if status == 429:
        response.headers["Retry-After"] = str(context["wait"])
    response.headers["Content-Security-Policy"] = framed_by(form.embed_on)
    response.xframe_options_exempt = bool(form.embed_on)
    return response


def _take(request: HttpRequest, form: SignupForm, chosen: list[str], locale: str, context: dict[str, object]) -> int:
    """Does what was sent; the status of the answer, what it says being added to the context."""
    now = clock.now()
    if request.POST.get(_TRAP):
        context["sent"] = True
        return 200
    if wait := attempts.spend("form", attempts.where_from(request), MOST, SPAN, now=now):
        context["problems"] = [_("Too much came from your network. Please try again in an hour.")]
        context["wait"] = int(wait.total_seconds()) + 1
        return 429
    context |= {name: request.POST.get(name, "") for name in ("email", "born_on")}
    born = forms.birth(request.POST.get("born_on", ""))
    try:
        signups.sign_up(form, request.POST.get("email", ""), chosen, locale=locale, born=born, now=now)
    except Invalid as invalid:
        context["problems"] = list(dict.fromkeys(problem.reason for problem in invalid.problems))
        return 422
    context["sent"] = True
    return 200
