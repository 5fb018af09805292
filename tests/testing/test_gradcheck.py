"""The checker: no wrong gradient is confirmed, no right one is refuted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.testing import gradcheck
from tensorgrad.testing import strategies as tst
from tensorgrad.testing.checking.judging import CONFIRMED, INCONCLUSIVE, REFUTED

RNG = np.random.default_rng(0)
SEEDS = st.integers(0, 2**32 - 1)
X = RNG.normal(size=(5, 3))


# ----------------------------------------------------------------- no false alarm


@given(program=tst.programs(), seed=SEEDS)
def test_programs_of_the_table_are_not_refuted(program, seed):
    report = gradcheck(program, *program.inputs, rng=seed)
    assert report.verdict != REFUTED, report.table()


@given(net=tst.mlps(), seed=SEEDS)
def test_networks_are_confirmed(net, seed):
    report = gradcheck(net.cost, net.params, rng=seed)
    assert report.verdict != REFUTED, report.table()


CORRECT = {
    "x² at 1e6": (lambda x: (x * x).sum(), np.array([1e6, -2e6])),
    "1e-6 x²": (lambda x: 1e-6 * (x * x).sum(), X),
    "1e8 and 1e-8 in one array": (
        lambda x: (np.sin(x / np.array([1e8, 1e-8])) ** 2).sum(),
        np.array([1e8, 1e-8]),
    ),
    "magnitude 1e-8": (lambda x: np.exp(1e8 * x).sum(), 1e-8 * X),
    "ReLU near its kink": (lambda x: tg.relu(x).sum(), np.array([1e-7, -1e-9, 2.0])),
    "ReLU at its kink": (lambda x: (tg.relu(x) ** 2).sum(), np.array([0.0, 1.0, -1.0])),
    "max of close entries": (lambda x: x.max(), np.array([1.0, 1.0 + 1e-6])),
    "branch": (lambda x: x**2 if x > 1 else 2 * x, np.float64(1.0 + 1e-5)),
    "saturated sigmoid": (lambda x: tg.sigmoid(x).sum(), np.array([40.0, 800.0, -5.0])),
    "loss from saturated logits": (
        lambda z: tg.log_loss(tg.sigmoid(z), np.array([[1.0], [0.0]])),
        np.array([[50.0], [900.0]]),
    ),
    "float32": (lambda x: tg.softmax(x @ x.T).max(axis=0).sum(), X.astype(np.float32)),
    "float32 beside float64": (
        lambda p: (p["a"] * p["b"]).sum(),
        {"a": X.astype(np.float32), "b": X},
    ),
    "one entry": (np.tanh, 0.3),
    "argument that is ignored": (lambda p: p["a"].sum(), {"a": X, "b": X}),
    "complex": (lambda z: (np.abs(z) ** 2).sum(), X + 1j * X[::-1]),
    "complex to complex": (lambda z: z**2 + np.conj(z), X + 1j * X[::-1]),
    "near the end of the domain": (lambda x: np.log(x).sum(), np.array([1e-6, 1.0])),
    "constant": (lambda x: 0.0 * x.sum() + 3.0, X),
    "empty": (lambda p: p["x"].sum() + p["y"].sum(), {"x": np.ones((0, 3)), "y": X}),
    "many entries": (lambda x: np.tanh(x).sum(), np.linspace(-2, 2, 10**6)),
    "many ReLUs": (lambda x: tg.relu(x).sum(), RNG.normal(size=10**6)),
    "scalar attribute": (lambda x: x[0] * x.shape[0], np.ones(4)),
    "sums of squares that cancel": (lambda x: ((x - x.mean()) ** 2).sum(), 1e3 + X),
}


@pytest.mark.parametrize("name", CORRECT)
def test_right_derivative_is_confirmed(name):
    f, x = CORRECT[name]
    report = gradcheck(f, x)
    assert report.verdict == CONFIRMED, report.table()


@pytest.mark.parametrize("f", [np.sin, tg.softmax, lambda x: tg.logsumexp(x, axis=1)])
def test_second_derivatives_are_confirmed(f):
    report = gradcheck(f, X, order=2)
    assert report.verdict == CONFIRMED, report.table()
    assert any("symmetry" in check.name for check in report.checks)


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_one_mode_may_be_left_out(mode):
    report = gradcheck(np.tanh, X, modes=mode)
    assert report
    assert {check.name for check in report.checks} >= {mode}
    assert ("forward" in str(report)) == (mode == "forward")


# ------------------------------------------------------------------------- no miss


def handwritten(wrong):
    """Return a value of 1e5 and more terms, and a gradient that something is done to."""
    return (lambda x: (np.sin(x) * x).sum(), lambda x: wrong(np.sin(x) + x * np.cos(x)))


def one_entry(g):
    g = g.copy()
    g.flat[g.size // 3] *= 1.01
    return g


def transposed_where_not_contiguous(x):
    g = 3 * x**2
    return g if x.flags.c_contiguous else g + 1e-3


def mutating(x):
    x *= 2
    return x


def shared(x, y):
    g = np.cos(x)
    return g, g


BIG = np.linspace(0.5, 2.0, 10**5)
WRONG = {
    "factor 1.0001": (handwritten(lambda g: 1.0001 * g), (X,), "times the slope"),
    "factor 0.9999 of many": (handwritten(lambda g: 0.9999 * g), (BIG,), "times"),
    "factor 2 of many": (handwritten(lambda g: 2 * g), (BIG,), "it is 2 times"),
    "one entry of many": (handwritten(one_entry), (BIG,), "it is 1.01 times"),
    "sign": (handwritten(np.negative), (X,), "sign is wrong"),
    "sign of a tiny term": (
        (lambda x: 1e-6 * (x**2).sum(), lambda x: -2e-6 * x),
        (X,),
        "sign is wrong",
    ),
    "sign of a term beside a large one": (
        (lambda x: x.sum() + 1e-6 * (x**2).sum(), lambda x: 1 - 2e-6 * x),
        (X,),
        "times the slope",
    ),
    "tiny argument's sign": (
        (lambda a, b: (a**2).sum() + 1e-9 * b, lambda a, b: (2 * a, -1e-9)),
        (X, 1.0),
        "sign is wrong",
    ),
    "zero": ((lambda x: (x**2).sum(), np.zeros_like), (X,), "it is zero"),
    "nan": (
        (lambda x: (x**2).sum(), lambda x: np.full_like(x, np.nan)),
        (X,),
        "it is nan",
    ),
    "layout": (
        (lambda x: (x**3).sum(), transposed_where_not_contiguous),
        (X,),
        "in memory",
    ),
    "writes its input": (
        (lambda x: (x**2).sum(), mutating),
        (X,),
        "writes to its input",
    ),
    "aliases": (
        (lambda x, y: np.sin(x).sum() + np.sin(y).sum(), shared),
        (X, X.copy()),
        "share memory",
    ),
    "returns its input": (
        (lambda x: 0.5 * (x**2).sum(), lambda x: x),
        (X,),
        "an input's memory",
    ),
    "ignores the cotangent": (
        (lambda x: x**2, lambda x, g: 2 * x),
        (X,),
        "ignores the cotangent",
    ),
    "mixes the cotangent's entries": (
        (lambda x: x**2, lambda x, g: 2 * x * np.abs(g).max() * np.sign(g)),
        (X,),
        "not linear in the cotangent",
    ),
    "float32 factor": (
        handwritten(lambda g: np.float32(1.01) * g),
        (X.astype(np.float32),),
        "times the slope",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_gradient_is_refuted_and_the_mistake_is_told(name):
    f, args, pattern = WRONG[name]
    report = gradcheck(f, *args)
    assert report.verdict == REFUTED, report.table()
    assert pattern in report.reason, report.reason
    assert not report


@given(
    factor=st.sampled_from([1.0001, 0.9999, 1.5, 2.0, 0.5, -1.0, 0.0]),
    seed=SEEDS,
    size=st.integers(1, 40),
)
def test_no_factor_is_confirmed(factor, seed, size):
    rng = np.random.default_rng(seed)
    x, a = rng.normal(size=size), rng.normal(size=(size, size))

    def value(x):
        return tg.logsumexp(a @ np.tanh(x))

    report = gradcheck((value, lambda x: factor * tg.grad(value)(x)), x, rng=seed)
    assert report.verdict != CONFIRMED, report.table()


@given(seed=SEEDS, size=st.integers(2, 5))
def test_terms_that_cancel_are_no_zero(seed, size):
    def value(x):
        return 1e9 + 1e-12 * float(x.sum())

    report = gradcheck(
        (value, lambda x: np.full(size, -1e-12)), np.ones(size), rng=seed
    )
    assert report.verdict == INCONCLUSIVE


@given(seed=SEEDS)
def test_wrong_entry_is_found_by_halving(seed):
    place = int(np.random.default_rng(seed).integers(BIG.size))

    def wrong(g):
        g = g.copy()
        g[place] += 0.01
        return g

    report = gradcheck(handwritten(wrong), BIG, rng=seed)
    assert report.worst[0].where == f"x[{place}]"


def second_order_only(x):
    """Return sin, whose pullback has a constant where it should have its argument."""
    held = np.cos(x.numpy() if isinstance(x, tg.Tensor) else x)
    return np.sin(x), lambda g: g * held


def test_gradient_that_is_right_in_first_order_alone_is_refuted_in_second():
    f = tg.custom_gradient(second_order_only)
    assert gradcheck(f, X).verdict == CONFIRMED
    report = gradcheck(f, X, order=2)
    assert report.verdict == REFUTED
    assert "second order" in report.reason


DRAWN = {
    "only for negative inputs": (
        (
            lambda x: (x**3).sum(),
            lambda x: np.where(x < 0, 3.3, 3.0) * x**2,
        ),
        tst.arrays("sin"),
    ),
    "right for one example": (
        (
            lambda x: (x**2).sum() / len(x),
            lambda x: 2 * x,
        ),
        tst.arrays("sin", shape=st.tuples(st.integers(1, 4), st.integers(1, 3))),
    ),
    "right at equal widths": (
        (
            lambda x: ((x @ np.ones(x.shape[1])) ** 2).sum() / x.shape[1],
            lambda x: 2 * np.ones_like(x) * x.sum(axis=1, keepdims=True) / x.shape[0],
        ),
        tst.arrays("sin", shape=st.tuples(st.integers(1, 4), st.integers(1, 4))),
    ),
}


@pytest.mark.parametrize("name", DRAWN)
def test_strategy_finds_what_one_point_may_hide(name):
    f, strategy = DRAWN[name]
    assert gradcheck(f, strategy).verdict == REFUTED


def test_array_stays_at_its_point():
    f = (lambda x: (x**3).sum(), lambda x: np.where(x < 0, 3.3, 3.0) * x**2)
    assert gradcheck(f, np.array([1.0, 2.0])).verdict == CONFIRMED


P = {"W": X.T[:, :2].copy(), "b": np.array([0.5, -1.0, 2.0])}


def data_loss(p, x, y):
    return np.mean((p["W"] @ x + p["b"][:, None] - y) ** 2)


def data_slopes(p, x, y):
    delta = 2 * (p["W"] @ x + p["b"][:, None] - y) / y.size
    return {"W": delta @ x.T, "b": delta.sum(axis=1)}


SHAPES_OF_ANSWERS = {
    "the first alone": data_slopes,
    "a tuple of one": lambda p, x, y: (data_slopes(p, x, y),),
    "None for the rest": lambda p, x, y: (data_slopes(p, x, y), None, None),
    "all": lambda p, x, y: (
        data_slopes(p, x, y),
        p["W"].T @ (2 * (p["W"] @ x + p["b"][:, None] - y) / y.size),
        -2 * (p["W"] @ x + p["b"][:, None] - y) / y.size,
    ),
}


@pytest.mark.parametrize("answer", SHAPES_OF_ANSWERS)
def test_gradient_may_be_given_for_some_arguments(answer):
    x, y = RNG.normal(size=(2, 4)), RNG.normal(size=(3, 4))
    report = gradcheck((data_loss, SHAPES_OF_ANSWERS[answer]), P, x, y)
    assert report.verdict == CONFIRMED, report.table()
    named = {check.where for check in report.checks}
    assert named >= {"argument 0.W", "argument 0.b"}
    assert ("argument 1" in named) == (answer == "all")


def test_list_of_as_many_parameters_as_arguments_is_told_apart():
    report = gradcheck(
        (lambda p, x: (p[0] * p[1] * x).sum(), lambda p, x: [p[1] * x, p[0] * x]),
        [X, X + 1],
        X - 1,
    )
    assert report.verdict == CONFIRMED, report.table()


def end_of_domain(x):
    value = float(x[0])
    return np.array(value**0.5 if value >= 0 else complex(0).real / 0)


def test_function_that_raises_beyond_its_domain_is_measured_within():
    report = gradcheck((end_of_domain, lambda x: 0.5 / np.sqrt(x)), np.array([1e-3]))
    assert report.verdict == CONFIRMED, report.table()


def test_layout_in_which_a_gradient_raises_is_named():
    def fragile(x):
        entries = np.frombuffer(x, x.dtype)
        return (3 * entries**2).reshape(x.shape)

    report = gradcheck((lambda x: (x**3).sum(), fragile), X)
    assert (report.verdict, "it raises" in report.reason) == (REFUTED, True)


# ------------------------------------------------------------- what cannot be told

NOISE = np.random.default_rng(5)


def noisy(x):
    return (x * NOISE.random(x.shape)).sum()


DOUBTFUL = {
    "hidden generator": (noisy, (X,), "generator 'NOISE'"),
    "global state": (
        lambda x: (x * np.random.rand(*x.shape)).sum(),  # noqa: NPY002  # on purpose
        (X,),
        "global random state",
    ),
    "not finite": (lambda x: np.log(x).sum(), (np.array([0.0]),), "not finite"),
    "below rounding": (
        (lambda x: 1e8 + 1e-12 * float(x[0]), lambda x: 1e-12 + 0 * x),
        (np.array([1.0]),),
        "no better than",
    ),
}


@pytest.mark.parametrize("name", DOUBTFUL)
def test_what_cannot_be_told_says_why(name):
    f, args, pattern = DOUBTFUL[name]
    report = gradcheck(f, *args)
    assert report.verdict == INCONCLUSIVE, report.table()
    assert pattern in report.reason


def test_generator_among_the_arguments_draws_the_same_each_time():
    def f(x, rng):
        return (x**2 * (rng.random(x.shape) < 0.5)).sum()

    assert gradcheck(f, X, np.random.default_rng(0))


def test_point_at_a_kink_is_moved_and_counted():
    report = gradcheck(lambda x: abs(x).sum(), np.array([0.0, 1.0]))
    assert (report.verdict, report.n_redrawn > 0) == (CONFIRMED, True)


# ------------------------------------------------------------------------ the report


def wrong_report():
    return gradcheck((lambda x: (x**3).sum(), lambda x: 2 * x**2), np.array([1.0, 2.0]))


def test_report_tells_people_and_machines_the_same():
    report = wrong_report()
    data = json.loads(report.to_json())
    assert (data["verdict"], data["reason"]) == (report.verdict, report.reason)
    assert len(data["checks"]) == len(report.checks)
    for text in (report.table(), str(report), report._repr_html_()):
        assert "refuted" in text
        assert "0.666667 times the slope" in text


def test_failure_raises_with_the_table_and_the_program():
    with pytest.raises(tg.GradientCheckError, match="refuted") as caught:
        wrong_report().raise_if_failed()
    assert "tg.testing.gradcheck(" in str(caught.value)
    assert isinstance(caught.value, AssertionError)
    gradcheck(np.sin, X).raise_if_failed()


def wrong_cube(x):
    return (x**3).sum()


def wrong_slope(x):
    return 2 * x**2


@pytest.mark.parametrize("size", [2, 1000])
def test_program_of_a_report_makes_the_same_report(size):
    x = np.linspace(1.0, 2.0, size)
    report = gradcheck((wrong_cube, wrong_slope), x)
    scope = {}
    exec(report.reproduce.replace("print(", "str("), scope)
    assert scope["report"].worst == report.worst


BAD = {
    "no function": lambda: gradcheck(3, 1.0),
    "three functions": lambda: gradcheck((np.sin, np.cos, np.tan), 1.0),
    "order": lambda: gradcheck(np.sin, 1.0, order=3),
    "order by hand": lambda: gradcheck((np.sin, np.cos), 1.0, order=2),
    "mode": lambda: gradcheck(np.sin, 1.0, modes=("sideways",)),
    "nothing to move": lambda: gradcheck(lambda x: x, 1),
    "discrete": lambda: gradcheck(np.argmax, X),
    "shape by hand": lambda: gradcheck((lambda x: (x**2).sum(), lambda x: x[0]), X),
    "structure by hand": lambda: gradcheck(
        (lambda x, y: x * y, lambda x, y: (1.0, 2.0, 3.0)), 1.0, 2.0
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_call_is_explained(name):
    with pytest.raises(tg.TensorgradError, match=r": expected .*\. "):
        BAD[name]()
