"""What the inbox on a customer's site says of itself, in the languages that there are."""

WORDS = {
    "en": {
        "messages": "Messages",
        "unread": "unread",
        "close": "Close",
        "remove": "Remove",
        "read_all": "Mark all as read",
        "none": "No messages.",
        "new": "New",
    },
    "de": {
        "messages": "Nachrichten",
        "unread": "ungelesen",
        "close": "Schließen",
        "remove": "Entfernen",
        "read_all": "Alle als gelesen markieren",
        "none": "Keine Nachrichten.",
        "new": "Neu",
    },
    "es": {
        "messages": "Mensajes",
        "unread": "sin leer",
        "close": "Cerrar",
        "remove": "Quitar",
        "read_all": "Marcar todo como leído",
        "none": "No hay mensajes.",
        "new": "Nuevo",
    },
    "fr": {
        "messages": "Messages",
        "unread": "non lus",
        "close": "Fermer",
        "remove": "Retirer",
        "read_all": "Tout marquer comme lu",
        "none": "Aucun message.",
        "new": "Nouveau",
    },
}


def of(language: str | None) -> tuple[str, dict[str, str]]:
    """The language that is spoken, and its words; English where there are none in it."""
    code = (language or "").split("-")[0].lower()
    return (code, WORDS[code]) if code in WORDS else ("en", WORDS["en"])
