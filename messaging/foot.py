"""What stands at the end of every mail, in the languages that there are: why it came, and what can be done about it."""
# ruff: noqa: E501 (each sentence stands whole, so that it can be read beside the others)

from dataclasses import dataclass

from consent.models import Topic
from messaging.delivery import label

_Basis = Topic.Basis


@dataclass(frozen=True, slots=True)
class Foot:
    """`whys` by basis, with {brand}, {topic} and {channel} to fill in; `tracked` stands where links and pictures tell."""

    preferences: str
    unsubscribe: str
    whys: dict[Topic.Basis, str]
    channels: dict[str, str]
    tracked: str
    stop: str


FEET = {
    "en": Foot(
        "Choose what you get",
        "Unsubscribe",
        {
            _Basis.CONSENT: "You get this from {brand} because you agreed to {topic} by {channel}.",
            _Basis.SOFT_OPT_IN: "You get this from {brand} because you are a customer of {brand}, and this is about {topic}.",
            _Basis.CONTRACT: "You get this from {brand} because it is part of what you use at {brand}: {topic}.",
            _Basis.LEGAL_OBLIGATION: "You get this from {brand} because the law asks {brand} to tell you: {topic}.",
            _Basis.LEGITIMATE_INTEREST: "You get this from {brand} because you use {brand}, and this is about {topic}.",
        },
        {},
        "You agreed that we see whether you open this and which links you follow.",
        "Stop that",
    ),
    "de": Foot(
        "Wählen Sie, was Sie bekommen",
        "Abbestellen",
        {
            _Basis.CONSENT: "Sie bekommen dies von {brand}, weil Sie {topic} per {channel} zugestimmt haben.",
            _Basis.SOFT_OPT_IN: "Sie bekommen dies von {brand}, weil Sie Kundin oder Kunde von {brand} sind und es um {topic} geht.",
            _Basis.CONTRACT: "Sie bekommen dies von {brand}, weil es zu dem gehört, was Sie bei {brand} nutzen: {topic}.",
            _Basis.LEGAL_OBLIGATION: "Sie bekommen dies von {brand}, weil das Gesetz verlangt, dass {brand} es Ihnen mitteilt: {topic}.",
            _Basis.LEGITIMATE_INTEREST: "Sie bekommen dies von {brand}, weil Sie {brand} nutzen und es um {topic} geht.",
        },
        {"email": "E-Mail", "sms": "SMS", "in_app": "In-App-Nachricht", "web_push": "Browser-Mitteilung"},
        "Sie haben zugestimmt, dass wir sehen, ob Sie dies öffnen und welchen Links Sie folgen.",
        "Das beenden",
    ),
    "es": Foot(
        "Elija lo que recibe",
        "Darse de baja",
        {
            _Basis.CONSENT: "Recibe esto de {brand} porque aceptó {topic} por {channel}.",
            _Basis.SOFT_OPT_IN: "Recibe esto de {brand} porque es cliente de {brand} y se trata de {topic}.",
            _Basis.CONTRACT: "Recibe esto de {brand} porque forma parte de lo que usa en {brand}: {topic}.",
            _Basis.LEGAL_OBLIGATION: "Recibe esto de {brand} porque la ley exige que {brand} se lo comunique: {topic}.",
            _Basis.LEGITIMATE_INTEREST: "Recibe esto de {brand} porque usa {brand} y se trata de {topic}.",
        },
        {
            "email": "correo electrónico",
            "sms": "SMS",
            "in_app": "mensaje en la aplicación",
            "web_push": "aviso del navegador",
        },
        "Usted aceptó que veamos si abre esto y qué enlaces sigue.",
        "Ponerle fin",
    ),
    "fr": Foot(
        "Choisissez ce que vous recevez",
        "Se désabonner",
        {
            _Basis.CONSENT: "Vous recevez ceci de {brand} parce que vous avez accepté {topic} par {channel}.",
            _Basis.SOFT_OPT_IN: "Vous recevez ceci de {brand} parce que vous êtes client de {brand} et qu'il s'agit de {topic}.",
            _Basis.CONTRACT: "Vous recevez ceci de {brand} parce que cela fait partie de ce que vous utilisez chez {brand} : {topic}.",
            _Basis.LEGAL_OBLIGATION: "Vous recevez ceci de {brand} parce que la loi demande à {brand} de vous le dire : {topic}.",
            _Basis.LEGITIMATE_INTEREST: "Vous recevez ceci de {brand} parce que vous utilisez {brand} et qu'il s'agit de {topic}.",
        },
        {
            "email": "e-mail",
            "sms": "SMS",
            "in_app": "message dans l’application",
            "web_push": "notification du navigateur",
        },
        "Vous avez accepté que nous voyions si vous ouvrez ceci et quels liens vous suivez.",
        "Y mettre fin",
    ),
}


def of(language: str | None) -> Foot:
    """The foot in a language, or in English where there is none in it."""
    return FEET.get((language or "").split("-")[0], FEET["en"])


def why(topic: Topic, channel: str, brand: str, language: str | None = None) -> str:
    """Why the person gets this, in one sentence."""
    foot = of(language)
    named = foot.channels.get(channel, label(channel))
    return foot.whys[_Basis(topic.basis)].format(topic=topic.name, channel=named, brand=brand)


def words(language: str | None = None) -> dict[str, str]:
    """What the links of the foot are called."""
    foot = of(language)
    return {"preferences": foot.preferences, "unsubscribe": foot.unsubscribe}
