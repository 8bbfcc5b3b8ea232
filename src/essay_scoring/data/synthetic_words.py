"""The words of the synthetic corpus: two dozen themes, and general words from plain to rare."""

from __future__ import annotations

Tiers = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""Words in three tiers: common, less common, rare."""


def _tiers(common: str, middle: str, rare: str) -> Tiers:
    return (_list(common), _list(middle), _list(rare))


def _list(words: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in words.split(","))


THEMES: dict[str, tuple[str, ...]] = {
    name: tuple(nouns.split())
    for name, nouns in {
        "sea": "boat harbor sailor wave island anchor lighthouse net captain shell tide ferry",
        "kitchen": "oven recipe spoon kettle chef pepper onion bakery plate soup pastry ingredient",
        "garden": "seed flower shovel greenhouse root tulip gardener hedge insect orchard fence"
        " weed",
        "space": "rocket planet astronaut telescope comet orbit satellite galaxy moon crater star"
        " meteor",
        "music": "guitar melody drummer concert violin chorus singer piano rhythm lyric drum"
        " orchestra",
        "sport": "goal referee stadium tackle trophy coach jersey whistle tournament athlete racket"
        " sprint",
        "hospital": "nurse doctor bandage clinic patient pill surgeon vaccine symptom ambulance"
        " stretcher needle",
        "farm": "tractor barn chicken cow harvest farmer haystack plow rooster stable goat pasture",
        "theater": "actor costume stage curtain script audience rehearsal mask dancer comedy"
        " director spotlight",
        "railway": "train ticket platform carriage passenger station locomotive timetable tunnel"
        " conductor signal suitcase",
        "computer": "keyboard screen program server password robot laptop network database website"
        " printer cable",
        "court": "judge lawyer jury trial witness verdict prison crime courtroom sheriff lawsuit"
        " appeal",
        "bank": "loan coin wallet budget investor account mortgage tax invoice dividend salary"
        " banker",
        "mountain": "glacier summit climber rope avalanche cliff valley cabin trail tent boulder"
        " ridge",
        "forest": "oak squirrel bear owl pine mushroom hunter branch stream beaver hawk fern",
        "desert": "camel dune cactus caravan lizard scorpion mirage nomad canyon vulture sandstorm"
        " well",
        "castle": "knight king sword tower moat dragon throne shield dungeon banner crown archer",
        "museum": "painting sculpture statue gallery curator fossil artifact exhibit portrait mummy"
        " vase collector",
        "office": "manager meeting desk memo contract secretary client deadline spreadsheet"
        " briefcase elevator colleague",
        "weather": "storm cloud hurricane raindrop rainbow snowflake forecast tornado blizzard"
        " flood breeze umbrella",
        "fashion": "dress jacket tailor fabric button necklace sandal designer boot zipper ribbon"
        " sweater",
        "news": "journalist editor headline newspaper interview reporter column magazine camera"
        " broadcast article photograph",
        "airport": "pilot airplane runway propeller passport hangar helicopter parachute wing"
        " cockpit terminal flight",
        "laboratory": "microscope experiment chemist molecule beaker scientist formula battery"
        " magnet electron laser crystal",
    }.items()
}
"""Twelve countable nouns for each theme; no noun belongs to two themes."""

NOUNS = _tiers(
    "idea, way, place, friend, problem, job, school, teacher, student, game, book, rule, plan",
    "reason, skill, effort, decision, challenge, example, opinion, solution, habit, benefit,"
    " purpose, choice, result",
    "perspective, dilemma, obligation, consequence, endeavor, incentive, obstacle, conviction,"
    " aspiration, tradition, compromise, insight, constraint",
)
VERBS = _tiers(
    "like, want, need, use, see, help, know, get, love, find, take",
    "choose, support, improve, consider, explain, protect, discover, enjoy, prefer, respect,"
    " remember",
    "cultivate, undermine, illuminate, reinforce, embody, exemplify, scrutinize, transform,"
    " nurture, articulate, diminish",
)
ADJECTIVES = _tiers(
    "good, bad, big, nice, new, easy, hard, small, old, great, different",
    "useful, difficult, important, honest, strange, common, careful, serious, helpful, powerful,"
    " popular",
    "indispensable, meticulous, ambiguous, resilient, profound, inevitable, tedious, pragmatic,"
    " formidable, subtle, versatile",
)
ADVERBS = _tiers(
    "always, really, usually, often, never",
    "clearly, carefully, quickly, certainly, rarely",
    "inevitably, meticulously, seldom, profoundly, invariably",
)
SUBORDINATORS = _tiers(
    "because, when, if", "although, while, unless", "whereas, even though, provided that"
)
CONNECTIVES = _tiers(
    "so, but, also, then",
    "however, therefore, finally, in addition, for example",
    "nevertheless, consequently, furthermore, moreover",
)
COORDINATORS = ("and", "but", "so", "or")
OPINIONS = ("I think that", "I believe that", "we know that", "some people say that")
MODALS = ("can", "should", "must", "will", "could")

SINGULAR_SUBJECTS = (
    "my friend",
    "my teacher",
    "every student",
    "a person",
    "everyone",
    "she",
    "he",
)
PLURAL_SUBJECTS = (
    "I",
    "we",
    "they",
    "people",
    "many students",
    "most teachers",
    "my parents",
    "you",
)


def plural(noun: str) -> str:
    """Return the regular plural of a noun."""
    return _with_s(noun)


def third_person(verb: str) -> str:
    """Return the regular third person singular of a verb."""
    return _with_s(verb)


def _with_s(word: str) -> str:
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "z", "ch", "sh")) else "s")


def article(word: str) -> str:
    """Return "a" or "an" as the word that follows asks."""
    return "an" if word[0] in "aeiou" and not word.startswith("use") else "a"
