"""The channel `task`: a message that becomes work for a team, once, with or without a journey."""

from datetime import datetime
from uuid import uuid4

import pytest

from foundation.errors import Invalid
from journeys import work
from journeys.models import Task
from messaging import wiring
from messaging.duties import Duty
from messaging.models import MessageState
from profiles import erasing
from profiles.models import Event, Profile
from staff.models import Team
from tests.messaging import by_channel

pytestmark = pytest.mark.django_db
CALL = [{"kind": "text", "text": "{{ profile.first_name }} has plan {{ profile.plan }}."}]


@pytest.fixture(autouse=True)
def team(db: None, now: datetime) -> Team:
    made = Team.objects.create(slug="success", name="Success")
    wiring.save("task", {"team": "success"}, now=now)
    return made


def test_a_message_to_a_team_is_a_task_of_theirs(ada: Profile, team: Team, now: datetime) -> None:
    message = by_channel.said(ada, "task", now, subject="Call {{ profile.first_name }}", blocks=CALL)
    assert message.state == MessageState.SENT
    task = Task.objects.get()
    assert (task.title, task.details) == ("Call Ada", "Ada has plan pro.")
    assert (task.team, task.profile, task.message, task.enrollment) == (team, ada, message.id, None)
    work.finish(task.id, now=now)
    done = Event.objects.get(type__name=work.DONE)
    assert (done.profile, done.properties["journey"], done.properties["team"]) == (ada, "", "success")


def test_it_is_one_task_however_often_it_is_tried(ada: Profile, now: datetime) -> None:
    message = by_channel.said(ada, "task", now, subject="Call", blocks=CALL)
    for _ in range(2):
        assert work.give_message(Duty(message.id, "success", "Call", "", now))
    assert Task.objects.count() == 1


def test_nobody_takes_what_is_for_no_team_or_about_nobody(ada: Profile, now: datetime) -> None:
    message = by_channel.queued(ada, "task", now, subject="Call", blocks=CALL)
    assert not work.give_message(Duty(message.id, "none", "Call", "", now))
    erasing.erase(ada, now=now)
    assert not work.give_message(Duty(message.id, "success", "Call", "", now))
    assert not work.give_message(Duty(uuid4(), "success", "Call", "", now))
    assert not Task.objects.exists()


def test_a_team_that_is_not_there_cannot_be_chosen(now: datetime) -> None:
    with pytest.raises(Invalid, match="must be one of those that there are"):
        wiring.save("task", {"team": "nobody"}, now=now)
