"""Every benchmark runs once, with what is installed; no time is asserted."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.agreement import DisagreementError, check_agreement
from benchmarks.bench import run_row
from benchmarks.cli import choose_contenders, choose_rows, main
from benchmarks.contenders import BASELINE, CONTENDERS
from benchmarks.contract import Contender, Row, Step
from benchmarks.problem import BinaryNet, Chain, at_rest, make_binary_net, make_chain
from benchmarks.report import format_table
from benchmarks.rows import ROWS
from benchmarks.timing import SMOKE, Plan, time_interleaved

INSTALLED = [c for c in CONTENDERS if c.is_installed() and not c.on_request]
OUT = next(c for c in CONTENDERS if c.name == "numpy out=")
SMALL = Row(
    "small",
    lambda rng: make_binary_net(rng, (3, 4, 1), n=7, dtype=np.float64, lr=0.5),
)
STEP_SIZE = 1e-6
DIFFERENCE_TOLERANCE = 1e-8
"""Central differences in float64 with `STEP_SIZE` on losses of size one."""


@pytest.fixture
def small() -> BinaryNet:
    problem = SMALL.make_problem(np.random.default_rng(0))
    assert isinstance(problem, BinaryNet)
    return problem


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_installed_contender_agrees_and_runs(row: Row) -> None:
    result = run_row(row, INSTALLED, plan=SMOKE)
    assert result.failures == {}
    # Not everybody offers every derivative; what is there keeps its order.
    offered = [c.name for c in INSTALLED if c.name in result.timings]
    assert list(result.timings) == offered
    assert {"numpy", "tensorgrad", "compiled NumPy", "compiled C"} <= set(offered)


def test_row_names_are_distinct() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_handwritten_gradient_is_the_slope_of_its_loss(small: BinaryNet) -> None:
    _, grads = BASELINE.make_step(small).evaluate()
    direction = np.random.default_rng(1).standard_normal(small.params["W1"].shape)

    def loss_at(t: float) -> float:
        moved = {**small.params, "W1": small.params["W1"] + t * direction}
        return BASELINE.make_step(replace(small, params=moved)).evaluate()[0]

    slope = (loss_at(STEP_SIZE) - loss_at(-STEP_SIZE)) / (2 * STEP_SIZE)
    expected = float(np.sum(grads["W1"] * direction))
    assert abs(slope - expected) < DIFFERENCE_TOLERANCE


def test_a_wrong_factor_in_one_gradient_is_noticed(small: BinaryNet) -> None:
    right = OUT.make_step(small)

    def wrong() -> tuple[float, dict[str, np.ndarray]]:
        loss, grads = right.evaluate()
        return loss, {**grads, "b2": 1.001 * grads["b2"]}

    with pytest.raises(DisagreementError, match="gradient b2: relative error"):
        check_agreement(
            replace(right, evaluate=wrong), BASELINE.make_step(small), small
        )


def test_a_wrong_learning_rate_is_noticed(small: BinaryNet) -> None:
    slow = OUT.make_step(replace(small, lr=0.99 * small.lr))
    with pytest.raises(DisagreementError, match="way travelled in 3 steps"):
        check_agreement(slow, BASELINE.make_step(small), small)


def test_a_wrong_loss_is_noticed(small: BinaryNet) -> None:
    right = OUT.make_step(small)
    shifted = replace(right, evaluate=lambda: (0.5, right.evaluate()[1]))
    with pytest.raises(DisagreementError, match=r"loss: 0\.5 came"):
        check_agreement(shifted, BASELINE.make_step(small), small)


def test_a_gradient_of_another_dtype_is_noticed(small: BinaryNet) -> None:
    right = OUT.make_step(small)

    def narrow() -> tuple[float, dict[str, np.ndarray]]:
        loss, grads = right.evaluate()
        return loss, {name: g.astype(np.float32) for name, g in grads.items()}

    with pytest.raises(DisagreementError, match="dtype float32 came"):
        check_agreement(
            replace(right, evaluate=narrow), BASELINE.make_step(small), small
        )


def test_a_failing_contender_is_reported_and_the_others_are_timed() -> None:
    def fail(problem: object) -> Step:
        raise RuntimeError("no such operation")

    broken = Contender(name="broken", package="numpy", make_step=fail)
    result = run_row(SMALL, [broken, OUT], plan=SMOKE)
    assert "no such operation" in result.failures["broken"]
    assert list(result.timings) == [BASELINE.name, OUT.name]


def test_a_step_at_rest_leaves_the_parameters_nearly_in_place(
    small: BinaryNet,
) -> None:
    step = BASELINE.make_step(at_rest(small))
    for _ in range(100):
        step.run()
    np.testing.assert_allclose(step.params()["W1"], small.params["W1"], atol=1e-4)


def test_making_and_running_a_step_leaves_the_problem_as_it_was(
    small: BinaryNet,
) -> None:
    before = {name: p.copy() for name, p in small.params.items()}
    OUT.make_step(small).run()
    BASELINE.make_step(small).run()
    for name, param in small.params.items():
        np.testing.assert_array_equal(param, before[name])


def test_a_chain_has_as_many_operations_as_it_says() -> None:
    problem = make_chain(np.random.default_rng(0), 1, n_ops=4)
    assert isinstance(problem, Chain)
    value, _ = BASELINE.make_step(problem).evaluate()
    expected = np.sin(np.tanh(problem.x[0])) * 1.02 + 0.01
    assert value == pytest.approx(expected, rel=1e-15)


def test_contenders_take_turns() -> None:
    calls: list[str] = []
    plan = Plan(rounds=2, slice_s=0.0, warm_up_steps=0)
    time_interleaved(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")},
        baseline="a",
        plan=plan,
    )
    # A slice is an untimed step and a timed one; two before them calibrate.
    assert "".join(calls) == "aabb" + 2 * "aabb"


def test_the_command_line_writes_what_it_measured_as_json(
    tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"  # type: ignore[operator]
    arguments = ["--smoke", "--rows", "2-4-1", "--contenders", "numpy out="]
    status = main([*arguments, "--json", str(file)])
    figures = json.loads(file.read_text())
    assert status == 0
    assert "| workload" in capsys.readouterr().out
    assert [row["name"] for row in figures["rows"]] == ["2-4-1 tanh/sigmoid n=400 f64"]
    assert math.isfinite(figures["rows"][0]["timings"]["numpy out="]["ratio"]["median"])


def test_a_pattern_that_matches_no_row_ends_with_a_message(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--rows", "no such row"])
    assert "no row matches" in capsys.readouterr().err


def test_an_unknown_contender_is_named() -> None:
    with pytest.raises(ValueError, match="no contender is called"):
        choose_contenders("numpi", compiled=False)


def test_patterns_choose_rows_by_part_of_the_name() -> None:
    assert {row.name for row in choose_rows(["logistic"])} == {
        "logistic 30x569 f64",
        "logistic 784x1000 f32",
    }


def test_the_table_has_a_dash_where_a_contender_was_not_timed() -> None:
    def fail(problem: object) -> Step:
        raise RuntimeError("no")

    broken = Contender(name="broken", package="numpy", make_step=fail)
    table = format_table([run_row(SMALL, [broken], plan=SMOKE)])
    assert table.splitlines()[-1].split("|")[-2].strip() == "-"
