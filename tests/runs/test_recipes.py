"""The recipe `reference`, and a step of it in PyTorch and transformers."""

import dataclasses

import keras
import numpy as np
import pytest

from keras_fpt.runs import RunConfig, build_model, resolve

STILL = {"dropout": 0.0, "input_dropout": 0.0}
# Keras's Adam adds its epsilon before it corrects the bias, which at the first
# step is as if it were 3e-7. With this seed, no gradient of the step on vectors
# is so small that it matters; the step on tokens has many more.
SEED = 12
EPSILON = {"vectors": 1e-8, "tokens": 1e-8 / (1 - 0.999) ** 0.5}


def numpy(variable):
    return np.asarray(keras.ops.convert_to_numpy(variable))


def by_name(model):
    """The weights of a model, by the names that `Reference` copies them by."""
    named = {
        f"{layer.name}/{variable.name}": numpy(variable)
        for layer in (model.input_layer, model.output_layer)
        for variable in layer.weights
    }
    named |= {v.path: numpy(v) for v in model.backbone.weights}
    return named


def as_reference(named, blocks=2):
    """The same weights by the names of PyTorch and transformers."""
    width = named["layer_norm/gamma"].shape[0]
    weights = {
        "gpt2.wpe.weight": named["position_embedding/embeddings"],
        "gpt2.ln_f.weight": named["layer_norm/gamma"],
        "gpt2.ln_f.bias": named["layer_norm/beta"],
        "output.weight": named["output/kernel"].T,
        "output.bias": named["output/bias"],
    }
    if "input/kernel" in named:
        weights["input.weight"] = named["input/kernel"].T
        weights["input.bias"] = named["input/bias"]
    else:
        weights["input.weight"] = named["input/embeddings"]
    for i in range(blocks):
        ours, theirs = f"transformer_layer_{i}", f"gpt2.h.{i}"
        attention = f"{ours}/self_attention"
        parts = [f"{attention}/{name}" for name in ("query", "key", "value")]
        for suffix, shape in (("weight", (width, width)), ("bias", (width,))):
            kind = {"weight": "kernel", "bias": "bias"}[suffix]
            weights[f"{theirs}.attn.c_attn.{suffix}"] = np.concatenate(
                [named[f"{part}/{kind}"].reshape(shape) for part in parts], -1
            )
            weights[f"{theirs}.attn.c_proj.{suffix}"] = named[
                f"{attention}/attention_output/{kind}"
            ].reshape(shape)
            for layer, dense in (
                ("c_fc", "feedforward_intermediate_dense"),
                ("c_proj", "feedforward_output_dense"),
            ):
                weights[f"{theirs}.mlp.{layer}.{suffix}"] = named[
                    f"{ours}/{dense}/{kind}"
                ]
            kind = {"weight": "gamma", "bias": "beta"}[suffix]
            for norm, layer in (
                ("ln_1", "self_attention_layer_norm"),
                ("ln_2", "feedforward_layer_norm"),
            ):
                weights[f"{theirs}.{norm}.{suffix}"] = named[
                    f"{ours}/{layer}/{kind}"
                ]
    return weights


def reference_step(weights, x, y, num_read, epsilon):
    """A step as the paper and the reference code describe it.

    Returns:
        The loss, and the weights after the step.
    """
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(
        vocab_size=1,
        n_positions=128,
        n_embd=16,
        n_layer=2,
        n_head=2,
        n_inner=32,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        attn_implementation="eager",
        bos_token_id=0,
        eos_token_id=0,
    )
    rows, columns = weights["input.weight"].shape
    is_vector = "input.bias" in weights
    model = torch.nn.ModuleDict(
        {
            "gpt2": transformers.GPT2Model(config),
            "input": torch.nn.Linear(columns, rows)
            if is_vector
            else torch.nn.Embedding(rows, columns),
            "output": torch.nn.Linear(*weights["output.weight"].T.shape),
        }
    )
    state = {name: torch.tensor(value) for name, value in weights.items()}
    missing = model.load_state_dict(state, strict=False)
    assert missing.missing_keys == ["gpt2.wte.weight"]
    assert not missing.unexpected_keys
    trained = {
        name: parameter
        for name, parameter in model.named_parameters()
        if ".ln_" in name or "wpe" in name or not name.startswith("gpt2")
    }
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name in trained
    x = torch.tensor(x) if is_vector else torch.tensor(x).long()
    hidden = model["gpt2"](inputs_embeds=model["input"](x)).last_hidden_state
    # The last positions, also where they are padding.
    logits = model["output"](hidden[:, -num_read:])
    labels = torch.tensor(y).long().reshape(-1)
    classes = logits.shape[-1]
    loss = torch.nn.functional.cross_entropy(
        logits.reshape(-1, classes), labels
    )
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
    torch.optim.Adam(trained.values(), lr=1e-3, eps=epsilon).step()
    after = {n: p.detach().numpy() for n, p in model.named_parameters()}
    return loss.item(), after


