"""Training, development and test sets (notes, sections 4 and 4.0.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tensorgrad._typing import Array
from tensorgrad.data.partition import split
from tensorgrad.derivations import diagnosis, partition
from tensorgrad.nn.layers import mlp
from tensorgrad.train.diagnosis import diagnose
from tensorgrad.train.evaluation import error_rate
from tensorgrad.tree import assign
from tensorgrad.verify.cases import seeds
from tensorgrad.verify.records import Claim, Erratum, Evidence, Opinions

__all__ = ["CLAIMS", "ERRATA"]

LIMIT = 10_000
EPSILON = 0.02


# ---------------------------------------------------------------------- the partition


def compare_sizes(n: int) -> Iterator[Opinions]:
    """Compare the sizes of the three sets with the shares of the rule."""
    by_hand = partition.partition_sizes(n)
    x = np.zeros((n, 1), dtype=np.int8)
    engine = [len(part) for part, _ in split(x, x[:, 0])]
    held = 0.2 if n <= LIMIT else 0.01
    shares = np.array([1 - 2 * held, held, held]) * n
    # Both round, in their own way; neither is off by more than one example.
    is_near = [
        float(np.abs(np.array(s) - shares).max() <= 1) for s in (by_hand, engine)
    ]
    yield Opinions("within one example", is_near[0], is_near[1], 1.0)
    yield Opinions("total", sum(by_hand), sum(engine), n)
    yield Opinions("none empty", float(min(*by_hand, *engine) > 0), numerical=1.0)


sizes = st.one_of(
    st.integers(3, 60), st.integers(LIMIT - 3, LIMIT + 30), st.just(30_000)
)


@dataclass(frozen=True, slots=True)
class Data:
    """Distinct examples with labels that belong to them."""

    x: Array = field(repr=False)
    y: Array = field(repr=False)
    seed: int


def draw_data(n: int, seed: int) -> Data:
    """Draw n examples in columns; y is a function of x."""
    x = np.random.default_rng(seed).normal(size=(2, n))
    return Data(x, (3.0 * x[:1] - x[1:]), seed)


def compare_pairs(case: Data) -> Iterator[Opinions]:
    """Compare all examples of the three sets, sorted, with those there were."""
    whole = np.sort(case.x[0])
    by_hand = partition.partition(case.x, case.y, rng=case.seed)
    engine = split(case.x.T, case.y.T, rng=case.seed)
    columns = [np.concatenate([p[i] for p in by_hand], axis=1) for i in (0, 1)]
    rows = [np.concatenate([p[i] for p in engine]).T for i in (0, 1)]
    for name, (x, y) in (("by hand", columns), ("engine", rows)):
        yield Opinions(f"x {name}", whole, numerical=np.sort(x[0]))
        yield Opinions(f"y {name}", 3.0 * x[0] - x[1], numerical=y[0])
    yield Opinions(
        "check", float(partition.is_partition(by_hand, case.x, case.y)), numerical=1.0
    )


# --------------------------------------------------------------------- the error rate


@dataclass(frozen=True, slots=True)
class Guesses:
    """Labels, and what was guessed."""

    predicted: Array
    y: Array


def draw_guesses(n: int, classes: int, seed: int) -> Guesses:
    """Draw labels and guesses; some of these are right."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    return Guesses(np.where(rng.random(n) < 0.5, y, rng.integers(0, classes, n)), y)


guesses = st.builds(draw_guesses, st.integers(1, 12), st.integers(2, 4), seeds)


def engine_rate(case: Guesses) -> float:
    """Return the error rate of a model that makes these guesses."""
    model = mlp([4, 4], ["softmax"], init="zeros")
    weights = model.parameters()
    assign(weights["layers.0.W"], np.eye(4))
    return error_rate(model, np.eye(4)[case.predicted], case.y)


def compare_rate(case: Guesses) -> Iterator[Opinions]:
    """Compare the share of wrong guesses."""
    by_hand = diagnosis.error_rate(case.predicted[None], case.y[None])
    yield from _rate_against(case, by_hand)


def _rate_against(case: Guesses, by_hand: float) -> Iterator[Opinions]:
    wrong = sum(int(a) != int(b) for a, b in zip(case.predicted, case.y, strict=True))
    yield Opinions("E", by_hand, engine_rate(case), wrong / len(case.y))


