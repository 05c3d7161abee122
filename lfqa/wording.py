"""The words of a sentence as what it says: stems, numbers and names with weights, and which of them are denied."""

from __future__ import annotations

import functools
import math
import re
import threading
from dataclasses import dataclass
from pathlib import Path

import Stemmer

_WORD = r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?"
_TOKEN = re.compile(_WORD)
_TOKEN_OR_MARK = re.compile(_WORD + r"|[%;:,.!?()—–]")
_MARKS = frozenset(";:,.!?()—–")
_STOP_WORDS = frozenset(
    """
    a about above after again against all almost also although always am among an and another any anything are around as at
    be because been before being below between both but by called can can't cannot could did do does doing don't done down
    during each either else especially etc even ever every few first for from further get gets had has have having he her
    here hers him his how however i if in including indeed instead into is it it's its itself just kind known like likely
    made mainly make makes many may means might more most mostly much must my near neither next nor now of off often on once
    one only onto or other others our out over own per perhaps place quite rather really s same second several she should
    since so some something sometimes still such than that that's the their them themselves then there therefore these they
    thing things this those though three through thus to together too two under until up upon us use used uses using usually
    very via was way ways we well were what when where whether which while who whom whose why will with within without would
    yet you your
    """.split()
)
_HEDGES = frozenset(
    """
    actually already afterward afterwards anybody anyone anyway approximately basically chief chiefly commonly currently different
    directly easily everybody everyone fairly frequently fully generally greatly largely main moreover normally otherwise particular
    particularly primarily principally roughly several simply slightly somebody someone sort specifically today type typically various
    virtually yes
    """.split()
)
_SAME = """
begin start commence, end finish, big large, tiny small little, huge enormous vast, help aid assist, show demonstrate, need require, allow
permit let enable, keep retain, get obtain receive, buy purchase, quick fast rapid swift, happen occur, build construct, produce create
generate, enough sufficient, stop halt cease, change alter, choose select pick, people human person persons, child kid children kids,
illness disease sickness, ill sick, doctor physician, germ microbe, car automobile, sea ocean, fridge refrigerator, photo photograph, flu
influenza, movie film, reduce decrease lessen, increase raise boost, protect guard shield, consist comprise, find found, eat consume ate
eaten, give provide supply offer, result outcome, amount quantity, moist damp, strong powerful, say report tell said told, think believe
thought, seem appear look, whole entire, harm damage hurt injure, scientist researcher, inner inside, outer outside, join link connect
attach, split divide separate, bend curve, pull draw tug, throw hurl, sunlight sunshine, usual normal, rubbish garbage trash, grow grew
grown, hold held, rise rose risen, take took taken, make made, feed fed, lead led, lose lost, build built, send sent, keep kept, speak
spoke spoken talk, write wrote written, drive drove driven, break broke broken, freeze froze frozen, fly flew flown, know knew known, see
saw seen, go went gone, come came, bring brought, catch caught, teach taught, fight fought, run ran, sink sank sunk, spin spun, wear wore
worn, choose chose chosen, get got gotten, meet met, sell sold, spend spent, win won, become became, fall fell fallen, draw drew drawn,
blow blew blown, swim swam swum, sing sang sung, ring rang rung, steal stole stolen, tear tore torn, foot feet, tooth teeth, mouse mice,
goose geese, man men, woman women, wolf wolves, half halves, life lives, knife knives, colour color, favour favor, flavour flavor, labour
labor, neighbour neighbor, harbour harbor, vapour vapor, tumour tumor, odour odor, behaviour behavior, humour humor, centre center, litre
liter, metre meter, kilometre kilometer, fibre fiber, theatre theater, grey gray, mould mold, plough plow, sulphur sulfur, aluminium
aluminum, aeroplane airplane aircraft, programme program, haemoglobin hemoglobin, defence defense, licence license, analyse analyze,
catalyse catalyze, tyre tire, cheque check
"""
_OPPOSITES = """
more less, most least, more fewer, most few, many few, increase decrease, increase reduce, rise fall, high low, higher lower, highest
lowest, large small, larger smaller, largest smallest, big small, bigger smaller, hot cold, hotter colder, warm cool, warmer cooler, fast
slow, faster slower, strong weak, stronger weaker, strongest weakest, before after, above below, over under, long short, longer shorter,
longest shortest, always never, always rarely, often rarely, often seldom, first last, left right, north south, east west, northern
southern, eastern western, light dark, light heavy, lighter heavier, positive negative, male female, men women, boys girls, old new, old
young, older younger, oldest youngest, early late, earlier later, deep shallow, thick thin, thicker thinner, wet dry, rich poor, richer
poorer, safe dangerous, easy hard, easy difficult, easier harder, common rare, inside outside, begin end, begin stop, keep stop, open
close, gain lose, day night, summer winter, internal external, raise lower, attract repel, expand contract, expand shrink, grow shrink,
upper lower, natural artificial, public private, import export, cheap dear, cheap expensive, up down, win lose, better worse, best worst,
sweet bitter, soft hard, near far, full empty, together apart, possible impossible, legal illegal, lawful unlawful, visible invisible,
allow forbid, encourage prevent, encourage discourage, cause prevent, remember forget, same opposite, even odd, alive dead, true false,
add remove, absorb emit, absorb reflect, acid alkaline, solid liquid, buy sell, maximum minimum, minority majority, ancestor descendant,
asleep awake, demand supply, debtor creditor, exhale inhale, forward backward
"""
_NEGATIONS = frozenset("not never no cannot hardly nobody nothing neither nor none scarcely without".split())
_NOT_ONLY = frozenset("just necessarily only".split())
_CLAUSE_STARTS = frozenset(
    "although and as because but if or since so though unless until when whereas which while who that than yet".split()
)
_SCOPE = 3  # content words that a negation reaches
_NUMBER_WORDS = {
    word: str(number)
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
        "eighteen nineteen twenty".split()
    )
}
_SENTENCE_ENDS = frozenset(".?!:")
_local = threading.local()  # a stemmer keeps state while it works, so each thread has its own


