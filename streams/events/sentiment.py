"""The sentiment of an English comment: VADER's compound score of the normalised, capped text.

VADER (Hutto & Gilbert 2014) is used as it comes; what is ours is the text it gets. Left as they
are, a curly apostrophe (isn’t) or an entity (isn&#39;t) hide a negation. And since its time grows
with the square of the number of words, the text is cut so that no comment holds up a partition.
Nothing here logs, raises with, or keeps a customer's words.
"""

from __future__ import annotations

import html
from functools import cache
from typing import Final, Literal

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

Polarity = Literal["positive", "neutral", "negative"]

# Of 18,206 comments to the NHS, 1 in 420 is longer. The worst found at these limits takes 7 ms on
# a busy machine, a third of what is allowed: every second word is scored after a booster or a
# negation, and the others are long and not ASCII. At 400 words it is 20 to 30 ms.
MAX_WORDS: Final = 150
MAX_CHARACTERS: Final = 1_500

# Before entities are resolved; &quot; takes six for one. It also stays under the 4,300 digits
# from which int(), and so html.unescape on a numeric entity, raises.
_MAX_RAW_CHARACTERS: Final = 2 * MAX_CHARACTERS

_APOSTROPHES: Final = str.maketrans("‘’", "''")


def normalise(text: str) -> str:
    """The text that is scored: HTML entities and curly apostrophes resolved, length capped."""
    plain = html.unescape(_head(text, _MAX_RAW_CHARACTERS)).translate(_APOSTROPHES)
    return _first_words(_head(plain, MAX_CHARACTERS))


def compound(text: str) -> float:
    """The compound score, -1 to 1 in steps of .0001; 0 where no word of the lexicon is found.

    It equals stock VADER's on the normalised text, for every text, lone surrogates included.
    """
    return float(_analyzer().polarity_scores(normalise(text))["compound"])


def classify(compound: float) -> Polarity:
    """Positive from .05, negative to -.05: the limits that VADER's authors give."""
    if compound >= 0.05:
        return "positive"
    return "negative" if compound <= -0.05 else "neutral"


def ten_thousandths(compound: float) -> int:
    """The compound score as a whole number of its steps, so that sums of it are exact."""
    return round(compound * 10_000)


@cache
def _analyzer() -> SentimentIntensityAnalyzer:
    """Loaded with the first comment: its 7,500 words take 20 ms and 5 MB."""
    return SentimentIntensityAnalyzer()


def _head(text: str, length: int) -> str:
    """At most `length` characters; not half a word, which may be another (not|able)."""
    if len(text) <= length:
        return text
    return text[:length].rsplit(None, 1)[0] if not text[:length].isspace() else ""


def _first_words(text: str) -> str:
    """At most `MAX_WORDS` words, as VADER counts: it reads an emoji as the words of its name."""
    if text.isascii() and len(text.split()) <= MAX_WORDS:
        return text
    emoji_words = _emoji_words()
    words, inside_word = 0, False
    for position, character in enumerate(text):
        if character in emoji_words:
            words, inside_word = words + emoji_words[character], False
        elif character.isspace():
            inside_word = False
        elif not inside_word:
            words, inside_word = words + 1, True
        if words > MAX_WORDS:
            return text[:position]
    return text


@cache
def _emoji_words() -> dict[str, int]:
    return {emoji: len(name.split()) for emoji, name in _analyzer().emojis.items()}
