"""``tensorgrad predict``: from a file alone, whatever the order of the columns."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

import tensorgrad as tg
from tests.cli.tables import COLUMNS, KINDS, make_examples, write_csv

# Probabilities are written with all their digits, and add up to rounding.
ROUNDING = 1e-12


def read(text):
    return list(csv.DictReader(io.StringIO(text)))


def expected(model, x):
    network, metadata = tg.nn.load_model(model)
    return [metadata["labels"][k] for k in tg.train.predict(network, x)]


def test_predictions_are_names_of_classes_in_the_order_of_the_rows(run, model, folder):
    data = write_csv(folder / "new.csv", COLUMNS, seed=1)
    rows = read(run("predict", model, data).out)
    assert [row["prediction"] for row in rows] == expected(
        model, make_examples(seed=1)[0]
    )


def test_order_of_the_columns_does_not_matter(run, model, folder):
    straight = write_csv(folder / "a.csv", COLUMNS, seed=1)
    shuffled = write_csv(folder / "b.csv", ("note", *COLUMNS[::-1]), seed=1)
    outputs = [
        run("predict", model, data, "--proba").out for data in (straight, shuffled)
    ]
    assert outputs[0] == outputs[1]


def test_error_rate_is_on_stderr_where_the_target_is_known(run, model, folder):
    data = write_csv(folder / "new.csv", ("kind", *COLUMNS), seed=1)
    done = run("predict", model, data)
    assert done.err == "error rate: 0.00% (0 of 45 wrong)\n"
    assert "error rate" not in done.out


def test_wrong_labels_are_counted(run, model, folder):
    kinds = [KINDS[(i + (i < 9)) % 3] for i in range(45)]
    data = write_csv(
        folder / "new.csv", (*COLUMNS, "kind"), seed=1, extra={"kind": kinds}
    )
    assert run("predict", model, data).err == "error rate: 20.00% (9 of 45 wrong)\n"


def test_nothing_is_said_without_a_target(run, model, folder):
    data = write_csv(folder / "new.csv", COLUMNS, seed=1)
    assert run("predict", model, data).err == ""


@pytest.mark.parametrize("kind", ["", "orchid"])
def test_target_that_cannot_be_used_is_no_obstacle(run, model, folder, kind):
    extra = {"kind": [kind] * 45}
    data = write_csv(folder / "new.csv", (*COLUMNS, "kind"), seed=1, extra=extra)
    done = run("predict", model, data)
    assert done.status == 0
    assert len(read(done.out)) == 45
    assert done.err.startswith("no error rate: ")


def test_probabilities_add_up_to_one(run, model, folder):
    data = write_csv(folder / "new.csv", COLUMNS, seed=1)
    rows = read(run("predict", model, data, "--proba").out)
    assert list(rows[0]) == ["prediction", *(f"proba_{kind}" for kind in KINDS)]
    for row in rows:
        total = sum(float(row[f"proba_{kind}"]) for kind in KINDS)
        assert total == pytest.approx(1, rel=ROUNDING)


def test_prediction_is_the_most_probable_class(run, model, folder):
    data = write_csv(folder / "new.csv", COLUMNS, seed=1)
    for row in read(run("predict", model, data, "--proba").out):
        best = max(KINDS, key=lambda kind: float(row[f"proba_{kind}"]))
        assert row["prediction"] == best


def test_two_classes_have_two_probabilities(run, folder):
    run("train", "breast_cancer", "--epochs", 5, "--quiet")
    out = run("predict", "breast_cancer-model.npz", "breast_cancer", "--proba").out
    row = read(out)[0]
    total = float(row["proba_malignant"]) + float(row["proba_benign"])
    assert total == pytest.approx(1, rel=ROUNDING)
    is_benign = float(row["proba_benign"]) >= 0.5
    assert (row["prediction"] == "benign") == is_benign


def test_embedded_data_are_predicted_by_name(run):
    run("train", "digits", "--epochs", 3, "--quiet")
    done = run("predict", "digits-model.npz", "digits")
    assert len(read(done.out)) == 1797
    assert done.err.startswith("error rate: ")


def test_arrays_are_taken_by_position(run, model, folder):
    x, y = make_examples(seed=1)
    np.savez(folder / "new.npz", x=x, kind=np.array(KINDS)[y])
    done = run("predict", model, "new.npz")
    assert [row["prediction"] for row in read(done.out)] == expected(model, x)
    assert done.err == "error rate: 0.00% (0 of 45 wrong)\n"


def test_arrays_with_names_are_taken_by_name(run, model, folder):
    x, _ = make_examples(seed=1)
    np.savez(folder / "new.npz", x=x[:, ::-1], columns=np.array(COLUMNS[::-1]))
    rows = read(run("predict", model, "new.npz").out)
    assert [row["prediction"] for row in rows] == expected(model, x)


def test_output_goes_to_a_file(run, model, folder):
    data = write_csv(folder / "new.csv", COLUMNS, seed=1)
    on_stdout = run("predict", model, data).out
    done = run("predict", model, data, "--output", "out.csv")
    assert done.out == ""
    assert (folder / "out.csv").read_bytes() == on_stdout.encode()


def test_labels_with_commas_and_accents_survive(run, folder):
    names = ["crème, brûlée", 'a "b"', "c"]
    x, y = make_examples()
    np.savez(folder / "food.npz", x=x, y=np.array(names)[y])
    run("train", "food.npz", "--epochs", 40, "--quiet")
    rows = read(run("predict", "food-model.npz", "food.npz").out)
    assert {row["prediction"] for row in rows} == set(names)


def test_scaling_of_the_training_is_applied(run, model, folder):
    """A single row would have no spread of its own."""
    data = write_csv(folder / "one.csv", COLUMNS, n=1, seed=1)
    rows = read(run("predict", model, data).out)
    assert [row["prediction"] for row in rows] == expected(
        model, make_examples(1, seed=1)[0]
    )


def test_safetensors_model_predicts_as_well(run, flowers, folder):
    for name in ("a.npz", "a.safetensors"):
        run("train", flowers, "--target", "kind", "--epochs", 3, "--save", name)
    outputs = [
        run("predict", m, flowers, "--proba").out for m in ("a.npz", "a.safetensors")
    ]
    assert outputs[0] == outputs[1]