def compare_accuracy(case: Guesses) -> Iterator[Opinions]:
    """Compare the share of right guesses, which is what the notes print."""
    yield from _rate_against(case, float(np.mean(case.predicted == case.y)))


def is_even(case: Guesses) -> bool:
    """Tell whether half of the guesses are right."""
    return 2 * int((case.predicted == case.y).sum()) == len(case.y)


# ------------------------------------------------------------------- bias and variance


rates = st.tuples(st.floats(0, 0.5), st.floats(0, 1))


def compare_diagnosis(case: tuple[float, float]) -> Iterator[Opinions]:
    """Compare both answers, each from one comparison."""
    train, dev = case
    by_hand = diagnosis.diagnose(train, dev, epsilon=EPSILON)
    engine = diagnose(train, dev, tolerance=EPSILON)
    yield Opinions(
        "bias and variance",
        [float(by_hand.high_bias), float(by_hand.high_variance)],
        [float(engine.high_bias), float(engine.high_variance)],
        [float(train > EPSILON), float(dev - train > EPSILON)],
    )


loops = st.tuples(st.floats(0.03, 0.5), st.floats(0.03, 0.5), st.floats(0.3, 0.9))


def _passes(
    is_high: Callable[[float, float], tuple[bool, bool]],
    bias: float,
    variance: float,
    r: float,
) -> int:
    """Return how often the loop goes round if each pass leaves r of a gap."""
    n_passes = 0
    while True:
        high_bias, high_variance = is_high(bias, bias + variance)
        if not (high_bias or high_variance):
            return n_passes
        bias, variance = (bias * r, variance) if high_bias else (bias, variance * r)
        n_passes += 1


def compare_loop(case: tuple[float, float, float]) -> Iterator[Opinions]:
    """Compare how often the loop goes round with the logarithm that it should be."""
    bias, variance, r = case

    def by_hand(train: float, dev: float) -> tuple[bool, bool]:
        found = diagnosis.diagnose(train, dev, epsilon=EPSILON)
        return found.high_bias, found.high_variance

    def engine(train: float, dev: float) -> tuple[bool, bool]:
        found = diagnose(train, dev, tolerance=EPSILON)
        return found.high_bias, found.high_variance

    expected = sum(
        int(np.ceil(np.log(EPSILON / gap) / np.log(r))) for gap in (bias, variance)
    )
    counts = [_passes(rule, bias, variance, r) for rule in (by_hand, engine)]
    # A gap that meets the tolerance exactly may fall to either side of it.
    slack = 2.0 / max(expected, 1)
    yield Opinions("passes", counts[0], counts[1], expected, bound=slack)


CLAIMS = (
    Claim(
        id="partition-sizes",
        section="4",
        title="60/20/20 up to 10000, 98/1/1 above",
        statement=(
            r"$n_D = n_T = N/5$ for $N \leq 10^4$ and $N/100$ above, the rest trains; to one "
            "example, and none is empty"
        ),
        cases=sizes,
        compare=compare_sizes,
    ),
    Claim(
        id="partition-pairs",
        section="4",
        title="a partition loses nothing",
        statement="Every example is in one of the sets, once, and every x keeps its y",
        cases=st.builds(draw_data, st.integers(3, 40), seeds),
        compare=compare_pairs,
    ),
    Claim(
        id="error-rate",
        section="4",
        title="the error rate counts what is wrong",
        statement=r"$\varepsilon(x, y) = 1$ if $y \neq \hat y(x)$, and 0 otherwise",
        cases=guesses,
        compare=compare_rate,
        as_printed=compare_accuracy,
        hides=is_even,
    ),
    Claim(
        id="diagnosis",
        section="4",
        title="bias and variance, decided in every case",
        statement=(
            r"High bias: $E(X) - E^* > \epsilon$. High variance: $E(D) - E(X) > \epsilon$"
        ),
        cases=rates,
        compare=compare_diagnosis,
    ),
    Claim(
        id="diagnosis-loop",
        section="4",
        title="the loop of improvements ends",
        statement=(
            r"If each pass leaves the share r of the gap it works on, there are "
            r"$\lceil \log(\epsilon/gap) / \log r \rceil$ passes for each of the two gaps"
        ),
        cases=loops,
        compare=compare_loop,
    ),
)


