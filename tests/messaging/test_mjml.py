"""MJML by hand: what it is compiled to, what is refused with its line, and what it says in plain words."""
# ruff: noqa: E501 (one source a line)

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.errors import Invalid
from messaging import building, mjml
from messaging.models import Template
from staff.models import User
from tests.messaging.editor.test_views import words
from tests.messaging.test_building import VALUES, compiled

WHOLE = """<mj-section background-color="#f8fafc">
  <mj-column>
    <mj-text color="#111827">Hello <b>{{ profile.first_name | default: 'you' }}</b>,<br>see <a href="https://example.com/a?b=1&amp;c=2">the &lt;plan&gt;</a></mj-text>
    {% if profile.plan %}
    <mj-button href="{{ event.url }}" background-color="{{ brand.colour }}">Open it</mj-button>
    {% endif %}
    <mj-image src="https://example.com/a.png" alt="A &quot;hill&quot;" />
  </mj-column>
</mj-section>
<mj-section><mj-column><mj-table><tr><td>One</td><td>1 €</td></tr></mj-table></mj-column></mj-section>"""


def of(source: str, **more: Any) -> dict[str, Any]:
    return {"kind": "mjml", "source": source, **more}


def refused(source: str, *, nested: bool = False) -> str:
    block = {"kind": "columns", "columns": [[of(source)], []]} if nested else of(source)
    with pytest.raises(Invalid) as caught:
        building.read([block])
    return " / ".join(problem.reason for problem in caught.value.problems)


def test_it_is_compiled_with_the_foot_around_it_and_says_the_same_in_plain_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(VALUES["profile"], "plan", "pro")
    markup, text = compiled(of(WHOLE))
    assert 'Hello <b>Ada</b>,<br />see <a href="https://example.com/a?b=1&amp;c=2">the &lt;plan&gt;</a>' in markup
    assert 'href="https://example.com/a?b=1&amp;c=2"' in markup and "#0f766e" in markup
    assert 'alt="A &quot;hill&quot;"' in markup
    assert "https://example.com/u" in markup  # to unsubscribe
    assert text.split("\n-- ")[0].strip() == (
        "Hello Ada,\nsee the <plan> (https://example.com/a?b=1&c=2)\n\n"
        "Open it: https://example.com/a?b=1&c=2\n\nOne 1 €"
    )
    monkeypatch.delitem(VALUES["profile"], "plan")
    assert "Open it" not in "".join(compiled(of(WHOLE)))


