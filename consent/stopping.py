"""Whether a text message says stop: the words that the law names and their like in other languages, however written."""

import unicodedata

# TCPA (47 CFR 64.1200(a)(10)) names the English ones; a sender must take any other clear way as well.
_WORDS = {
    "en": "stop stopall quit end revoke optout cancel unsubscribe remove",
    "de": "stopp abmelden abbestellen austragen beenden ende kundigen kuendigen widerruf widerrufen",
    "fr": "arret arreter arretez desabonner desabonnement desinscrire desinscription resilier fin",
    "es": "parar pare alto baja cancelar detener salir dardebaja darmedebaja",
}
_WITH_THEM = "all alle alles alert alerts sms texts messages now jetzt please bitte svp me mich tout todo"
WORDS = frozenset(word for words in _WORDS.values() for word in words.split())
_ALLOWED = WORDS | set(_WITH_THEM.split())
_MEANT = {("opt", "out"), ("stop", "it")}
_POLITE = {("por", "favor")}
_LONGEST = 40


def says_stop(text: str) -> bool:
    """Whether this is a word for stopping, and nothing that could mean something else."""
    if len(text) > 4 * _LONGEST:
        return False
    words = _words(text)
    whole = "".join(words)
    if len(whole) > _LONGEST:
        return False
    if whole in WORDS:
        return True
    left = _without_pairs(words)
    return any(word in WORDS for word in left) and all(word in _ALLOWED for word in left)


def _words(text: str) -> list[str]:
    """Letters alone, small and without accents; all else parts them."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    return "".join(one if one.isalpha() else " " for one in plain.casefold()).split()


def _without_pairs(words: list[str]) -> list[str]:
    """`opt out` is one word written as two; and to say it politely changes nothing."""
    left, place = [], 0
    while place < len(words):
        pair = tuple(words[place : place + 2])
        if pair in _MEANT or pair in _POLITE:
            left += ["stop"] if pair in _MEANT else []
            place += 2
        else:
            left.append(words[place])
            place += 1
    return left