@functools.lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """Return the stem of a lower-case English word (Snowball)."""
    stemmer = getattr(_local, "stemmer", None)
    if stemmer is None:
        stemmer = _local.stemmer = Stemmer.Stemmer("english")
    return str(stemmer.stemWord(word))


@functools.cache
def _same() -> dict[str, str]:
    found: dict[str, str] = {}
    for group in _SAME.replace("\n", " ").split(","):
        keys = [stem(word) for word in group.split()]
        first = found.get(keys[0], keys[0])
        for key in keys:
            found.setdefault(key, first)
    return found


@functools.cache
def opposites() -> dict[str, frozenset[str]]:
    """Return which keys say the opposite of a key."""
    found: dict[str, set[str]] = {}
    for pair in _OPPOSITES.replace("\n", " ").split(","):
        one, other = (word if word in _STOP_WORDS else _key(word) for word in pair.split())
        found.setdefault(one, set()).add(other)
        found.setdefault(other, set()).add(one)
    return {key: frozenset(keys) for key, keys in found.items()}


@functools.cache
def _ranks() -> dict[str, int]:
    file = Path(__file__).with_name("common_stems.txt")
    return {key: rank for rank, key in enumerate(file.read_text(encoding="utf-8").split(), start=1)}


def is_common(key: str) -> bool:
    """Say whether a stem is that of a word which English texts of many kinds use."""
    return key in _ranks()


@functools.lru_cache(maxsize=1 << 16)
def weight(key: str) -> float:
    """Return how much a stem tells: 0.1 for the most frequent one up to 1 for those that are rare or unknown."""
    ranks = _ranks()
    return 0.1 + 0.9 * (math.log(ranks.get(key, len(ranks))) / math.log(len(ranks))) ** 2


