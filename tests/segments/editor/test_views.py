"""The builder over HTTP: who may, what is saved, what is refused, and what nonsense is answered with."""

from datetime import datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from profiles.models import AttributeType, EventType, Profile
from segments import definitions
from segments.editor import asking, tree, views
from segments.models import Segment
from staff.models import AuditEntry
from tests.segments.editor.test_tree import keys, presses, texts
from tests.segments.test_admin import signed_in, text

pytestmark = pytest.mark.django_db
PRO = {"all": [{"kind": "attribute", "name": "plan", "op": "is", "value": "pro"}]}
TRIAL = {"all": [{"kind": "attribute", "name": "plan", "op": "is", "value": "trial"}]}
ADD = "/admin/segments/segment/add/"


@pytest.fixture
def segment(ada: Profile, ben: Profile, now: datetime) -> Segment:
    Profile.objects.filter(pk=ada.pk).update(attributes={"plan": "pro"})
    Profile.objects.filter(pk=ben.pk).update(attributes={"plan": "trial"})
    return definitions.save("ours", name="Our people", definition=PRO, status="live", reason="First.", now=now)


@pytest.fixture
def author() -> Client:
    return signed_in(
        "segments.view_segment", "segments.add_segment", "segments.change_segment", "profiles.view_profile"
    )


def edit_of(segment: Segment) -> str:
    return reverse("admin:segments_segment_edit", args=[segment.pk])


def form(definition: Any, **more: str) -> dict[str, str]:
    """The fields that the page would send."""
    return {**dict(tree.fields_of(tree.from_definition(definition))), "name": "Our people", **more}


def field(page: str, name: str) -> str:
    """The value of a hidden field on the page."""
    return page.split(f'name="{name}" value="')[1].split('"')[0]


# ── Who may ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_only_who_may_add_or_change_gets_to_the_builder(segment: Segment) -> None:
    viewer = signed_in("segments.view_segment")
    for address in (ADD, edit_of(segment)):
        assert viewer.get(address).status_code == 403
        assert viewer.post(address, form(TRIAL, do="save")).status_code == 403
    assert (
        viewer.post(reverse("admin:segments_segment_change", args=[segment.pk]), {"verb": "archive"}).status_code == 403
    )
    assert "Edit</a>" not in text(viewer.get(reverse("admin:segments_segment_change", args=[segment.pk])))
    assert Client().get(ADD).status_code == 302
    segment.refresh_from_db()
    assert segment.definition == PRO and segment.status == "live"


def test_who_may_not_see_people_gets_numbers_and_no_names(segment: Segment, ada: Profile) -> None:
    client = signed_in("segments.view_segment", "segments.change_segment")
    beside = text(client.post(edit_of(segment), form(PRO, do="live"), headers={"HX-Request": "true"}))
    assert "<strong>1</strong> person" in beside and str(ada) not in beside
    asked = form(PRO, do="explain", who=ada.external_id or "")
    assert str(ada) not in text(client.post(edit_of(segment), asked, headers={"HX-Request": "true"}))


# ── What is saved ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_new_segment_is_saved_as_a_draft_with_its_words_and_who_made_it(author: Client) -> None:
    words = {"description": "Those who pay.", "hypothesis": "They stay.", "needs": "Help.", "reason": "To begin."}
    answer = author.post(ADD, form(PRO, do="save", family="lifecycle", position="2", **words))
    made = Segment.objects.get()
    assert answer.status_code == 302 and made.version is not None
    assert (made.slug, made.status, made.definition) == ("our-people", "draft", PRO)
    assert (made.description, made.hypothesis, made.needs, made.family, made.position) == (
        *("Those who pay.", "They stay.", "Help.", "lifecycle"),
        2,
    )
    assert (made.version.author, made.version.reason) == ("user:maria", "To begin.")
    assert AuditEntry.objects.filter(kind="segment", target="our-people").count() == 1


def test_two_of_one_name_get_an_address_each(author: Client) -> None:
    for _ in range(2):
        author.post(ADD, form(PRO, do="save"))
    assert sorted(Segment.objects.values_list("slug", flat=True)) == ["our-people", "our-people-2"]


