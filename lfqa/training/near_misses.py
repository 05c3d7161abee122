"""Made near misses: sentences changed so that they say what their passage does not, as writers with little memory do."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Sequence

from lfqa.wording import stem, words

_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’-][^\W\d_]+)*")
_ENDINGS = ("ing", "ed", "ly", "ous", "al", "ive", "ic", "tion", "ness", "ity", "ment", "er", "s")
_AUXILIARY = re.compile(r"\b(?:is|are|was|were|can|has|have|may|must|will|could|should)\b(?! (?:not|never)\b)(?!not)")
_DENIAL = re.compile(r"\b(?:does|do|did) not\b|\bnever\b|(?<=\bcan)not\b|\bnot\b")
_FILLERS = ("first", "most of", "many", "other", "such", "these", "a", "it", "both", "way")
_OPPOSITES = """
more less, increase decrease, increases decreases, rise fall, rises falls, rose fell, high low, higher lower, large small, larger smaller,
hot cold, warm cool, fast slow, faster slower, strong weak, stronger weaker, before after, above below, long short, longer shorter,
always never, first last, most few, many few, left right, north south, east west, northern southern, light dark, positive negative,
male female, old new, older younger, early late, earlier later, deep shallow, thick thin, wet dry, rich poor, safe dangerous, easy hard,
common rare, inside outside, begin end, begins ends, open closed, gain lose, gains loses, day night, summer winter, internal external,
raise lower, raises lowers, attract repel, expand contract, upper lower, natural artificial, public private, imports exports,
cheap dear, up down, start stop, win lose, better worse, best worst, sweet bitter, soft hard, near far, full empty, together apart
"""
_OPPOSITE = {
    one: other for pair in _OPPOSITES.replace("\n", " ").strip().split(",") for a, b in [pair.split()] for one, other in ((a, b), (b, a))
}

Token = tuple[int, int, str]
Pool = dict[str, list[str]]
Maker = Callable[[str, Pool, random.Random], str | None]


def _tokens(text: str) -> list[Token]:
    return [(match.start(), match.end(), match.group()) for match in _TOKEN.finditer(text)]


def _tells(token: str) -> bool:
    return any(word.weight for word in words(f"the {token}"))


def _telling(text: str) -> list[Token]:
    """Return the content words of `text`, without its first word, whose capital may be only the sentence's."""
    return [token for place, token in enumerate(_tokens(text)) if (place or token[2][0].isdigit()) and _tells(token[2])]


def _form(token: str) -> str:
    """Return what kind of word `token` looks like, so that another of its kind can take its place."""
    if token[0].isdigit():
        return "number"
    if token[0].isupper():
        return "name"
    return next((ending for ending in _ENDINGS if token.endswith(ending) and len(token) > len(ending) + 2), "word")


def _put(text: str, token: Token, new: str) -> str:
    return text[: token[0]] + new + text[token[1] :]


def word_pool(sentences: Sequence[str]) -> Pool:
    """Return the content words of `sentences` by what they look like."""
    pool: dict[str, set[str]] = defaultdict(set)
    for sentence in sentences:
        for _, _, token in _telling(sentence):
            pool[_form(token)].add(token)
    return {form: sorted(tokens) for form, tokens in pool.items()}


def _other(sentence: str, token: Token, pool: Pool, rng: random.Random) -> str | None:
    own = {stem(word.lower()) for _, _, word in _tokens(sentence)}
    new = [word for word in pool.get(_form(token[2]), ()) if stem(word.lower()) not in own]
    return _put(sentence, token, rng.choice(new)) if new else None


def wrong_number(sentence: str, pool: Pool, rng: random.Random) -> str | None:
    """Return `sentence` with another number, of the passage or of any digits."""
    numbers = [token for token in _telling(sentence) if token[2][0].isdigit()]
    if not numbers:
        return None
    token = rng.choice(numbers)
    if rng.random() < 0.6 and (found := _other(sentence, token, pool, rng)):
        return found
    new = re.sub(r"\d", lambda _: str(rng.randrange(10)), token[2])
    return _put(sentence, token, new) if new != token[2] else None


