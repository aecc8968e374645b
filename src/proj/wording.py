"""Words for sentences: numbers with their nouns, shares as percentages, and lists."""


def first_of(words: list[str], most: int) -> str:
    """The first `most` words of a list, separated by commas, and an ellipsis if there are more."""
    return ", ".join(words[:most]) + (", …" if len(words) > most else "")


def how_many(count: int, what: str) -> str:
    """A count with its noun, in the plural where needed: 1 example, 1,300 examples, 2 batches, 2 entries."""
    if count != 1:
        what = f"{what[:-1]}ies" if what.endswith("y") else f"{what}{'es' if what.endswith(('s', 'tch')) else 's'}"
    return f"{count:,} {what}"


def agree(count: int, one: str, many: str) -> str:
    """The word that agrees with a number: agree(count, "is", "are")."""
    return one if count == 1 else many


def share(value: float, form: str = ".2%") -> str:
    """A share of at most 1 as text in this format, such as 98.53%. What is less than 1 is never rounded up to it."""
    step = 10.0 ** -(int(form[1]) + 2 * form.endswith("%"))
    return format(min(value, 1 - step) if value < 1 else value, form)


def percent(value: float) -> str:
    """A share of at most 1 in whole percent, such as 33%; below 1 % with one digit that is not 0, such as 0.4%."""
    return share(value, ".0%") if value >= 0.01 or not value else f"{100 * value:.1g}%"