def test_a_change_of_a_live_segment_first_shows_who_would_come_and_go(
    author: Client, segment: Segment, ada: Profile, ben: Profile, now: datetime
) -> None:
    using = {"all": [{"kind": "segment", "slug": "ours"}]}
    definitions.save("other", name="Who uses it", definition=using, now=now)
    sent = form(TRIAL, do="save", upon="1", reason="They decide.")
    page = text(author.post(edit_of(segment), sent))
    assert "Before it is saved" in page and "No journey begins by this change" in page
    assert "Segment “Who uses it” uses it" in page
    review = page.split('id="review"')[1].split("</section>")[0]
    assert review.index("Would come") < review.index(str(ben)) < review.index("Would go") < review.index(str(ada))
    segment.refresh_from_db()
    assert segment.definition == PRO
    answer = author.post(edit_of(segment), {**sent, "reviewed": field(page, "reviewed")})
    segment.refresh_from_db()
    assert answer.status_code == 302 and segment.definition == TRIAL
    assert list(segment.memberships.values_list("profile_id", flat=True)) == [ben.pk]


def test_what_was_looked_at_is_what_is_saved(author: Client, segment: Segment) -> None:
    page = text(author.post(edit_of(segment), form(TRIAL, do="save", upon="1")))
    other: dict[str, Any] = {"all": []}
    answer = author.post(edit_of(segment), form(other, do="save", upon="1", reviewed=field(page, "reviewed")))
    assert "Before it is saved" in text(answer)
    segment.refresh_from_db()
    assert segment.definition == PRO


def test_a_place_in_a_family_is_looked_at_like_a_definition(
    author: Client, segment: Segment, ada: Profile, now: datetime
) -> None:
    definitions.save("first", definition=PRO, status="live", family="stage", position=0, now=now)
    page = text(author.post(edit_of(segment), form(PRO, do="save", upon="1", family="stage", position="1")))
    review = page.split('id="review"')[1].split("</section>")[0]
    assert review.index("Would go") < review.index(str(ada))