@pytest.mark.parametrize("kind", ["vectors", "tokens"])
def test_a_step_is_that_of_pytorch_and_transformers(kind, preset):
    config = RunConfig("bit_xor", preset, recipe="reference")
    run = resolve(config.with_settings(**STILL))
    generator = np.random.default_rng(SEED)
    if kind == "tokens":
        task = dataclasses.replace(
            run.task,
            input_dim=None,
            vocabulary_size=30,
            num_classes=12,
            num_output_tokens=1,
        )
        run = dataclasses.replace(run, task=task)
        x = generator.integers(5, 30, (8, 11)).astype("int32")
        x[:4, 7:] = 0  # Padding, which the reference code reads.
        y = generator.integers(0, 12, 8).astype("int32")
    else:
        x, y = next(iter(run.task.datasets(8).train.as_numpy_iterator()))
        assert set(np.unique(x)) == {0, 1}
    model = build_model(run)
    for variable in model.weights:
        # The same on every backend, and of a size at which gradients are not
        # tiny either.
        value = generator.normal(0, 0.5, variable.shape)
        variable.assign(value.astype("float32"))
    before = by_name(model)
    expected_loss, expected = reference_step(
        as_reference(before), x, y, run.task.num_output_tokens, EPSILON[kind]
    )
    loss = model.train_on_batch(x, y)[0]
    assert float(loss) == pytest.approx(expected_loss, abs=1e-5)
    after = as_reference(by_name(model))
    for name, value in after.items():
        np.testing.assert_allclose(
            value, expected[name], rtol=0, atol=1e-5, err_msg=name
        )
    moved = {
        name
        for name, value in after.items()
        if (value != as_reference(before)[name]).any()
    }
    assert not any("attn" in name or "mlp" in name for name in moved)
    assert {"input.weight", "output.bias", "gpt2.h.0.ln_2.bias"} <= moved


@pytest.mark.backend_free
@pytest.mark.parametrize("arm", ["fpt", "random", "lstm"])
def test_the_recipe_is_a_set_of_defaults(arm, preset):
    run = resolve(RunConfig("bit-xor", preset, arm, recipe="reference"))
    settings = run.settings()
    assert (run.task.name, settings["options"]) == (
        "bit_xor:reference",
        {"variant": "reference"},
    )
    assert settings["learning_rate"] == (3e-4 if arm == "lstm" else 1e-3)
    assert settings["batch_size"] == 2
    assert settings["dropout"] == settings["input_dropout"] == 0.1
    assert settings["embedding_init"] == "normal"
    assert settings["output_init"] == "pytorch"
    drawn = {"fpt": None, "random": "flat", "lstm": "uniform"}
    assert settings["random_init"] == drawn[arm]
    # What a run's folder holds resolves to itself.
    assert resolve(RunConfig.from_settings(settings, "test")).settings() == (
        settings
    )


@pytest.mark.backend_free
def test_what_is_set_by_hand_wins_over_the_recipe(preset):
    config = RunConfig("listops:bracketless", preset, "random")
    config = config.with_settings(
        recipe="reference",
        dropout=0.0,
        batch_size=7,
        embedding_init="orthogonal",
        random_init="gpt2",
    )
    run = resolve(config)
    assert run.task.name == "listops:bracketless" and run.batch_size == 7
    assert run.model.dropout == 0.0
    assert run.model.embedding_init == "orthogonal"
    assert run.draw.style == "gpt2"
    assert run.model.output_init == "pytorch"
    with pytest.raises(ValueError, match="Unknown recipe 'paper'.*reference"):
        resolve(RunConfig("bit_xor", recipe="paper"))


@pytest.mark.backend_free
def test_tasks_that_the_reference_code_lacks_keep_their_encoding(sums_file):
    for name in ("bit_memory", "digits", sums_file):
        run = resolve(RunConfig(name, recipe="reference"))
        assert run.options == {} and ":" not in run.task.name
        assert run.learning_rate == 1e-3
    named = RunConfig("mnist", recipe="reference", source=sums_file)
    assert resolve(named).options == {}
