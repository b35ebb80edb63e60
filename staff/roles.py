"""Roles: which staff may do what. One table says it all; every `migrate` makes the groups be what it says.

A model that the table does not name is the owner's alone. docs/roles.md is this table for people to read.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from django.apps import AppConfig, apps
from django.contrib.auth.models import Group, Permission
from django.db.models import Model

OWNER = "owner"
APPS = ("staff", "profiles", "consent", "segments", "messaging", "journeys", "insights", "playbooks")
# A role may do what those it builds on may, and more.
BUILDS_ON = {"author": ("viewer",), "publisher": ("author",), "support": ("viewer",), "privacy officer": ("viewer",)}
ABOUT = {
    "viewer": "Reads how things are set up and how they do. Sees no person.",
    "author": "Drafts segments, journeys and messages, and sees the people whom they are about.",
    "publisher": "An author who may also publish, pause and stop.",
    "support": "Helps single people: sees what happened to them and why, and settles who is who.",
    "privacy officer": "Answers for consent: the ledger, blocked addresses, exports and erasures.",
    "developer": "Connects other systems: keys, imports, the data catalogue and what was refused.",
    OWNER: "Everything, roles and staff included.",
}

_SETUP = {
    "staff.team": "view",
    "profiles.eventtype": "view",
    "profiles.attributetype": "view",
    "consent.topic": "view",
    "consent.signupform": "view",
    "segments.segment": "view",
    "segments.segmentversion": "view",
    "segments.learning": "view",
    "messaging.brand": "view",
    "messaging.channelsettings": "view",
    "messaging.limits": "view",
    "messaging.cap": "view",
    "messaging.pace": "view",
    "messaging.lane": "view",
    "messaging.senderdomain": "view",
    "messaging.template": "view",
    "messaging.templateversion": "view",
    "messaging.snippet": "view",
    "messaging.snippetversion": "view",
    "messaging.broadcast": "view",
    "messaging.holdout": "view",
    "journeys.journey": "view",
    "journeys.journeyversion": "view",
    "journeys.journeytest": "view",
}
_PEOPLE = {
    "profiles.profile": "view",
    "profiles.account": "view",
    "profiles.merge": "view",
    "consent.consentstate": "view",
    "consent.preference": "view",
    "segments.membership": "view",
    "segments.membershipchange": "view",
    "messaging.message": "view",
    "messaging.report": "view",
    "journeys.enrollment": "view",
    "journeys.transition": "view",
    "journeys.refusal": "view",
    "journeys.task": "view change",
}
# What each role may do, as verbs on `app.model`; a verb with a `_` is a permission that the model declares itself.
TABLE: dict[str, dict[str, str]] = {
    "viewer": _SETUP,
    "author": {
        **_PEOPLE,
        "segments.segment": "view add change",
        "segments.learning": "view add",
        "messaging.template": "view add change",
        "messaging.snippet": "view add change",
        "messaging.brand": "view change",
        "messaging.broadcast": "view add change delete",
        "journeys.journey": "view add change",
        "journeys.journeytest": "view add change delete",
    },
    "publisher": {
        "consent.topic": "view add change",
        "segments.segment": "view add change delete",
        "messaging.template": "view add change delete write_mjml",
        "messaging.snippet": "view add change delete",
        "journeys.journey": "view add change delete publish_journey",
        "journeys.enrollment": "view add change",
        "messaging.message": "view add change",
        "messaging.broadcast": "view add change delete start_broadcast",
        "messaging.holdout": "view add change",
        "messaging.limits": "view change",
        "messaging.cap": "view add change delete",
        "messaging.pace": "view add change delete",
        "messaging.lane": "view change",
        "messaging.senderdomain": "view change",
    },
    "support": {
        **_PEOPLE,
        "profiles.profile": "view change",
        "profiles.identityconflict": "view change",
        "profiles.merge": "view change",
        "journeys.enrollment": "view change",
    },
    "privacy officer": {
        **_PEOPLE,
        "profiles.profile": "view change delete",
        "profiles.identityconflict": "view change",
        "profiles.merge": "view change",
        "consent.topic": "view add change",
        "consent.consentrecord": "view",
        "consent.consentstate": "view change",
        "consent.refusedupgrade": "view",
        "consent.privacyrequest": "view add change export_privacyrequest",
        "consent.retentionrule": "view change",
        "consent.reply": "view change",
        "consent.suppression": "view add change delete",
        "staff.auditentry": "view",
    },
    "developer": {
        "staff.key": "view add change",
        "staff.auditentry": "view",
        "profiles.eventtype": "view change",
        "profiles.attributetype": "view change",
        "profiles.rejectedevent": "view change",
        "profiles.importjob": "view add change",
        "profiles.endpoint": "view add change delete",
        "profiles.delivery": "view change",
        "consent.topic": "view",
        "segments.segment": "view",
        "messaging.template": "view",
        "messaging.channelsettings": "view change",
        "messaging.senderdomain": "view add change delete",
        "journeys.journey": "view",
    },
    OWNER: {
        "auth.group": "view add change delete",
        "django_celery_beat.periodictask": "view change",
    },
}
# What only the owner has, knowingly: a model that stands neither here nor above was forgotten, and a test says so.
OWNERS_ALONE = {
    "staff.user": "Whoever makes staff makes roles.",
    "staff.keyspending": "A counter of ours.",
    "staff.idempotentanswer": "Answers of the API, with what is in them.",
    "profiles.identifier": "Shown on the person's page.",
    "profiles.tombstone": "What remains of the erased.",
    "profiles.erasure": "What remains of the erased.",
    "profiles.event": "Shown on the person's page.",
    "profiles.eventday": "Counts of ours.",
    "profiles.claim": "Ids of messages, as digests.",
    "profiles.pulse": "A queue of ours.",
    "segments.sizechange": "Counts of ours, on their way to the segment.",
    "journeys.assignment": "Which arm of a split somebody was given; their way tells it.",
    "consent.anchor": "What `manage.py verify_ledger` compares with.",
    "consent.sentform": "A queue of ours, empty within seconds.",
    "consent.limit": "Shown with the person.",
    "consent.privacystep": "Shown with the request.",
    "consent.attempt": "A counter of ours.",
    "consent.optin": "Asked for and not confirmed yet: no consent.",
    "messaging.mailday": "Counts of ours, shown under Domain health.",
    "messaging.link": "Shown on the message's page.",
    "messaging.hit": "Shown on the message's page.",
    "messaging.recipient": "Shown with the broadcast, as numbers.",
    "messaging.exposure": "Shown with the holdout, as numbers.",
    "messaging.opening": "Shown on the message's page.",
    "messaging.reached": "Counts of ours, by a hash of the address.",
    "messaging.inboxmessage": "Shown with the message.",
    "messaging.inboxpace": "A counter of ours.",
    "messaging.pushsubscription": "Where a browser is notified; of use to the channel alone.",
    "consent.subject": "The link that erasure cuts.",
    "consent.wording": "Shown with the record.",
    "consent.consentevidence": "Shown with the record.",
    "segments.watch": "When time next matters, a queue of ours.",
    "segments.late": "A queue of ours.",
    "journeys.round": "When time next matters, a plan of ours.",
    "journeys.queuedentry": "A queue of ours.",
    "journeys.call": "Shown with the person on the journey.",
    "journeys.tally": "Counts of ours; the page of the journey shows them.",
    "journeys.bygone": "Counts of ours, of those who were erased; the page of the journey has them with the others.",
    "journeys.attempt": "A record of ours on what is under way.",
    "journeys.appointment": "When time next matters, a plan of ours.",
    "journeys.revision": "Steps back from a draft, for undo; the versions tell what was published.",
    "journeys.presence": "Who has a journey open in the editor.",
}


def may(role: str) -> dict[str, set[str]]:
    """What the role may do, what it builds on included: `app.model` to verbs."""
    verbs: dict[str, set[str]] = defaultdict(set)
    for lower in BUILDS_ON.get(role, ()):
        for model, inherited in may(lower).items():
            verbs[model] |= inherited
    for model, named in TABLE[role].items():
        verbs[model] |= set(named.split())
    if role == OWNER:
        for ours in _our_models():
            verbs[ours._meta.label_lower] |= _verbs(ours)
    return dict(verbs)


def permissions(role: str) -> set[str]:
    """The role's permissions as `User.has_perm` knows them, of models that exist."""
    return {_permission(model, verb) for model, verbs in may(role).items() if _exists(model) for verb in verbs}


