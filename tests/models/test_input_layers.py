import keras
import numpy as np
import pytest
from conftest import gpt2_backbone

from keras_fpt import FPTClassifier
from keras_fpt.models import AttentionBackbone, frozen_features


def initial(layer):
    return [keras.ops.convert_to_numpy(v) for v in layer.weights]


def test_the_input_matches_the_norm_of_the_token_embedding():
    backbone = gpt2_backbone()
    table = keras.ops.convert_to_numpy(
        next(v for v in backbone.weights if "token_embedding" in v.path)
    )
    norm = np.sqrt((table**2).sum(1).mean())
    for arguments in ({"input_dim": 5}, {"input_dim": 40}):
        model = FPTClassifier(backbone, input_scale="pretrained", **arguments)
        kernel, bias = initial(model.input_layer)
        assert (bias == 0).all()
        # Entries of -1 and +1 have a mean square of 1.
        bits = np.random.choice([-1.0, 1.0], (20_000, kernel.shape[0]))
        embedded = np.sqrt(((bits @ kernel) ** 2).sum(1).mean())
        assert embedded == pytest.approx(norm, rel=0.02)
    for init in ("orthogonal", "normal"):
        model = FPTClassifier(
            backbone,
            vocabulary_size=30,
            input_scale="pretrained",
            embedding_init=init,
        )
        (rows,) = initial(model.input_layer)
        assert np.sqrt((rows**2).sum(1).mean()) == pytest.approx(norm, rel=1e-4)


@pytest.mark.backend_free
def test_a_backbone_without_a_token_embedding_gives_no_scale():
    backbone = AttentionBackbone(8, 2, 16)
    with pytest.raises(ValueError, match="AttentionBackbone does not have"):
        FPTClassifier(backbone, input_scale="pretrained")


def test_new_layers_begin_as_in_the_reference_code():
    model = FPTClassifier(
        gpt2_backbone(),
        num_classes=200,
        vocabulary_size=300,
        embedding_init="normal",
        output_init="pytorch",
    )
    (rows,) = initial(model.input_layer)
    assert rows.std() == pytest.approx(1.0, rel=0.05)
    assert abs(rows.mean()) < 0.05
    for value in initial(model.output_layer):
        assert np.abs(value).max() <= 0.25  # 1/sqrt(16)
        assert value.std() == pytest.approx(0.25 / np.sqrt(3), rel=0.1)


def test_dropout_of_the_input_is_of_vectors_in_training(data):
    x, _ = data
    model = FPTClassifier(
        gpt2_backbone(), input_dropout=0.5, policy="output_only"
    )
    still = [model(x, training=False) for _ in range(2)]
    np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, still))
    embedded, _, _ = model.embed(x, training=True)
    dropped = (keras.ops.convert_to_numpy(embedded) == 0).mean()
    assert 0.4 < dropped < 0.6
    with pytest.raises(ValueError, match="input_dropout=0.5"):
        frozen_features.check_constant(model)
    again = FPTClassifier.from_config(model.get_config())
    assert again.options == model.options
    of_tokens = FPTClassifier(
        gpt2_backbone(), input_dropout=0.5, vocabulary_size=9
    )
    assert of_tokens.input_dropout_layer is None


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("embedding_init", "N(0, 1)"),
        ("input_scale", "2"),
        ("output_init", "torch"),
        ("input_dropout", 1.0),
    ],
)
def test_an_option_that_is_unknown_or_out_of_range(option, value):
    with pytest.raises(ValueError, match=option):
        FPTClassifier(gpt2_backbone(), **{option: value})