# --------------------------------------------------------------------------- errata


def measure_accuracy(rng: np.random.Generator) -> Evidence:
    """Measure the printed error of a model that is right in 9 of 10 cases."""

    def printed(share: float) -> tuple[float, float]:
        y = rng.integers(0, 2, 1000)
        predicted = np.where(np.arange(1000) < 1000 * share, y, 1 - y)
        right = diagnosis.error_rate(predicted[None], y[None])
        return float(np.mean(predicted == y)), right

    good, even = printed(0.9), printed(0.5)
    return Evidence(
        f"for a model that is right in 9 of 10 cases the printed error is {good[0]:.2f}, "
        f"and the share of wrong answers {good[1]:.2f}",
        shown=abs(good[0] - good[1]),
        hidden=abs(even[0] - even[1]),
    )


def _headings(train: Array, dev: Array, epsilon: float) -> Array:
    """Return how many of the four headings apply, ≈ and ≪ read with a margin of ε."""
    near = np.abs(dev - train) <= epsilon
    high_variance = (train < epsilon) & (train < dev) & (dev < 10 * epsilon)
    high_bias = near & (dev > 10 * epsilon)
    both = (train > 10 * epsilon) & (dev - train > epsilon)
    neither = (train < epsilon) & (dev < epsilon)
    counts: Array = np.sum([high_variance, high_bias, both, neither], axis=0)
    return counts


def measure_gaps(rng: np.random.Generator) -> Evidence:
    """Measure on how many pairs of errors the printed rule is silent."""
    epsilon = 0.01
    train, dev = np.meshgrid(np.linspace(0, 0.1, 401), np.linspace(0, 0.5, 2001))
    is_pair = dev >= train
    counts = _headings(train, dev, epsilon)[is_pair]
    silent = float(np.mean(counts == 0))
    at_corner = _headings(np.array([0.001, 0.3]), np.array([0.08, 0.3]), epsilon)
    return Evidence(
        f"with epsilon = 1 % it is silent on {silent:.0%} of the pairs with E(X) up to "
        "10 % and E(D) up to 50 %",
        shown=silent,
        hidden=float(np.mean(at_corner == 0)),
    )


def measure_overlap(rng: np.random.Generator) -> Evidence:
    """Measure how often two headings apply at once."""
    epsilon = 0.01
    train, dev = rng.uniform(0, epsilon, size=(2, 10_000))
    counts = _headings(train, dev, epsilon)
    twice = float(np.mean(counts == 2))
    ordered = _headings(np.maximum(train, dev), np.minimum(train, dev), epsilon)
    return Evidence(
        f"of pairs of errors below epsilon, {twice:.0%} are called low and high variance "
        "at once",
        shown=twice,
        hidden=float(np.mean(ordered == 2)),
    )


def measure_endless(rng: np.random.Generator) -> Evidence:
    """Measure how long the loop goes on where the best possible error is 14 %."""
    enough = 1000

    def share(best: float, known: float) -> float:
        train, n_passes = 0.3, 0
        while n_passes < enough:
            found = diagnosis.diagnose(train, train, epsilon=EPSILON, bayes_error=known)
            if not found.high_bias:
                break
            train, n_passes = best + 0.5 * (train - best), n_passes + 1
        return n_passes / enough

    return Evidence(
        f"where no classifier can do better than 14 %, it is still in step 1 after "
        f"{enough * share(0.14, 0.0):.0f} passes; told of that, it ends after "
        f"{enough * share(0.14, 0.14):.0f}",
        shown=float(share(0.14, 0.0) == 1.0),
        hidden=float(share(0.0, 0.0) == 1.0),
    )