def _permission(model: str, verb: str) -> str:
    app, name = model.split(".")
    return f"{app}.{verb}" if "_" in verb else f"{app}.{verb}_{name}"


def apply(sender: AppConfig, using: str, **_: Any) -> None:
    """After each app's migration: the groups have just what the table grants on that app's models."""
    there = Permission.objects.using(using).filter(content_type__app_label=sender.label)
    by_name = {f"{sender.label}.{permission.codename}": permission for permission in there}
    if not by_name:
        return
    for role in TABLE:
        group, _created = Group.objects.using(using).get_or_create(name=role)
        wanted = {by_name[name] for name in permissions(role) & by_name.keys()}
        has = set(group.permissions.using(using).filter(content_type__app_label=sender.label))
        group.permissions.add(*wanted - has)
        group.permissions.remove(*has - wanted)


def as_markdown() -> str:
    """The table as docs/roles.md shows it."""
    lines = [f"| {' | '.join(['what', *TABLE])} |", f"| {' | '.join(['---'] * (len(TABLE) + 1))} |"]
    lines += [f"| {' | '.join([name, *cells])} |" for name, cells in _rows()]
    about = "\n".join(f"- **{role}**: {sentence}" for role, sentence in ABOUT.items())
    return f"{_OPENING}\n{about}\n\n{chr(10).join(lines)}\n"


_OPENING = """# Roles

What staff may do comes from their roles; somebody may have several. This page is made from the table in
`staff/roles.py` by `manage.py roles`, and each `manage.py migrate` makes the roles be what it says. Roles that you add
yourself are left as they are. Programs have keys in place of roles ([integrators](integrators.md)).
"""


def _rows() -> Iterator[tuple[str, list[str]]]:
    granted = {role: may(role) for role in TABLE}
    named = {model for role in TABLE if role != OWNER for model in granted[role]} | TABLE[OWNER].keys()
    for label in sorted(named | {"staff.user"}):
        if _exists(label):
            name = str(apps.get_model(label)._meta.verbose_name_plural)
            cells = [_said(granted[role].get(label, set())) for role in TABLE]
            yield f"{label.split('.')[0]}: {name}", cells


def _said(verbs: set[str]) -> str:
    own = sorted(verb.split("_")[0] for verb in verbs if "_" in verb)
    return ", ".join([verb for verb in ("view", "add", "change", "delete") if verb in verbs] + own)


def _our_models() -> Iterator[type[Model]]:
    for app in APPS:
        yield from apps.get_app_config(app).get_models()


def _verbs(model: type[Model]) -> set[str]:
    return {*model._meta.default_permissions, *(name for name, _ in model._meta.permissions)}


def _exists(label: str) -> bool:
    app, name = label.split(".")
    return name in apps.all_models.get(app, {})
