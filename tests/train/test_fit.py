"""What a training computes: gradients, order, penalty, scaling, history."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.train import fit
from tests.train.problems import (
    Watcher,
    as_bytes,
    make_blobs,
    make_model,
    make_noisy,
    values,
)

# Two sums of the same numbers in another order.
ROUNDING = 1e-13


def quiet(model, *args, **options):
    return fit(model, *args, progress=False, **{"epochs": 3, **options})


def test_separable_classes_are_learned_without_error():
    x, y = make_blobs()
    model = make_model()
    quiet(model, (x, y), epochs=60, optimizer=tg.optim.Adam(0.01))
    assert tg.train.error_rate(model, x, y) == 0


def test_two_classes_are_learned_by_a_single_sigmoid():
    x, y = make_blobs(classes=2)
    model = tg.nn.mlp([4, 5, 1], ["tanh", "sigmoid"], rng=0)
    quiet(model, (x, y), epochs=60, optimizer=tg.optim.Adam(0.01))
    assert tg.train.error_rate(model, x, y) == 0


def test_a_linear_head_finds_the_least_squares_solution():
    x, _ = make_noisy(n=40)
    y = x @ np.array([1.0, -2.0, 0.5, 0.0]) + 3.0
    model = tg.nn.mlp([4, 1], ["linear"], rng=0)
    quiet(model, (x, y), epochs=300, batch_size=40, optimizer=tg.optim.SGD(0.3))
    assert tg.train.evaluate(model, x, y)[0] < 1e-20


def test_same_seed_gives_the_same_bits():
    models = [make_model(keep_prob=0.8) for _ in range(2)]
    for model in models:
        quiet(model, make_blobs(), batch_size=7, rng=5)
    assert as_bytes(models[0]) == as_bytes(models[1])


def test_another_seed_gives_other_parameters():
    models = [make_model() for _ in range(2)]
    for seed, model in enumerate(models):
        quiet(model, make_blobs(), batch_size=7, rng=seed)
    assert as_bytes(models[0]) != as_bytes(models[1])


def test_a_generator_is_as_good_as_its_seed():
    models = [make_model() for _ in range(2)]
    for rng, model in zip((5, np.random.default_rng(5)), models, strict=True):
        quiet(model, make_blobs(), batch_size=7, rng=rng)
    assert as_bytes(models[0]) == as_bytes(models[1])


def test_dropout_does_not_change_the_order_of_the_examples():
    orders = []
    for keep_prob in (None, 0.5):
        batches = []

        def loss(a, y, batches=batches):
            batches.append(y.tolist())
            return tg.cross_entropy(a, y)

        quiet(make_model(keep_prob=keep_prob), make_blobs(), loss=loss, batch_size=7)
        orders.append(batches)
    assert orders[0] == orders[1]


def test_parameters_keep_their_identity():
    model = make_model()
    before = list(model.parameters().values())
    quiet(model, make_blobs())
    after = list(model.parameters().values())
    assert all(a is b for a, b in zip(before, after, strict=True))


def test_arrays_that_were_read_before_are_not_written():
    model = make_model()
    held = model.layers[0].W.numpy()
    before = held.copy()
    quiet(model, make_blobs())
    np.testing.assert_array_equal(held, before)


def test_every_example_is_used_once_in_an_epoch():
    seen = []

    def loss(a, y):
        seen.extend(y.tolist())
        return tg.cross_entropy(a, y)

    x, _ = make_blobs(n=17)
    y = np.arange(17) % 3
    quiet(make_model(), (x, y), loss=loss, epochs=1, batch_size=5)
    assert sorted(seen) == sorted(y.tolist())


def test_gradient_of_a_step_is_that_of_the_mean_loss():
    x, y = make_blobs()
    model, watcher = make_model(), Watcher()
    quiet(model, (x, y), optimizer=watcher, epochs=1, batch_size=len(x))
    expected = tg.grad(lambda m: tg.cross_entropy(m(x), y))(model)
    np.testing.assert_allclose(
        watcher.seen[0]["layers"]["0"]["W"], expected.layers[0].W, rtol=ROUNDING
    )


@pytest.mark.parametrize("batch_size", [60, 20])
def test_penalty_adds_lam_over_n_times_the_weights(batch_size):
    """n is the number of examples, in every batch."""
    lam, data = 2.0, make_blobs(n=60)
    model = make_model()
    plain, penalised = Watcher(), Watcher()
    for watcher, lam_ in ((plain, 0.0), (penalised, lam)):
        quiet(model, data, optimizer=watcher, lam=lam_, epochs=1, batch_size=batch_size)
    added = penalised.seen[0]["layers"]["1"]["W"] - plain.seen[0]["layers"]["1"]["W"]
    expected = lam / 60 * model.layers[1].W.numpy()
    np.testing.assert_allclose(added, expected, rtol=0, atol=ROUNDING)


def test_penalty_leaves_the_biases_alone():
    model = make_model()
    plain, penalised = Watcher(), Watcher()
    for watcher, lam in ((plain, 0.0), (penalised, 2.0)):
        quiet(model, make_blobs(), optimizer=watcher, lam=lam, epochs=1)
    np.testing.assert_array_equal(
        penalised.seen[0]["layers"]["1"]["b"], plain.seen[0]["layers"]["1"]["b"]
    )


def test_history_has_one_entry_an_epoch():
    x, y = make_blobs()
    history = quiet(make_model(), (x, y), (x, y), epochs=4)
    lengths = [len(history.train_loss), len(history.dev_loss), len(history.dev_error)]
    assert lengths == [4, 4, 4]


def test_history_without_dev_set_has_training_loss_alone():
    history = quiet(make_model(), make_blobs(), epochs=2)
    assert (len(history.train_loss), history.dev_loss) == (2, [])


def test_best_epoch_without_early_stopping_is_the_last():
    x, y = make_blobs()
    assert quiet(make_model(), (x, y), (x, y), epochs=4).best_epoch == 3


def test_last_dev_loss_is_that_of_the_final_model():
    x, y = make_blobs()
    model = make_model(keep_prob=0.5)
    history = quiet(model, (x, y), (x[:10], y[:10]))
    assert history.dev_loss[-1] == tg.train.evaluate(model, x[:10], y[:10])[0]


def test_regression_has_no_dev_error():
    x, _ = make_noisy()
    model = tg.nn.mlp([4, 1], ["linear"], rng=0)
    history = quiet(model, (x, x[:, 0]), (x, x[:, 0]))
    assert history.dev_error == []


def test_no_epochs_leave_the_model_as_it_is():
    model = make_model()
    before = as_bytes(model)
    quiet(model, make_blobs(), epochs=0)
    assert as_bytes(model) == before


def test_state_of_the_optimiser_is_in_the_history():
    history = quiet(make_model(), make_blobs(n=60), epochs=2, batch_size=20)
    assert int(history.state["optimizer"]["step"]) == 6


def test_optimiser_object_remembers_nothing():
    optimizer = tg.optim.Adam(0.01)
    quiet(make_model(), make_blobs(), optimizer=optimizer)
    assert optimizer.state is None


# ------------------------------------------------------------------------ scaling


def test_standardise_learns_mean_and_spread_of_the_training_part():
    x, y = make_blobs()
    model = make_model()
    quiet(model, (x, y), (x + 100, y), standardise=True)
    np.testing.assert_allclose(model.scaling.mean, x.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(model.scaling.scale, x.std(axis=0), rtol=1e-13)


def test_model_applies_its_scaling_to_what_it_is_given():
    x, y = make_blobs()
    model = make_model()
    quiet(model, (x, y), standardise=True)
    bare = copy.deepcopy(model)
    bare.scaling = None
    scaled = (x - x.mean(axis=0)) / x.std(axis=0)
    np.testing.assert_allclose(
        model(x).numpy(), bare(scaled).numpy(), rtol=0, atol=1e-12
    )


def test_first_layers_of_a_model_scale_as_the_whole_does():
    x, y = make_blobs()
    model = make_model()
    quiet(model, (x, y), standardise=True)
    whole = model[1:](model[:1](x))
    np.testing.assert_array_equal(whole.numpy(), model(x).numpy())


def test_units_of_the_features_do_not_matter_with_standardise():
    x, y = make_blobs()
    rates = []
    for unit in (1.0, 1024.0):
        model = make_model()
        quiet(model, (unit * x, y), standardise=True, epochs=2)
        rates.append(values(model)["layers.0.W"])
    np.testing.assert_allclose(rates[0], rates[1], rtol=1e-9)


def test_constant_feature_becomes_zero_and_stays_harmless():
    x, y = make_blobs()
    x = np.hstack([x, np.full((len(x), 1), 7.3)])
    model = tg.nn.mlp([5, 3], ["softmax"], rng=0)
    quiet(model, (x, y), standardise=True)
    assert np.isfinite(model(x + 1).numpy()).all()


def test_scaling_is_saved_with_the_model(tmp_path):
    x, y = make_blobs()
    model = make_model()
    quiet(model, (x, y), standardise=True)
    tg.save(tmp_path / "model.npz", model)
    again, _ = tg.nn.load_model(tmp_path / "model.npz")
    np.testing.assert_array_equal(again(x).numpy(), model(x).numpy())


# ------------------------------------------------------------------- early stopping


def test_early_stopping_restores_the_best_epoch():
    train, dev = make_noisy(seed=0), make_noisy(seed=1)
    model = make_model(classes=2)
    history = quiet(
        model, train, dev, epochs=80, early_stopping=5, optimizer=tg.optim.Adam(0.05)
    )
    assert tg.train.evaluate(model, *dev)[0] == min(history.dev_loss)


def test_early_stopping_waits_as_many_epochs_as_told():
    history = quiet(
        make_model(classes=2),
        make_noisy(seed=0),
        make_noisy(seed=1),
        epochs=80,
        early_stopping=5,
        optimizer=tg.optim.Adam(0.05),
    )
    assert history.stopped_early
    assert len(history.dev_loss) == history.best_epoch + 1 + 5


def test_training_that_improves_to_the_end_is_not_stopped():
    x, y = make_blobs()
    history = quiet(make_model(), (x, y), (x, y), epochs=5, early_stopping=2)
    assert (history.stopped_early, history.best_epoch) == (False, 4)


def test_ties_keep_the_first_epoch():
    x, y = make_blobs()
    frozen = tg.optim.SGD(0.0)
    history = quiet(
        make_model(), (x, y), (x, y), epochs=9, early_stopping=3, optimizer=frozen
    )
    assert (history.best_epoch, len(history.dev_loss)) == (0, 4)


# ------------------------------------------------------------------ memory-mapped data


def test_memory_mapped_examples_give_the_same_bits(tmp_path):
    x, y = make_blobs()
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    models = [make_model() for _ in range(2)]
    for model, examples in zip(models, (x, mapped), strict=True):
        quiet(model, (examples, y), standardise=True)
    assert as_bytes(models[0]) == as_bytes(models[1])


def test_integers_and_lists_are_examples_too():
    model = tg.nn.mlp([2, 2], ["softmax"], rng=0)
    history = quiet(model, ([[0, 1], [1, 0], [2, 2]], [0, 1, 1]))
    assert len(history.train_loss) == 3


def test_one_hot_labels_train_as_their_numbers_do():
    x, y = make_blobs()
    models = [make_model() for _ in range(2)]
    for model, labels in zip(models, (y, np.eye(3)[y]), strict=True):
        quiet(model, (x, labels))
    np.testing.assert_allclose(
        values(models[0])["layers.0.W"], values(models[1])["layers.0.W"], rtol=1e-12
    )