def test_of_two_new_ones_of_one_name_neither_lands_on_the_other(
    author: Client, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    definitions.save("our-people", definition=PRO, now=now)
    monkeypatch.setattr(views, "free_slug", lambda name: "our-people")  # both looked before either had saved
    assert "Somebody else made a segment of this name" in text(author.post(ADD, form(TRIAL, do="save")))
    assert Segment.objects.get().definition == PRO


def test_words_alone_are_saved_without_a_look(author: Client, segment: Segment) -> None:
    assert author.post(edit_of(segment), form(PRO, do="save", upon="1", needs="A hand.")).status_code == 302
    segment.refresh_from_db()
    assert segment.needs == "A hand." and segment.versions.count() == 1


def test_who_edits_an_old_version_is_shown_both_and_may_go_on(author: Client, segment: Segment, now: datetime) -> None:
    theirs = {"all": [*PRO["all"], {"kind": "sample", "percent": 5, "salt": "x"}]}
    definitions.save("ours", definition=theirs, reason="A share of them.", now=now)
    answer = author.post(edit_of(segment), form(TRIAL, do="save", upon="1"))
    page = answer.content.decode()
    assert answer.status_code == 409
    for said in ("Somebody else changed it meanwhile", "A share of them.", "random 5%", "Whose plan is “trial”"):
        assert said in page
    segment.refresh_from_db()
    assert segment.definition == theirs
    again = form(TRIAL, do="save", upon=field(page, "upon"))
    page = text(author.post(edit_of(segment), again))
    assert author.post(edit_of(segment), {**again, "reviewed": field(page, "reviewed")}).status_code == 302
    segment.refresh_from_db()
    assert segment.definition == TRIAL and segment.versions.count() == 3


def test_an_unfinished_definition_is_not_saved_and_says_where(author: Client) -> None:
    broken = {"all": [{"kind": "attribute", "name": "", "op": "gt", "value": 1}, {"kind": "segment", "slug": "gone"}]}
    sent = {**form(broken, do="save"), "c.0.f.compare.value": "ten"}
    page = text(author.post(ADD, sent))
    first, second = page.split('id="notes-0"')[1], page.split('id="notes-1"')[1]
    assert "What is known is still to be filled in." in first.split("</div>")[0]
    assert "Value: This must be a number, such as 3 or 2.5." in first.split("</div>")[0]
    assert "Choose a segment that is there." in second.split("</div>")[0]
    assert not Segment.objects.exists()


def test_a_circle_is_refused_in_words(author: Client, segment: Segment, now: datetime) -> None:
    definitions.save("next", definition={"kind": "segment", "slug": "ours"}, now=now)
    circle = {"kind": "segment", "slug": "next"}
    page = text(author.post(edit_of(segment), form(circle, do="save", upon="1")))
    sent = form(circle, do="save", upon="1", reviewed=field(page, "reviewed"))
    assert "A segment cannot hang on itself" in text(author.post(edit_of(segment), sent))


def test_a_version_is_restored_as_a_new_one(author: Client, segment: Segment, now: datetime) -> None:
    definitions.save("ours", definition=TRIAL, now=now)
    page = reverse("admin:segments_segment_change", args=[segment.pk])
    shown = text(author.get(page))
    assert "s-added" in shown and "s-taken" in shown
    assert author.post(page, {"verb": "restore-1"}).status_code == 302
    segment.refresh_from_db()
    assert segment.definition == PRO and segment.version is not None
    assert (segment.version.number, segment.version.reason) == (3, "Version 1 was restored.")
    assert "has no version 99" in text(author.post(page, {"verb": "restore-99"}, follow=True))
    assert author.post(page, {"verb": "restore-x"}).status_code == 403


def test_a_segment_is_archived_and_comes_back_as_a_draft(author: Client, segment: Segment) -> None:
    page = reverse("admin:segments_segment_change", args=[segment.pk])
    for verb, status in (("archive", "archived"), ("draft", "draft")):
        author.post(page, {"verb": verb})
        segment.refresh_from_db()
        assert segment.status == status


# ── Beside it ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_what_is_known_is_offered_with_how_often_it_comes(author: Client, now: datetime) -> None:
    EventType.objects.create(
        name="report_exported",
        volume_30_days=12_431,
        first_seen_at=now,
        last_seen_at=now,
        properties={"format": {"types": ["string"], "samples": ["pdf", "(a link)"]}},
    )
    AttributeType.objects.create(
        of="account", name="seats", types=["number"], samples=[5], volume=3, first_seen_at=now, last_seen_at=now
    )
    asked = {
        "all": [
            {"kind": "event", "name": "report_exported", "where": [{"property": "format", "op": "is", "value": "pdf"}]},
            {"kind": "account", "name": "seats", "op": "gt", "value": 10},
        ]
    }
    drawn = text(author.post(ADD, form(asked, do="draw"), headers={"HX-Request": "true"}))
    assert '<option value="report_exported" label="12,431 in 30 days">' in drawn
    assert "report_exported · 12,431 in 30 days" in drawn and "seats · known of 3 companies" in drawn
    assert '<option value="pdf">' in drawn and "(a link)" not in drawn
    after_seats = drawn.split('name="c.1.f.compare.op"')[1]
    assert after_seats.index("Numbers") < after_seats.index("Words")
    assert "{" not in drawn.replace("(item, position) => ", "")


def test_each_line_says_whether_it_holds_for_a_person(author: Client, segment: Segment, ada: Profile) -> None:
    asked = form(TRIAL, do="explain", who=ada.external_id or "")
    said = text(author.post(edit_of(segment), asked, headers={"HX-Request": "true"}))
    assert "is not in." in said and "plan is “pro”" in said and "False:" in said
    nobody = form(TRIAL, do="explain", who="nobody-of-this-name")
    assert "Nobody’s name" in text(author.post(edit_of(segment), nobody, headers={"HX-Request": "true"}))


def test_a_count_that_takes_too_long_says_so_in_words(author: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "SECONDS", 0.001)
    slow = {"all": [{"kind": "sample", "percent": 50, "salt": "s"}]}
    Profile.objects.bulk_create(
        [
            Profile(external_id=f"p{n}", first_seen_at="2026-01-01T00:00Z", last_seen_at="2026-01-01T00:00Z")
            for n in range(8_000)
        ]
    )
    said = text(author.post(ADD, form(slow, do="live"), headers={"HX-Request": "true"}))
    assert "seconds to ask everybody, so there is no number yet" in said


def test_a_segment_that_is_filled_by_hand_has_words_to_change_and_no_definition(author: Client, now: datetime) -> None:
    static = definitions.save("beta", name="Beta testers", kind="static", status="live", now=now)
    assert "People are put into it by hand" in text(author.get(edit_of(static)))
    assert author.post(edit_of(static), {"do": "save", "name": "Beta", "needs": "News."}).status_code == 302
    static.refresh_from_db()
    assert (static.name, static.needs) == ("Beta", "News.")


# ── Nonsense ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(keys, texts, max_size=12),
    st.one_of(presses, st.sampled_from(["live", "save", "save_live", "explain", "explain:x", "draw", "\x00"])),
    st.booleans(),
)
def test_nonsense_is_answered_with_the_builder(author: Client, data: dict[str, str], do: str, part: bool) -> None:
    extra = {"name": "x", "who": "\x00", "person": "no", "upon": "99999999999", "reviewed": "x", "position": "-1"}
    headers = {"HX-Request": "true"} if part else {}
    assert author.post(ADD, {**extra, **data, "do": do}, headers=headers).status_code in (200, 302)
    Segment.objects.all().update(version=None)
    Segment.objects.all().delete()