def wrong_word(sentence: str, pool: Pool, rng: random.Random) -> str | None:
    """Return `sentence` with one content word replaced by another one that looks alike."""
    tokens = [token for token in _telling(sentence) if not token[2][0].isdigit()]
    return _other(sentence, rng.choice(tokens), pool, rng) if tokens else None


def wrong_name(sentence: str, pool: Pool, rng: random.Random) -> str | None:
    """Return `sentence` with another name."""
    names = [token for token in _telling(sentence) if token[2][0].isupper()]
    return _other(sentence, rng.choice(names), pool, rng) if names else None


def opposite(sentence: str, pool: Pool, rng: random.Random) -> str | None:
    """Return `sentence` with a word turned into its opposite."""
    tokens = [token for token in _tokens(sentence) if token[2].lower() in _OPPOSITE]
    if not tokens:
        return None
    token = rng.choice(tokens)
    new = _OPPOSITE[token[2].lower()]
    return _put(sentence, token, new.capitalize() if token[2][0].isupper() else new)


def denied(sentence: str, pool: Pool, rng: random.Random) -> str | None:
    """Return `sentence` with its "not" left out, or one put in."""
    if _DENIAL.search(sentence):
        return re.sub(" +", " ", _DENIAL.sub("", sentence, count=1))
    found = _AUXILIARY.search(sentence)
    return f"{sentence[: found.end()]} not{sentence[found.end() :]}" if found else None


def swapped(sentence: str, pool: Pool, rng: random.Random) -> str | None:
    """Return `sentence` with two words of one kind in each other's place."""
    kinds: dict[str, list[Token]] = defaultdict(list)
    for token in _telling(sentence):
        kinds[_form(token[2])].append(token)
    kinds = {form: tokens for form, tokens in kinds.items() if len({stem(token[2].lower()) for token in tokens}) > 1}
    if not kinds:
        return None
    first, second = sorted(rng.sample(kinds[rng.choice(sorted(kinds))], 2))
    if stem(first[2].lower()) == stem(second[2].lower()) or second[0] - first[1] <= 6:
        return None
    return _put(_put(sentence, second, first[2]), first, second[2])


def stuttered(sentence: str, pool: Pool, rng: random.Random) -> str | None:
    """Return `sentence` with one to four of its words said twice."""
    said = sentence.split()
    if len(said) < 10:
        return None
    start = rng.randint(2, len(said) - 5)
    end = start + rng.randint(1, 4)
    return " ".join(said[:end] + said[start:end] + said[end:])


def cut(sentence: str, pool: Pool, rng: random.Random) -> str | None:
    """Return `sentence` without five to ten words of its middle."""
    said = sentence.split()
    if len(said) < 16:
        return None
    start = rng.randint(3, len(said) - 11)
    length = rng.randint(5, max(5, min(10, len(said) - start - 4)))
    return " ".join(said[:start] + said[start + length :])


def emptied(sentence: str, pool: Pool, rng: random.Random) -> str | None:
    """Return `sentence` with a content word replaced by one that tells nothing."""
    tokens = [token for token in _telling(sentence) if token[2].islower()]
    return _put(sentence, rng.choice(tokens), rng.choice(_FILLERS)) if len(tokens) > 4 else None


def garbled(sentence: str, pool: Pool, rng: random.Random) -> str | None:
    """Return `sentence` with two to four content words replaced by any of the pool."""
    tokens = _telling(sentence)
    anything = [word for found in pool.values() for word in found]
    if len(tokens) < 6 or not anything:
        return None
    for token in sorted(rng.sample(tokens, min(rng.randint(2, 4), len(tokens) // 2)), reverse=True):
        sentence = _put(sentence, token, rng.choice(anything))
    return sentence


def spliced(sentence: str, other: str, rng: random.Random) -> str | None:
    """Return the beginning of one sentence with the end of another."""
    said, more = sentence.split(), other.split()
    if min(len(said), len(more)) < 8:
        return None
    return " ".join(said[: rng.randint(3, len(said) - 3)] + more[rng.randint(3, len(more) - 3) :])


WRONG_FACTS: tuple[Maker, ...] = (wrong_number, wrong_word, wrong_name, opposite, denied, swapped)
"""Slips that leave a sentence whole."""
BROKEN: tuple[Maker, ...] = (stuttered, cut, emptied)
"""Slips of a writer that copies."""
