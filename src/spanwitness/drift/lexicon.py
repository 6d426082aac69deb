"""The words that are counted. Function words and set phrases only: they tell who writes, not what about."""

from __future__ import annotations

from typing import Final

FUNCTION_WORDS: Final = tuple(
    """
    the of and to in a is that for it as with on be this are by at an from or your you i we my our will can could would
    should may might must have has had do does did been was were not no if when then so because while which who what how
    there here any all both each some such other more most also only just please these those its their them they but
    than into about up out once still however additionally let now
    """.split()  # noqa: SIM905 - a hundred quotes would hide the words
)

# name -> (what it means to a reader, the phrases, lower case, apostrophes straight)
PHRASES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "hedges": (
        "hedging words (perhaps, likely, it seems)",
        (
            "perhaps",
            "maybe",
            "likely",
            "possibly",
            "it seems",
            "seems to",
            "appears to",
            "generally",
            "typically",
            "i think",
        ),
    ),
    "contractions": ("contractions (I'm, don't, you'd)", ("'m ", "'re ", "n't", "'ll ", "'ve ", "'d ", "'s ")),
    "thanks": ("thanks", ("thank you", "thanks", "appreciate")),
    "sorry": ("apologies", ("sorry", "apologi", "unfortunately", "regret")),
    "eager": (
        "eager openers (sure, certainly, great)",
        ("certainly", "sure", "of course", "absolutely", "great", "got it", "perfect"),
    ),
    "offers": (
        "offers of help",
        ("let me know", "would you like", "feel free", "happy to help", "glad to", "i can help", "if you'd like"),
    ),
    "anything_else": ("'anything else' closings", ("anything else", "further assistance", "else i can", "any other")),
    "confirms": (
        "requests to confirm",
        ("confirm", "proceed", "is that correct", "is this correct", "(yes", "yes/no", "reply"),
    ),
    "announces": ("announcements of what comes next", ("i will", "i'll", "let me", "i'm going to", "next,", "first,")),
    "lists_steps": ("step words (first, next, finally)", ("first", "second", "next", "finally", "then")),
    "sums_up": (
        "summing up (overall, in summary)",
        ("overall", "in summary", "in conclusion", "ultimately", "to summarize"),
    ),
    "stresses": (
        "stress words (important, crucial, key)",
        ("important", "crucial", "essential", "key ", "ensure", "note that"),
    ),
    "examples": (
        "examples (for example, such as, e.g.)",
        ("for example", "for instance", "such as", "e.g.", "i.e.", "like:"),
    ),
    "refuses": (
        "refusals (I cannot, unable to)",
        ("i cannot", "i can't", "unable to", "not able to", "i don't have", "as an ai"),
    ),
}

OPENINGS: Final = (
    "i",
    "i'm",
    "to",
    "thank",
    "thanks",
    "sure",
    "certainly",
    "your",
    "the",
    "here",
    "got",
    "great",
    "it",
    "yes",
)
# characters counted by themselves: name -> (what they are called, which they are)
MARKS: Final[dict[str, tuple[str, str]]] = {
    "commas": ("commas", ","),
    "full_stops": ("full stops", "."),
    "colons": ("colons", ":"),
    "semicolons": ("semicolons", ";"),
    "exclamations": ("exclamation marks", "!"),
    "questions": ("question marks", "?"),
    "brackets": ("round brackets", "("),
    "square_brackets": ("square brackets", "["),
    "double_quotes": ("straight double quotes", '"'),
    "apostrophes": ("straight apostrophes", "'"),
    "curly_quotes": ("curly quotes", "\u2018\u2019\u201c\u201d"),
    "em_dashes": ("em dashes", "\u2014"),
    "en_dashes": ("en dashes", "\u2013"),
    "odd_hyphens": ("unbreaking or typographic hyphens and spaces", "\u2011\u00a0\u202f\u2009"),
    "hyphens": ("hyphens", "-"),
    "slashes": ("slashes", "/"),
    "stars": ("asterisks", "*"),
    "hashes": ("hash signs", "#"),
    "backticks": ("backticks", "`"),
    "pipes": ("pipes (tables)", "|"),
    "ellipses": ("ellipsis characters", "…"),
    "bullets": ("bullet characters", "•·"),
    "arrows": ("arrows", "→⇒"),
    "dollars": ("dollar signs", "$"),
    "percents": ("percent signs", "%"),
    "underscores": ("underscores", "_"),
}
