import keras
import pytest

from keras_fpt.compat import optimizer_settings

pytestmark = pytest.mark.backend_free


@pytest.fixture
def variable():
    return keras.Variable([1.0], name="gamma")


@pytest.fixture(params=["alone", "scaled"])
def optimizer(request):
    """It spares `gamma` from decay."""
    optimizer = keras.optimizers.AdamW()
    optimizer.exclude_from_weight_decay(var_names=["gamma"])
    if request.param == "scaled":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def spares(optimizer, variable):
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return not inner._use_weight_decay(variable)


def test_the_fault_is_still_there(optimizer, variable):
    assert spares(optimizer, variable)
    copy = type(optimizer).from_config(optimizer.get_config())
    assert not spares(copy, variable)


def test_the_workaround_carries_it(optimizer, variable):
    assert spares(optimizer_settings.without_state(optimizer), variable)


def test_a_built_optimizer_names_what_it_trains(variable):
    optimizer = keras.optimizers.Adam()
    optimizer.build([variable])
    (known,) = optimizer_settings.trained_by(optimizer)
    assert known is variable
