"""The English of Stories: names, things and every sentence form. Leaves out the meaning."""

NAMES = (
    "Ann", "Bob", "Cal", "Dan", "Eve", "Fay", "Gus", "Hal", "Ida", "Jan",
    "Kim", "Leo", "Mia", "Ned", "Ola", "Pia", "Ray", "Sue", "Tom", "Zoe",
)  # fmt: skip
THINGS = (
    "apples", "pears", "plums", "figs", "nuts", "shells", "stones", "beads",
    "coins", "cards", "stamps", "books", "pens", "cups", "keys", "marbles",
)  # fmt: skip

# {x} has or gets something, {a} and {b} are others, {c} is a number, {t} the thing, {u} another.
FORMS = {
    "given": (
        "{x} has {c} {t}.",
        "{x} owns {c} {t}.",
        "There are {c} {t} in the bag of {x}.",
        "{x} starts with {c} {t}.",
        "{x} keeps {c} {t} at home.",
    ),
    "more": (
        "{x} has {c} more {t} than {a}.",
        "{x} has {c} {t} more than {a}.",
        "{x} owns {c} more {t} than {a} does.",
        "Compared with {a}, {x} has {c} extra {t}.",
        "{a} is {c} {t} short of what {x} has.",
    ),
    "fewer": (
        "{x} has {c} fewer {t} than {a}.",
        "{x} has {c} {t} fewer than {a}.",
        "{x} owns {c} fewer {t} than {a} does.",
        "Compared with {a}, {x} lacks {c} {t}.",
    ),
    "twice": (
        "{x} has twice as many {t} as {a}.",
        "{x} owns double the {t} of {a}.",
        "For every one of the {t} {a} has, {x} has two.",
    ),
    "triple": (
        "{x} has three times as many {t} as {a}.",
        "{x} owns triple the {t} of {a}.",
    ),
    "half": (
        "{x} has half as many {t} as {a}.",
        "{x} owns half the number of {t} that {a} has.",
    ),
    "same": (
        "{x} has as many {t} as {a}.",
        "{x} and {a} have the same number of {t}.",
    ),
    "sum": (
        "{x} has as many {t} as {a} and {b} together.",
        "{x} owns the {t} of {a} and {b} combined.",
    ),
    "gain": (
        "{x} finds {c} {t}.",
        "{x} buys {c} more {t}.",
        "{x} wins {c} {t}.",
        "{x} picks up {c} {t}.",
        "A friend hands {x} {c} {t}.",
        "{x} gets {c} {t} as a present.",
    ),
    "lose": (
        "{x} loses {c} {t}.",
        "{x} sells {c} {t}.",
        "{x} throws away {c} {t}.",
        "{x} drops {c} {t} in the river.",
        "A thief takes {c} {t} from {x}.",
    ),
    "give": (
        "{a} gives {c} {t} to {x}.",
        "{a} sends {x} {c} {t}.",
        "{x} takes {c} {t} from {a}.",
        "{c} {t} go from {a} to {x}.",
    ),
    "double": (
        "{x} doubles the number of {t}.",
        "The {t} of {x} double.",
    ),
    "halve": (
        "{x} gives away half of the {t}.",
        "{x} loses half of the {t}.",
    ),
    "swap": (
        "{x} and {a} swap all their {t}.",
        "{x} trades all {t} with {a}.",
        "{a} and {x} exchange their {t}.",
    ),
    "match": (
        "{x} gets as many new {t} as {a} has.",
        "{x} finds as many {t} as {a} has.",
    ),
    "other": (
        "{x} also has {c} {u}.",
        "{x} keeps {c} {u} too.",
        "There are also {c} {u} in the bag of {x}.",
    ),
    "question": (
        "How many {t} does {x} have now?",
        "How many {t} does {x} have in the end?",
        "What number of {t} does {x} have now?",
        "In the end, how many {t} are with {x}?",
    ),
}  # fmt: skip
OPENERS = ("", "Then ", "Next ", "Later ", "After that ")
EVENTS = ("gain", "lose", "give", "double", "halve", "swap", "match")


def words() -> list[str]:
    """Every plain word the forms can print, sorted: the Stories part of the vocabulary."""
    text = " ".join(form for forms in FORMS.values() for form in forms)
    for field in "xabctu":
        text = text.replace("{" + field + "}", " ")
    for mark in ".,?":
        text = text.replace(mark, " ")
    return sorted({*text.split(), *NAMES, *THINGS, *"".join(OPENERS).split()})