def _plain(token: str) -> str:
    return re.sub(r"['’]s$", "", token.lower()).replace("’", "'")


@functools.lru_cache(maxsize=1 << 16)
def _key(lower: str) -> str:
    key = stem(re.sub(r"(?<=[a-z]{3})is(?=(?:e|es|ed|ing|ation|ations)$)", "iz", lower))  # British spelling
    return _same().get(key, key)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text.

    Attributes
    ----------
    key
        What words that say the same share: the stem, the digits of a number, "not" for every negation.
    weight
        0 for a function word, 1 for a number in digits or a name, `weight` for others.
    particular
        Whether it is a number in digits or a name.
    denied
        2 for the first content word that a negation governs, 1 for the next ones in its scope, else 0.
    """

    key: str
    weight: float
    particular: bool = False
    denied: int = 0


def words(text: str) -> tuple[Word, ...]:
    """Return the words of `text` in order."""
    found: list[Word] = []
    scope, first, previous = 0, False, ""

    def add(key: str, amount: float, particular: bool) -> None:
        nonlocal scope, first
        found.append(Word(key, amount, particular, 0 if scope <= 0 else 2 if first else 1))
        scope, first = scope - 1, False

    for match in _TOKEN_OR_MARK.finditer(text):
        token = match.group()
        lower = _plain(token)
        if token in _MARKS:
            scope = 0
        elif token[0].isdigit():
            add(token.replace(",", "").rstrip("."), 1.0, True)
        elif lower in ("%", "percent") or (lower == "cent" and previous == "per"):
            add("percent", 0.5, False)
        elif lower in _NEGATIONS or lower.endswith("n't"):
            scope, first = _SCOPE, True
            found.append(Word("not", 0.0))
        elif lower in _NUMBER_WORDS and lower != "one":
            add(_NUMBER_WORDS[lower], 0.6, False)
        elif lower in _STOP_WORDS or lower in _HEDGES or lower == "t":
            if lower in _CLAUSE_STARTS or (first and lower in _NOT_ONLY):
                scope = 0
            found.append(Word(lower, 0.0))
        else:
            key = _key(lower)
            name = token[0].isupper() and bool(previous) and previous not in _SENTENCE_ENDS
            add(key, 1.0 if name else weight(key), name)
        previous = lower
    return tuple(found)


@dataclass(frozen=True)
class Content:
    """Which content words a text holds, as weighted stems, those of its names and numbers apart."""

    weights: dict[str, float]
    particulars: frozenset[str]


def content(text: str) -> Content:
    """Return the content words of `text`: stems with weight 1, or 2 for numbers and for capitalised words inside a sentence."""
    weights: dict[str, float] = {}
    particulars = set()
    for match in _TOKEN.finditer(text):
        word = match.group()
        if word[0].isdigit():
            key = word.replace(",", "").rstrip(".")
            particulars.add(key)
            weights[key] = 2.0
            continue
        lower = _plain(word)
        if lower in _STOP_WORDS or len(lower) < 2:
            if lower in _NUMBER_WORDS:
                weights.setdefault(_NUMBER_WORDS[lower], 0.0)
            continue
        name = word[0].isupper() and match.start() > 0 and text[match.start() - 2 : match.start()] not in (". ", "? ", "! ", ": ")
        key = _NUMBER_WORDS.get(lower) or stem(lower)
        weights[key] = max(weights.get(key, 0.0), 2.0 if name else 1.0)
        if name:
            particulars.add(key)
    return Content(weights, frozenset(particulars))


def coverage(claim: Content, evidence: Content) -> float:
    """Return the weighted share of the claim's content words that the evidence holds, 0 to 1; 0 for an empty claim."""
    total = sum(claim.weights.values())
    if not total:
        return 0.0
    return sum(weight for key, weight in claim.weights.items() if key in evidence.weights) / total