def measure_inputs(rng: np.random.Generator) -> Evidence:
    """Measure a dev set with the right mixture of labels and other inputs."""
    y = np.tile([0.0, 1.0], 500)
    x = 4.0 * y + rng.normal(size=1000)

    def error(shift: float) -> float:
        predicted = (x + shift > 2.0).astype(np.float64)
        return diagnosis.error_rate(predicted[None], y[None])

    off = error(4.0) - error(0.0)
    return Evidence(
        f"with the same labels and inputs shifted by one distance of the classes, the "
        f"error rises by {off:.2f}",
        shown=off,
        hidden=error(0.0) - error(0.0 * 4.0),
    )


def _assertion(before: Array, after: Array) -> bool:
    """Return what is asserted: that two truth values are the same."""
    return bool(before.all() == after.all())


def measure_assertion(rng: np.random.Generator) -> Evidence:
    """Measure how many spoilt partitions pass the assertion, and a real check."""
    passed, caught = [], []
    for _ in range(100):
        x, y = rng.normal(size=(2, 30)), rng.integers(0, 2, (1, 30))
        other = rng.normal(size=(2, 30))
        passed.append(_assertion(x, other))
        parts = [(other[:, :20], y[:, :20]), (other[:, 20:], y[:, 20:])]
        caught.append(not partition.is_partition(parts, x, y))
    share = float(np.mean(passed))
    return Evidence(
        f"{share:.0%} of 100 partitions whose data were replaced by others pass it; a "
        f"comparison of the examples catches {np.mean(caught):.0%}",
        shown=share,
    )


def measure_pairing(rng: np.random.Generator) -> Evidence:
    """Measure how many partitions with lost pairs pass, made after the shuffle."""
    passed = []
    for _ in range(100):
        x, y = rng.normal(size=(2, 30)), rng.integers(0, 2, (1, 30))
        x, y = x[:, rng.permutation(30)], y[:, rng.permutation(30)]
        is_same = [_assertion(part, part.copy()) for part in (x, y)]
        passed.append(all(is_same))
    share = float(np.mean(passed))
    return Evidence(
        f"{share:.0%} of 100 partitions in which x and y were shuffled apart pass it",
        shown=share,
    )


