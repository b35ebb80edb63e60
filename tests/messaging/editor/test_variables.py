"""What is filled in, read back in words."""

import pytest

from messaging.editor import variables
from messaging.editor.variables import in_words, spelled


@pytest.mark.parametrize(
    ("liquid", "words"),
    [
        ("Hi {{ profile.first_name | default: 'you' }}!", "Hi [First name, else “you”]!"),
        ("{{profile.plan_name}}", "[Plan name]"),
        ("{{ account.plan_name }}", "[Plan name of the company]"),
        ('{{ event.report | default: "" }}', "[Report of what they did, else nothing]"),
        ("{{ profile.first_name | upcase }}", "{{ profile.first_name | upcase }}"),
        ("{{ profile.first_name | upcase | default: 'x' }}", "{{ profile.first_name | upcase | default: 'x' }}"),
        ("{{ profile.first_name | default: 'x' | upcase }}", "{{ profile.first_name | default: 'x' | upcase }}"),
        ("{{ links.preferences }} {{ 'a' }} {{ }} {{", "{{ links.preferences }} {{ 'a' }} {{ }} {{"),
    ],
)
def test_values_are_told_by_name_where_that_says_all(liquid: str, words: str) -> None:
    assert in_words(liquid) == words


def test_one_path_has_one_spelling() -> None:
    assert spelled("profile['first_name']") == spelled('profile["first_name"]') == "profile.first_name"
    assert spelled('profile["plan name"]') == 'profile["plan name"]'
    found = variables.tested_in("{% if account.name %}x{% endif %}{%- unless event['a b'] -%}")
    assert found == {"account.name", 'event["a b"]'}
