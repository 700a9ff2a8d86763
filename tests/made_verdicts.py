"""Made-up rows of comparisons.csv and ranking.csv, and a search for the numbers of a sentence."""

import re


def compared(kind="step", outcome="helps", difference=0.02, **more):
    """A row of comparisons.csv."""
    values = {
        "recipe": "r", "task": "rain", "dataset": "rain/test", "metric": "f1", "kind": kind,
        "before": "plain", "after": "expert", "posts": 1600, "seeds": 3, "before_mean": 0.7,
        "after_mean": 0.72, "difference": difference, "low": difference - 0.01,
        "high": difference + 0.01, "p": 0.01, "p_holm": 0.02, "gain_probability": 0.99,
        "near_zero_probability": 0.1, "margin": 0.01, "outcome": outcome, "reason": None,
        "sentence": f"It {outcome}." if outcome else "",
    }  # fmt: skip
    return values | more


RANKS = [
    {
        "task": "rain", "split": "test", "metric": "f1", "decisive": "yes", "rank": rank,
        "recipe": recipe, "dataset": "rain/test", "node": "cut", "mean": mean,
        "low": mean - 0.02, "high": mean + 0.02, "not_told_from": "s: cut" * (rank == 1),
    }
    for rank, recipe, mean in ((1, "r", 0.72), (2, "s", 0.71))
]  # fmt: skip


def numbers(text):
    """The numbers of a text as it writes them, without those that belong to a name."""
    text = text.replace("−", "-")
    found = re.findall(r"(?<![\w@/=.-])[+-]?(?:\d[\d,]*\.?\d*|\.\d+)(?![\w@/=-])", text)
    return [number.rstrip(".,") for number in found]


def is_rounded_from(number, cells):
    """Whether a number of a text is a cell of a CSV file, rounded as the text shows it."""
    plain = number.replace(",", "").lstrip("+")
    places = len(plain.partition(".")[2])
    for cell in cells:
        try:
            value = float(cell)
        except (TypeError, ValueError):
            continue
        if any(
            abs(float(plain) - factor * value) <= 0.5 * 10**-places + 1e-9 for factor in (1, 100)
        ):
            return True
    return False
