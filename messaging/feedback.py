"""What people say when a message asks them: a score and, if they like, words; told as `$feedback_given`.

Whoever follows the link only sees a page; nothing counts before the button is pressed, since programs follow links too.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from consent import tokens
from foundation.errors import Invalid
from messaging.models import Message, TemplateVersion
from profiles import ingest
from profiles.models import Event

LONGEST = 2_000
"""Characters of a comment that are kept."""

MOST = 20
"""Answers to one message that count: whoever has its link may send as many as they like."""

_GIVEN = "$feedback_given"


@dataclass(frozen=True, slots=True)
class Words:
    """What the page says, in one language."""

    score: str
    comment: str
    optional: str
    send: str
    thanks: str
    again: str
    choose: str
    test: str


WORDS = {
    "en": Words(
        "Your score", "Your words", "You may leave this empty.", "Send", "Thank you. We have your answer.",
        "You may change it and send it again.", "Choose a number first.",
        "This is a test: what is pressed here changes nothing.",
    ),
    "de": Words(
        "Ihre Wertung", "Ihre Worte", "Sie können dies leer lassen.", "Absenden",
        "Danke. Ihre Antwort ist angekommen.", "Sie können sie ändern und noch einmal absenden.",
        "Wählen Sie zuerst eine Zahl.", "Dies ist ein Test: Was hier gedrückt wird, ändert nichts.",
    ),
    "es": Words(
        "Su puntuación", "Sus palabras", "Puede dejarlo vacío.", "Enviar", "Gracias. Hemos recibido su respuesta.",
        "Puede cambiarla y enviarla de nuevo.", "Elija primero un número.",
        "Esto es una prueba: lo que se pulse aquí no cambia nada.",
    ),
    "fr": Words(
        "Votre note", "Vos mots", "Vous pouvez laisser ce champ vide.", "Envoyer",
        "Merci. Nous avons bien reçu votre réponse.", "Vous pouvez la modifier et l’envoyer à nouveau.",
        "Choisissez d’abord un nombre.", "Ceci est un test : ce qui est pressé ici ne change rien.",
    ),
}  # fmt: skip


def words(language: str | None) -> Words:
    return WORDS.get((language or "").split("-")[0], WORDS["en"])


def url(message: UUID) -> str:
    """Where the page of a message's question lies; the question and a score are put behind it."""
    return _address(tokens.make("feedback", message=message))


def inert_url(topic: str, channel: str) -> str:
    """The same for previews and tests: it shows a page, and changes nothing."""
    return _address(tokens.make("inert", topic=topic, channel=channel))


def _address(token: str) -> str:
    return settings.BASE_URL + reverse("messaging:feedback", args=[token])


def name_of(question: str) -> str:
    """What a question is called in links: a message may ask several."""
    return hashlib.sha256(question.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def scale(question: Mapping[str, Any]) -> range:
    return range(11) if question.get("eleven") else range(1, 6)


def question_of(version: TemplateVersion | None, name: str) -> Mapping[str, Any] | None:
    """The block of that question, in whichever language it was asked."""
    if version is None:
        return None
    found = (block for blocks in version.rows for block in _questions(blocks))
    return next((block for block in found if name_of(block["question"]) == name), None)


def _questions(blocks: Any) -> Iterator[Mapping[str, Any]]:
    for block in blocks if isinstance(blocks, list) else ():
        if isinstance(block, list):
            yield from _questions(block)
        elif isinstance(block, Mapping):
            if block.get("kind") == "feedback" and isinstance(block.get("question"), str):
                yield block
            for value in block.values():
                yield from _questions(value)


def give(message: Message, question: Mapping[str, Any], *, score: str, comment: str, now: datetime) -> None:
    """Tells what somebody answered. The same answer counts once; another one is a new event, and both stay.

    `Invalid` without a score of the question's scale.
    """
    if not score.isascii() or not score.isdecimal() or len(score) > 2 or int(score) not in scale(question):
        raise Invalid.at("score", "Choose a number first.")
    if message.profile_id is None:
        return
    answers = Event.objects.filter(
        profile_id=message.profile_id, type__name=_GIVEN, properties__message=str(message.id)
    )
    if answers[:MOST].count() == MOST:
        return
    text = comment.replace("\0", "").strip()[:LONGEST]
    name = name_of(question["question"])
    properties = {
        "score": int(score),
        "best": scale(question)[-1],
        "question": question["question"],
        **({"comment": text} if text else {}),
        **message.told_by,
    }
    answer = hashlib.sha256(f"{score}:{text}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
    key = f"$feedback:{message.id}:{name}:{answer}"
    with transaction.atomic():
        ingest.emit([ingest.Ours(message.profile_id, _GIVEN, properties, now, key)], now=now)