def test_values_of_people_stay_words_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VALUES["profile"], "first_name", "\"><img src=x onerror=1>'")
    markup, text = compiled(
        of(
            "<mj-text>{{ profile.first_name }} <a href='https://example.com/?q={{ profile.first_name }}' title=\"{{ profile.first_name }}\">x</a></mj-text>"
        )
    )
    assert "<img src=x" not in markup
    assert "<img src=x" in text


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("<mj-include path='/etc/passwd' />", "line 1: <mj-include> would fetch a file"),
        ("<mj-section>\n<mj-include path='https://evil.example/x' /></mj-section>", "line 2: <mj-include> would fetch"),
        ("<mj-colum></mj-colum>", "line 1: <mj-colum> is no element of MJML"),
        ("<mjml><mj-body></mj-body></mjml>", "<mjml> is the brand's"),
        ("<mj-font name='x' href='https://evil.example/x.css' />", "line 1: <mj-font> would fetch a font"),
        ("<mj-social></mj-social>", "would fetch pictures from others"),
        ("<mj-section>\n\n<mj-text>x</mj-text></mj-section>", "line 3: <mj-text> cannot stand in <mj-section> of line 1"),
        ("<mj-text>\n<b>a</mj-text>", "line 2: </mj-text> comes while <b> of line 2 is still open"),
        ("<mj-section>", "line 1: <mj-section> is never closed"),
        ("<mj-text>a</mj-text>\nwords", "line 2: “words” stands outside of an element for words"),
        ("{{ profile.first_name }}", "stands outside of an element for words"),
        ("<mj-text><script>alert(1)</script></mj-text>", "<script> may not be in a mail"),
        ("<mj-raw><iframe src='https://evil.example'></iframe></mj-raw>", "<iframe> may not be in a mail"),
        ("<mj-text onclick='x'>a</mj-text>", "`onclick` of <mj-text> may not be in a mail"),
        ("<mj-text><a href='javascript:alert(1)'>a</a></mj-text>", "line 1: “javascript:alert(1)” must begin with https://"),
        ("<mj-text><a>a</a></mj-text>", "<a> has no `href`"),
        ("<mj-button href='{{ event.a }}/x'>a</mj-button>", "must begin with https://"),
        ("<mj-text>\n<span style='background:url(https://evil.example)'>a</span></mj-text>", "line 2: `style` of <span> would fetch or run"),
        ("<mj-text color='{{ profile.colour }}'>a</mj-text>", "can be filled in with {{ brand.colour }} alone"),
        ("<mj-text><p title={{ profile.x }}>a</p></mj-text>", "stands without quotes"),
        ("<mj-text {% if profile.x %}color='red'{% endif %}>a</mj-text>", "is no attribute: Liquid goes into words"),
        ("<mj-image src='https://example.com/a.png' />", "line 1: <mj-image> has no `alt`"),
        ("<mj-text><img alt='x'></mj-text>", "line 1: <img> has no `src`"),
        ("<mj-text>\n\n{{ profil.x }}</mj-text>", "line 3: `profil` is unknown"),
        ("<mj-text>{% if profile.x %}</mj-text>", "expected tag endif"),
        ("<mj-text>{% include 'x' %}</mj-text>", "include"),
        ("<!-- {{ profile.x }} --><mj-text>a</mj-text>", "Liquid in a comment"),
        ("<!DOCTYPE html><mj-text>a</mj-text>", "a declaration"),
        ("<mj-text>" + "x" * 70_000 + "</mj-text>", "is longer than 60,000 characters"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_with_its_line(source: str, reason: str) -> None:
    assert reason in refused(source)


def test_in_a_column_it_has_no_sections_and_by_other_channels_it_is_refused(write: Callable[..., Template]) -> None:
    assert "cannot stand in a column of blocks" in refused("<mj-section></mj-section>", nested=True)
    building.compile_blocks(building.read([{"kind": "columns", "columns": [[of("<mj-text>a</mj-text>")], []]}]))
    with pytest.raises(Invalid, match="is for mail alone: by "):
        write("hook", channel="webhook", topic="news", blocks=[of("<mj-text>a</mj-text>")])


def test_hard_to_read_words_are_told_with_their_line() -> None:
    source = "<mj-section background-color='#fff'><mj-column>\n<mj-text color='#ccc'>a</mj-text>\n<mj-button background-color='{{ brand.colour }}' href='https://e.co'>b</mj-button></mj-column></mj-section>"
    found = mjml.read(source, building.Writer())
    assert list(mjml.pale(found, "#0f766e", 4.5)) == ["Line 2: words in #ccc on #fff are hard to read."]
    assert list(mjml.pale(found, "#ffee00", 4.5))[1] == "Line 3: words in #ffffff on #ffee00 are hard to read."


_PIECES = ["<mj-section>", "</mj-section>", "<mj-column width='x'>", "</mj-column>", "<mj-text>", "</mj-text>", "<b>", "</b>", "<br>", "{% if profile.first_name %}", "{% endif %}", "{{ profile.first_name }}", "zq0qz", "&amp;", "&", "<", "<!--", "-->", "<mj-image src='https://e.co' alt=''>", "\n", "words", "<mj-raw>", "</mj-raw>", "<![CDATA[", "]]>"]  # fmt: skip


@settings(max_examples=150)
@given(st.lists(st.sampled_from(_PIECES), max_size=12).map("".join))
def test_whatever_is_written_is_compiled_or_refused_and_leaves_no_mark(source: str) -> None:
    try:
        blocks = building.read([of(source)])
    except Invalid as invalid:
        assert all(problem.path == "blocks[0].source" for problem in invalid.problems)
        return
    made = building.compile_blocks(blocks)
    assert not re.search(r"zq[1-9]\d*qz", made.html + made.text)


def test_only_who_may_writes_mjml_in_the_editor(client: Client, write: Callable[..., Template]) -> None:
    user = User.objects.create_user("ada", email="a@acme.example", password="stone-on-stone-9", is_staff=True)
    user.groups.add(Group.objects.get(name="author"))
    client.force_login(user)
    template = write(blocks=[of("<mj-text color='#ddd'>a</mj-text>")])
    path = reverse("admin:messaging_template_edit", args=[template.pk])
    form = {
        "name": "Hello",
        "topic": "news",
        "subject": "Hi",
        "order": "k1",
        "b.k1.kind": "mjml",
        "upon": "1",
        "do": "save",
    }
    page = client.get(path).content.decode()
    assert "readonly" in page and 'value="add:mjml"' not in page
    assert "Line 1: words in #ddd on #ffffff are hard to read." in words(page.encode())
    assert "You may not write MJML" in words(client.post(path, {**form, "b.k1.source": "<mj-text>b</mj-text>"}).content)
    assert client.post(path, {**form, "b.k1.source": "<mj-text color='#ddd'>a</mj-text>"}).status_code == 302
    user.groups.set([Group.objects.get(name="publisher")])
    form["upon"] = "2"
    assert 'value="add:mjml"' in client.get(path).content.decode()
    assert "line 1: <mj-tex> is no element" in words(
        client.post(path, {**form, "b.k1.source": "<mj-tex></mj-tex>"}).content
    )
    assert client.post(path, {**form, "b.k1.source": "<mj-text>b</mj-text>"}).status_code == 302
