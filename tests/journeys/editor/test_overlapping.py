"""Who is on two journeys at once, by name, and what they would get; and the numbers of a flow as they change."""

import re
from typing import Any

from django.test import Client

from journeys import publishing
from journeys.editor.overlapping import first_week, overlaps
from messaging.models import Cap, Limits
from profiles.models import Profile
from staff.models import User
from tests.journeys.conftest import Stage, branch, leave, send, wait

FEATURE = {"kind": "event", "name": "feature_used"}


def client() -> Client:
    found = Client()
    found.force_login(User.objects.create_superuser("olga"))
    return found


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.content.decode()))


def test_what_somebody_gets_in_a_week_follows_the_way_with_most_messages() -> None:
    def week(*steps: Any) -> int:
        return len(first_week({"entry": {}, "steps": list(steps)}))

    assert week(send("a"), wait("w", days=6), send("b"), wait("x", days=1), send("c")) == 2
    assert week(branch("b", FEATURE, [send("a"), send("b")], [send("c")]), send("d")) == 3
    assert week(send("a"), leave("x"), send("b")) == 1
    late = {"key": "w", "kind": "wait_for", "arms": [], "timeout": {"after": {"days": 8}, "key": "late", "steps": []}}
    assert week({**late, "arms": [{"key": "x", "name": "y", "steps": [send("a")]}]}, send("b")) == 2
    assert week(late, send("b")) == 0
    assert week({"key": "x", "kind": "message"}, {"key": "n", "kind": "nothing"}) == 1


def test_the_check_names_journeys_people_and_messages_in_common(stage: Stage, ada: Profile, ben: Profile) -> None:
    stage.journey(send("a"), wait("w"), send("b", "nudge"), wait("x", days=9), slug="trial")
    journey = stage.journey(send("c"), wait("y"))
    stage.does(ada, "signed_up")
    stage.rest()
    document = journey.version.document  # type: ignore[union-attr]
    (found,) = overlaps(journey, document, sees_people=True)
    assert (found.other.slug, found.both, found.people[0][0]) == ("trial", 1, str(ada))
    first = "In their first week they would get up to 3 messages: 1 of this one (“hello”); 2 of “Trial”"
    assert found.week.startswith(first)
    assert found.week.endswith("No cap holds any of it back.")
    Cap.objects.create(limits=Limits.objects.get_or_create(pk=1)[0], most=2, hours=168)
    page = text(client().get(f"/admin/journeys/journey/{journey.pk}/check/"))
    assert "1 person is on both now." in page and f"Among them {ada}." in page
    assert "Caps let through at most 2 messages in 7 days, a person." in page
    assert overlaps(journey, document, sees_people=False)[0].people == []
    fresh = stage.journey(send("d"), slug="fresh", publish=False)
    asked = {**document, "entry": {"trigger": {"kind": "event", "name": "signed_up"}}}
    assert {(one.other.slug, one.both, one.there) for one in overlaps(fresh, asked, sees_people=False)} == {
        ("trial", 0, 1),
        ("onboarding", 0, 1),
    }


def test_numbers_are_swapped_where_they_changed_and_not_at_all_where_they_did_not(stage: Stage, ada: Profile) -> None:
    journey = stage.journey(send("a"), wait("w", days=2), branch("b", FEATURE, [send("c")], []))
    browser = client()
    at = f"/admin/journeys/journey/{journey.pk}/"
    page = browser.get(f"{at}change/").content.decode()
    asks = re.search(r'id="counts"[^>]*hx-get="([^"]+)"', page)
    assert asks and "document.visibilityState" in page and 'aria-live="off"' in page
    poll = asks[1].replace("&amp;", "&")
    assert browser.get(poll).status_code == 204
    stage.does(ada, "signed_up")
    stage.rest()
    came = browser.get(poll).content.decode()
    assert '<span id="n-entered" hx-swap-oob="true">1 entered</span>' in came
    assert re.search(
        r'id="n-w" hx-swap-oob="true"><span class="j-figures"><span class="j-here"><b>1</b> here now', came
    )
    assert "On the way" in came and "<script" not in came and "Wait for 2 days" not in came
    again = re.search(r'hx-get="([^"]+)"', came)
    assert again and browser.get(again[1].replace("&amp;", "&")).status_code == 204
    publishing.stop(journey.slug, now=stage.now)
    assert browser.get(poll).status_code == 204
