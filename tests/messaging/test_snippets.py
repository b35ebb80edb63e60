"""What templates include: versions of its own, and of all that includes it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import InternalError, ProgrammingError, transaction

from consent.models import Topic
from foundation.errors import Conflict, Invalid
from messaging import dispatch, templates
from messaging.models import Template
from messaging.snippets import saving
from messaging.snippets.models import Snippet, SnippetVersion
from profiles.models import Profile
from staff.models import AuditEntry
from tests.messaging.conftest import mails_in, state_of

Write = Callable[..., Template]
SIGNED = [{"kind": "text", "text": "Yours, **Ada**"}]


def including(slug: str, **more: Any) -> dict[str, Any]:
    return {"kind": "snippet", "slug": slug, **more}


@pytest.fixture
def snippet(db: None, now: datetime) -> Callable[..., Snippet]:
    def make(slug: str = "signed", blocks: Any = None, **more: Any) -> Snippet:
        return saving.save(slug, **{"name": slug.capitalize(), "blocks": blocks or SIGNED, "now": now, **more})

    return make


def current(template: Template) -> Any:
    template.refresh_from_db()
    return template.version


def test_a_changed_snippet_makes_new_versions_of_what_includes_it_and_leaves_the_old_ones(
    snippet: Callable[..., Snippet], write: Write
) -> None:
    snippet()
    mail = write("mail", blocks=[{"kind": "text", "text": "Hello"}, including("signed")])
    other = write("other")
    assert "Yours, <strong>Ada</strong>" in mail.version.html  # type: ignore[union-attr]
    assert "Yours, Ada\n" in mail.version.text  # type: ignore[union-attr]
    snippet(blocks=[{"kind": "text", "text": "Yours, Ben"}], reason="A new colleague")
    version = current(mail)
    assert (version.number, version.reason) == (2, "The snippet Signed changed: A new colleague")
    assert "Yours, Ben" in version.html
    assert current(other).number == 1
    first = mail.versions.get(number=1)
    assert "Ada" in first.html
    assert first.snippets["signed"] == {"number": 1, "blocks": SIGNED, "translations": {}}
    assert saving.used_by("signed") == ["The template Mail includes it."]
    verbs = list(AuditEntry.objects.order_by("id").values_list("verb", "target"))
    assert verbs[-2:] == [("snippet.changed", "signed"), ("template.changed", "mail")]
    snippet(blocks=[{"kind": "text", "text": "Yours, Ben"}])  # the same again is no change
    assert (current(mail).number, SnippetVersion.objects.count()) == (2, 2)


def test_versions_of_snippets_are_frozen_by_the_database(snippet: Callable[..., Snippet]) -> None:
    snippet()
    rows = SnippetVersion.objects.all()
    with pytest.raises((InternalError, ProgrammingError)), transaction.atomic():
        rows.update(reason="x")
    with pytest.raises((InternalError, ProgrammingError)), transaction.atomic():
        rows._raw_delete(rows.db)


def test_a_snippet_in_use_stays_and_one_that_is_not_goes_and_comes_back(
    snippet: Callable[..., Snippet], write: Write, now: datetime
) -> None:
    snippet()
    write("mail", blocks=[including("signed")])
    snippet("outer", [including("signed")])
    with pytest.raises(Conflict, match=r"in use. The template Mail includes it. The snippet Outer includes it."):
        saving.archive("signed", now=now)
    saving.archive("outer", now=now)
    with pytest.raises(Invalid, match="there is no snippet 'outer'"):
        write("late", blocks=[including("outer")])
    snippet("outer", [including("signed")])
    write("late", blocks=[including("outer")])
    assert saving.used_by("signed")[0] == "The template Late includes it."


def test_snippets_go_round_in_no_circle_and_stay_shallow(snippet: Callable[..., Snippet], write: Write) -> None:
    snippet("a")
    snippet("b", [including("a")])
    snippet("c", [{"kind": "columns", "columns": [[including("b")], SIGNED]}])
    for slug in ("b", "c"):
        with pytest.raises(Invalid, match="that includes this snippet: it would never end"):
            snippet("a", [including(slug)])
    with pytest.raises(Invalid, match="include the snippet itself"):
        snippet("a", [including("a")])
    snippet("d", [including("c")])
    snippet("e", [including("d")])
    with pytest.raises(Invalid, match="at most 4 stand inside each other"):
        snippet("f", [including("e")])
    snippet("many", SIGNED * 90)
    snippet("more", [including("many")] * 3)
    with pytest.raises(Invalid, match="more than 300 blocks"):
        write("mail", blocks=[including("more"), including("more")])


def test_what_a_template_could_not_say_any_more_refuses_the_change_of_the_snippet(
    snippet: Callable[..., Snippet], write: Write, news: Topic
) -> None:
    Topic.objects.filter(slug="news").update(channels=["email", "sms"])
    snippet()
    write("text", channel="sms", subject="", blocks=[including("signed")])
    write("side", blocks=[{"kind": "columns", "columns": [[including("signed")], SIGNED]}])
    with pytest.raises(Invalid, match="cannot be said in the template Text, which is not for text message"):
        snippet(blocks=[{"kind": "image", "src": "https://example.com/a.png", "alt": "A"}])
    templates.archive("text", now=datetime.fromisoformat("2026-11-24T10:00:00+00:00"))
    with pytest.raises(Invalid, match="cannot be said in the template Side"):
        snippet(blocks=[{"kind": "columns", "columns": [SIGNED, SIGNED]}])
    assert Snippet.objects.get().version.number == 1  # type: ignore[union-attr]


def test_a_snippet_may_be_wide_be_for_some_only_and_speak_languages(
    snippet: Callable[..., Snippet],
    write: Write,
    agree: Any,
    queue: Any,
    ada: Profile,
    ben: Profile,
    folder: Any,
    now: datetime,
) -> None:
    Profile.objects.filter(id=ben.id).update(locale="de-at")
    of_ada = {"kind": "attribute", "name": "plan", "op": "is", "value": "pro"}
    snippet("wide", [
        {"kind": "text", "text": "For the pros", "when": of_ada},
        {"kind": "columns", "columns": [[{"kind": "text", "text": "Left"}], [{"kind": "text", "text": "Right"}]]},
    ], translations={"de": {"blocks": [{"kind": "text", "text": "Für alle"}]}})  # fmt: skip
    said = [{"kind": "text", "text": "Hello"}, including("wide")]
    write("mail", blocks=said, translations={"de": {"subject": "Hallo", "blocks": said}})
    agree(ada, ben)
    queue(ada, "mail"), queue(ben, "mail")
    dispatch.tick(now)
    to_ada, to_ben = sorted(mails_in(folder), key=lambda mail: mail["To"])
    assert all(part in to_ada.as_string() for part in ("For the pros", "Left", "Right"))
    assert "Für alle" in to_ben.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "Left" not in to_ben.as_string()


def test_a_question_asked_in_a_snippet_is_found_again(
    snippet: Callable[..., Snippet],
    write: Write,
    agree: Any,
    queue: Any,
    ada: Profile,
    folder: Any,
    now: datetime,
    client: Any,
) -> None:
    snippet("asks", [{"kind": "feedback", "question": "How was it?"}])
    write("mail", blocks=[including("asks")])
    agree(ada)
    message = queue(ada, "mail")
    dispatch.tick(now)
    address = state_of(message.id).text.partition(": http://127.0.0.1:8000")[2].split()[0]
    assert "How was it?" in client.get(address).content.decode()
