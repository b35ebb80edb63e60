"""A question with a row of numbers to press; what is pressed opens a page with room for words, and a button."""

from typing import Any

from foundation.errors import Problem
from messaging import feedback
from messaging.building import BLOCKS, Block, Writer, check_text

_LINKS = "{{ links.feedback }}"


@BLOCKS.register
class Feedback(Block):
    key = "feedback"
    label = "Feedback"
    icon = "reviews"
    place = 75
    shapes = {"question": "plain line", "low": "plain line", "high": "plain line", "eleven": "yes or no"}
    fields = {
        "question": "the question, such as How was your first week?",
        "low": "what the lowest number means, such as Not good",
        "high": "what the highest number means, such as Great",
        "eleven": "whether to ask from 0 to 10, in place of 1 to 5",
    }
    optional = frozenset({"low", "high", "eleven"})

    def check(self, name: str, value: Any, path: str) -> list[Problem]:
        if name == "eleven":
            return [] if isinstance(value, bool) else [Problem(path, "must be true or false")]
        if isinstance(value, str) and ("{{" in value or "{%" in value):
            return [Problem(path, "must be plain words, the same for everybody: the page that is opened says it again")]
        return check_text(value, path)

    @property
    def _scores(self) -> list[tuple[int, str]]:
        name = feedback.name_of(self.values["question"])
        return [(n, f"{_LINKS}?q={name}&score={n}") for n in feedback.scale(self.values)]

    def _ends(self) -> str:
        low, high = self.values.get("low") or "", self.values.get("high") or ""
        first, *_, last = feedback.scale(self.values)
        said = [f"{number}: {words}" for number, words in ((first, low), (last, high)) if words]
        return " · ".join(said)

    def mjml(self, write: Writer) -> str:
        colour = write.liquid("{{ brand.colour }}")
        look = (
            "display:inline-block;min-width:24px;margin:4px 6px 4px 0;padding:8px 6px;border:1px solid;"
            f"border-radius:6px;color:{colour};text-align:center;text-decoration:none;font-weight:600"
        )
        row = "".join(f'<a href="{write.href(href)}" style="{look}">{number}</a>' for number, href in self._scores)
        ends = self._ends()
        small = f'<div style="font-size:13px;color:#4b5563">{write.plain(ends)}</div>' if ends else ""
        question = f'<div style="font-weight:600;margin-bottom:4px">{write.plain(self.values["question"])}</div>'
        return f"<mj-text>{question}{row}{small}</mj-text>"

    def web(self, write: Writer) -> str:
        row = " ".join(f'<a href="{write.href(href)}">{number}</a>' for number, href in self._scores)
        ends = f"<br>{write.plain(self._ends())}" if self._ends() else ""
        return f"<p>{write.plain(self.values['question'])}<br>{row}{ends}</p>"

    def text(self) -> str:
        first, *_, last = feedback.scale(self.values)
        ends = f" ({self._ends()})" if self._ends() else ""
        name = feedback.name_of(self.values["question"])
        return f"{self.values['question']}\nFrom {first} to {last}{ends}: {_LINKS}?q={name}"
