"""What the buttons of the flow do: each verb makes an edit of what was sent, and says where to look afterwards."""

from collections.abc import Callable, Mapping
from typing import Any

from foundation.errors import Conflict
from journeys import kinds
from journeys.editor import edits, revisions, shape, words
from journeys.editor.desk import CLIPBOARD, Desk
from journeys.editor.edits import AddArm, Delete, Edit, Insert, Move, MoveArm, RemoveArm, Set
from journeys.editor.flow import id_of
from journeys.editor.shape import Gap, Gone
from journeys.models import JourneyVersion

Sent = Mapping[str, str]


def act(desk: Desk, verb: str, sent: Sent) -> None:
    """Does what a button says. `Overtaken` where others changed the same, `Conflict` where it cannot be done."""
    if verb in ("undo", "redo"):
        _back(desk, verb)
        return
    does = _VERBS.get(verb)
    if does is None:
        raise Conflict("This button is known no more. Reload the page.")
    edit = does(desk, sent)
    if edit is not None:
        do(desk, edit, insist=sent.get("insist") == "1")


def do(desk: Desk, edit: Edit, *, insist: bool = False) -> None:
    """Does an edit upon what the browser showed, and says what became of it."""
    outcome = revisions.do(desk.journey.slug, edit, upon=desk.upon, insist=insist, now=desk.now)
    desk.head = outcome.head
    desk.say = desk.say or (outcome.head.what if outcome.changed else "Nothing changed.")
    if outcome.merged and outcome.changed:
        desk.say += " It was brought together with what others did meanwhile."
    desk.__dict__.pop("flow", None)
    desk.journey.refresh_from_db()


def _back(desk: Desk, verb: str) -> None:
    does = revisions.undo if verb == "undo" else revisions.redo
    before = desk.head.document
    outcome = does(desk.journey.slug, now=desk.now)
    desk.head, desk.say = outcome.head, outcome.head.what
    desk.__dict__.pop("flow", None)
    fresh = [key for key in _keys_in_order(desk.document) if key not in shape.keys(before)]
    if fresh:
        desk.focus = f"card-{id_of(fresh[0])}"


def _keys_in_order(document: Mapping[str, Any]) -> list[str]:
    return [str(spot.step["key"]) for spot in shape.walk(document)]


def taken(desk: Desk) -> set[str]:
    """Keys that a new step must not have: those of the draft, and of all versions, in which people passed them."""
    programs = JourneyVersion.objects.filter(journey=desk.journey).exclude(program=None)
    used = {key for steps in programs.values_list("program__steps", flat=True) for key in steps or ()}
    return used | shape.keys(desk.document)


# ── Steps ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _insert(desk: Desk, sent: Sent) -> Edit:
    kind = sent.get("kind", "")
    if kind not in kinds.steps:
        raise Conflict("This kind of step is known no more. Reload the page.")
    step = edits.begun(kind, taken(desk))
    _at_step(desk, step["key"])
    return Insert(Gap.read(sent.get("at", "in:")), [step])


def _at_step(desk: Desk, key: str) -> None:
    desk.extra["then"] = f"step/{key}"
    desk.focus = "panel"


def _move(desk: Desk, sent: Sent) -> Edit:
    desk.focus = f"card-{id_of(sent.get('key', ''))}"
    return Move(sent.get("key", ""), Gap.read(sent.get("at", "in:")))


def _step_by(by: int) -> Callable[[Desk, Sent], Edit | None]:
    def step(desk: Desk, sent: Sent) -> Edit | None:
        key = sent.get("key", "")
        to = edits.next_to(desk.document, key, by)
        desk.focus = sent.get("focus") or f"card-{id_of(key)}"
        if to is None:
            desk.say = "It cannot go any further."
            return None
        return Move(key, to)

    return step


def _delete(desk: Desk, sent: Sent) -> Edit:
    key = sent.get("key", "")
    spot = shape.find(desk.document, key)
    _beside(desk, spot)
    desk.closes = True
    return Delete(key)


def _beside(desk: Desk, spot: shape.Spot) -> None:
    """Where to look once a step is gone: at the next one, the one before, or the gap that it leaves."""
    near = spot.steps[spot.number + 1 : spot.number + 2] or spot.steps[max(0, spot.number - 1) : spot.number]
    desk.focus = f"card-{id_of(near[0]['key'])}" if near else f"plus-{id_of(spot.list)}"


def _duplicate(desk: Desk, sent: Sent) -> Edit:
    spot = shape.find(desk.document, sent.get("key", ""))
    made = edits.copied([spot.step], taken(desk))
    desk.focus = f"card-{id_of(made[0]['key'])}"
    return Insert(Gap(spot.step["key"]), made)


def _copy(desk: Desk, sent: Sent) -> Edit | None:
    spot = shape.find(desk.document, sent.get("key", ""))
    desk.request.session[CLIPBOARD] = {"steps": [spot.step]}
    desk.say = f"Copied “{words.title(spot.step)}”. Put it in anywhere, here or in another journey."
    desk.focus = f"card-{id_of(spot.step['key'])}"
    return None


def _cut(desk: Desk, sent: Sent) -> Edit:
    _copy(desk, sent)
    desk.say = ""
    return _delete(desk, sent)