def measure_truncation(rng: np.random.Generator) -> Evidence:
    """Measure how often truncation loses an example of a whole product."""
    lost, n_whole = 0, 0
    for percent in range(1, 100):
        for n in range(1, 1001):
            if percent * n % 100 == 0:
                n_whole += 1
                lost += int(percent / 100 * n) != percent * n // 100
    by_rule = [int(0.6 * n) != 3 * n // 5 for n in range(5, LIMIT + 1, 5)]
    return Evidence(
        f"of {n_whole} pairs of a percentage and N up to 1000 with a whole product, {lost} "
        f"lose an example: {int(0.29 * 100)} of 100 at 29 %",
        shown=lost / n_whole,
        hidden=float(np.mean(by_rule)),
    )


def measure_empty(rng: np.random.Generator) -> Evidence:
    """Measure how often a set is empty without a word."""

    def share_empty(counts: range, ratio: float) -> float:
        empty = []
        for n in counts:
            n_train = int(ratio * n)
            n_dev = (n - n_train) // 2
            empty.append(min(n_train, n_dev, n - n_train - n_dev) == 0)
        return float(np.mean(empty))

    share = share_empty(range(1, 11), 0.9)
    return Evidence(
        f"at a ratio of 0.9, {share:.0%} of the N up to 10 leave a set empty, and at 1 "
        f"{share_empty(range(1, 11), 1.0):.0%} do",
        shown=share,
        hidden=share_empty(range(5, 1000), 0.6),
    )


def measure_shuffle(rng: np.random.Generator) -> Evidence:
    """Measure whether a partition can be repeated."""

    def share_different(*arguments: Any) -> float:
        orders = [np.random.default_rng(*arguments).permutation(50) for _ in range(20)]
        return float(np.mean([not np.array_equal(orders[0], o) for o in orders[1:]]))

    share = share_different()
    return Evidence(
        f"{share:.0%} of 19 further shuffles differ from the first one; with a seed, none",
        shown=share,
        hidden=share_different(int(rng.integers(2**32))),
    )


ERRATA = (
    Erratum(
        id="error-is-accuracy",
        section="4",
        kind="formula",
        printed=r"$\varepsilon(x, y) = 1$ if $y = \hat y(x)$, and 0 otherwise",
        right=r"$\varepsilon(x, y) = 1$ if $y \neq \hat y(x)$, and 0 otherwise",
        why="As printed, the best model has the largest error, and every rule below fails.",
        invisible="where exactly half of the answers are right",
        measure=measure_accuracy,
        claim="error-rate",
    ),
    Erratum(
        id="diagnosis-gaps",
        section="4",
        kind="statement",
        printed=(
            r"Four headings compare both errors with $\epsilon$ and $10 \epsilon$ to tell "
            "bias from variance"
        ),
        right="Two questions with an answer each, by one comparison, as in the claim",
        why=(
            r"Training errors between $\epsilon$ and $10 \epsilon$ are under no heading, nor "
            r"is the plainest overfitting, $E(X) < \epsilon$ with $E(D) \geq 10 \epsilon$."
        ),
        invisible="in the corners that the headings do cover",
        measure=measure_gaps,
        claim="diagnosis",
    ),
    Erratum(
        id="diagnosis-overlap",
        section="4",
        kind="statement",
        printed=(
            r"High variance: $E(X) < \epsilon$ and $E(X) < E(D) < 10 \epsilon$. Low bias and "
            r"variance: both below $\epsilon$"
        ),
        right=r"High variance begins at a gap of $\epsilon$",
        why="Two small errors of which that on the dev set is the larger are under both.",
        invisible="where the dev set fares better than the training set",
        measure=measure_overlap,
        claim="diagnosis",
    ),
    Erratum(
        id="endless-loop",
        section="4",
        kind="statement",
        printed="High bias is mended, and checked again, until there is none",
        right=r"High bias is an excess over the best possible error $E^*$",
        why=(
            r"The training error cannot fall below $E^*$: where that is above $\epsilon$ the "
            "loop has no end."
        ),
        invisible=r"where the best possible error is below $\epsilon$, as the remark assumes",
        measure=measure_endless,
        claim="diagnosis-loop",
    ),
    Erratum(
        id="same-outputs",
        section="4",
        kind="statement",
        printed="Dev and test set are to have the same distribution of outputs",
        right="Of inputs and outputs together, and the same as what the model will meet",
        why="The labels may be mixed alike where the inputs are not.",
        invisible="where the inputs have one distribution, too",
        measure=measure_inputs,
    ),
    Erratum(
        id="idle-assertion",
        section="4.0.1",
        kind="listing",
        printed=(
            "After the partition it is asserted that x.all() equals .all() of the three "
            "parts together"
        ),
        right="The examples themselves are compared, sorted, x together with y",
        why="Two truth values are compared: whether all entries differ from 0.",
        invisible="always: it cannot fail for data without zeros, whatever was done to them",
        measure=measure_assertion,
        claim="partition-pairs",
    ),
    Erratum(
        id="late-assertion",
        section="4.0.1",
        kind="listing",
        printed="The assertion compares with the data after the shuffle",
        right="It compares with the data before it, pair by pair",
        why="A shuffle that parts x from y is over by then.",
        invisible="while the shuffle is right",
        measure=measure_pairing,
        claim="partition-pairs",
    ),
    Erratum(
        id="truncated-size",
        section="4.0.1",
        kind="listing",
        printed="The training set gets int(ratio · N) examples",
        right="It gets round(ratio · N)",
        why="0.29 · 100 is 28.999999999999996 in double precision.",
        invisible="at 0.6 · N for every N up to 10000 that 5 divides",
        measure=measure_truncation,
        claim="partition-sizes",
    ),
    Erratum(
        id="empty-sets",
        section="4.0.1",
        kind="listing",
        printed="Any ratio from 0 to 1 and any N is taken",
        right="A set without examples is refused",
        why="Its error rate is 0/0.",
        invisible="at the ratio 0.6 from 5 examples on",
        measure=measure_empty,
        claim="partition-sizes",
    ),
    Erratum(
        id="unseeded-partition",
        section="4.0.1",
        kind="listing",
        printed="The shuffle has no seed",
        right="A seed or a generator is an argument",
        why=(
            "The next run trains on what was tested in this one, and no comparison of two "
            "models is about the same sets."
        ),
        invisible="with a global seed set outside before every call",
        measure=measure_shuffle,
    ),
)