def _paste(desk: Desk, sent: Sent) -> Edit:
    held = (desk.request.session.get(CLIPBOARD) or {}).get("steps")
    if not held:
        raise Conflict("Nothing is on the clipboard. Copy or cut a step first.")
    # What was cut here comes back as itself, so that whoever stands there stays with it.
    own = shape.keys(desk.document)
    is_free = not own & {str(spot.step["key"]) for spot in shape.walk({"steps": held})}
    made = held if is_free and set(_inner(held)) <= _once(desk) else edits.copied(held, taken(desk))
    desk.focus = f"card-{id_of(made[0]['key'])}"
    return Insert(Gap.read(sent.get("at", "in:")), made)


def _inner(steps: list[dict[str, Any]]) -> list[str]:
    return [str(spot.step["key"]) for spot in shape.walk({"steps": steps})]


def _once(desk: Desk) -> set[str]:
    """Keys of steps that this journey had in its newest revisions or has published."""
    rows = desk.journey.revisions.order_by("-number").values_list("document", flat=True)[:20]
    return taken(desk).union(*(shape.keys(document) for document in rows))


# ── Ways ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _add_way(desk: Desk, sent: Sent) -> Edit:
    key = sent.get("key", "")
    step = shape.find(desk.document, key).step
    variant = kinds.steps[step["kind"]]
    has = {str(one.given["key"]) for one in shape.arms(step)}
    arm: dict[str, Any] = {"key": shape.fresh("way", has)}
    fields = {one.name for one in variant.arm_fields.get(edits.list_field(step), ())}
    if "weight" in fields:
        arm |= {"label": f"{chr(ord('A') + min(len(has), 25))}", "weight": 50}
    elif not fields:
        arm["label"] = f"Outcome {len(has) + 1}"
    rows = [str(one.given["key"]) for one in shape.arms(step)]
    desk.extra["then"] = f"way/{key}/{arm['key']}" if fields - {"weight"} else f"step/{key}"
    desk.focus = "panel"
    return AddArm(key, arm, before=rows[-1] if "when" in fields and rows else "")


def _remove_way(desk: Desk, sent: Sent) -> Edit:
    desk.extra["then"] = f"step/{sent.get('key', '')}"
    desk.focus = "panel"
    return RemoveArm(sent.get("key", ""), sent.get("arm", ""))


def _way_by(by: int) -> Callable[[Desk, Sent], Edit]:
    def move(desk: Desk, sent: Sent) -> Edit:
        desk.extra["then"] = f"step/{sent.get('key', '')}"
        desk.focus = sent.get("focus", "panel")
        return MoveArm(sent.get("key", ""), sent.get("arm", ""), by)

    return move


def _copy_way(desk: Desk, sent: Sent) -> Edit | None:
    step = shape.find(desk.document, sent.get("key", "")).step
    desk.request.session[CLIPBOARD] = {"arm": shape.arm(step, sent.get("arm", ""))}
    desk.say = "Copied the way with its steps. Put it in at any step that has ways of the same kind."
    return None


def _cut_way(desk: Desk, sent: Sent) -> Edit:
    _copy_way(desk, sent)
    desk.say = ""
    return _remove_way(desk, sent)


def _paste_way(desk: Desk, sent: Sent) -> Edit:
    held = (desk.request.session.get(CLIPBOARD) or {}).get("arm")
    if not held:
        raise Conflict("No way is on the clipboard. Copy or cut one first.")
    step = shape.find(desk.document, sent.get("key", "")).step
    variant, rows = kinds.steps[step["kind"]], [str(one.given["key"]) for one in shape.arms(step)]
    fits = {"key", "label", *(one.name for one in variant.arm_fields.get(edits.list_field(step), ()))}
    arm = {name: value for name, value in held.items() if name in fits}
    arm["key"] = shape.fresh(str(held["key"]), set(rows))
    arm["steps"] = edits.copied(held.get("steps") or [], taken(desk))
    desk.extra["then"], desk.focus = f"step/{step['key']}", "panel"
    return AddArm(step["key"], arm, before=rows[-1] if "when" in fits and rows else "")


# ── What starts it ───────────────────────────────────────────────────────────────────────────────────────────────────
def _add_trigger(desk: Desk, sent: Sent) -> Edit:
    variant = kinds.triggers.get(sent.get("kind", ""))
    if variant is None:
        raise Conflict("This kind of start is known no more. Reload the page.")
    rows = words.triggers_of(desk.document["entry"])
    given = [*rows, {"kind": variant.key}]
    desk.extra["then"] = f"part/trigger/{len(rows)}" if variant.fields else "part/trigger"
    desk.focus = "panel"
    return Set("trigger", given[0] if len(given) == 1 else given)


def _remove_trigger(desk: Desk, sent: Sent) -> Edit:
    rows = words.triggers_of(desk.document["entry"])
    number = sent.get("number", "")
    if not number.isdecimal() or len(number) > 3 or int(number) >= len(rows):
        raise Gone("This start is no longer there: somebody took it out.")
    del rows[int(number)]
    desk.extra["then"], desk.focus = "part/trigger", "panel"
    return Set("trigger", rows[0] if len(rows) == 1 else rows)


_VERBS: dict[str, Callable[[Desk, Sent], Edit | None]] = {
    "insert": _insert,
    "move": _move,
    "up": _step_by(-1),
    "down": _step_by(1),
    "delete": _delete,
    "duplicate": _duplicate,
    "copy": _copy,
    "cut": _cut,
    "paste": _paste,
    "add_way": _add_way,
    "remove_way": _remove_way,
    "way_up": _way_by(-1),
    "way_down": _way_by(1),
    "copy_way": _copy_way,
    "cut_way": _cut_way,
    "paste_way": _paste_way,
    "add_trigger": _add_trigger,
    "remove_trigger": _remove_trigger,
}
