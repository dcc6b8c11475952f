import os
import shutil

import keras
import numpy as np
import pytest
from pretraining.test_text import write_corpus

from keras_fpt import FPTClassifier
from keras_fpt.files import folder_lock
from keras_fpt.pretraining import (
    BitMemoryConfig,
    LanguageModelConfig,
    language_model,
    model_card,
    next_token,
    pretrain_bit_memory,
    pretrain_language_model,
)
from keras_fpt.pretraining.schedule import WarmupStableDecay

SMALL = {
    "num_layers": 1,
    "num_heads": 2,
    "hidden_dim": 16,
    "vocabulary_size": 280,
    "max_sequence_length": 32,
    "short_sequence_length": 8,
    "batch_tokens": 128,
    "validation_fraction": 0.1,
    "tokens": 1536,
    "learning_rate": 0.01,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def finished(corpus, tmp_path_factory):
    output = str(tmp_path_factory.mktemp("lm") / "tiny_lm")
    config = LanguageModelConfig((corpus,), **SMALL)
    return output, pretrain_language_model(config, output)


@pytest.mark.backend_free
def test_preset_is_complete(finished, data):
    import keras_hub

    output, results = finished
    model = keras_hub.models.GPT2CausalLM.from_preset(output)
    text = model.generate("the cat", 12, stop_token_ids=None)
    assert text.startswith("the cat") and len(text) > len("the cat")
    classifier = FPTClassifier.from_preset(output)
    classifier.fit(*data, verbose=0)
    with open(os.path.join(output, "README.md")) as file:
        card = file.read()
    assert f"{results['bits_per_byte']:.3f}" in card
    assert "keras-fpt pretrain language-model --output DIR" in card
    assert "--text corpus.txt" in card and "--batch-tokens 128" in card


@pytest.mark.backend_free
def test_weights_are_stored_as_float16(finished):
    import h5py

    kinds = set()
    with h5py.File(os.path.join(finished[0], "model.weights.h5")) as file:
        file.visititems(
            lambda name, item: kinds.add(str(getattr(item, "dtype", "group")))
        )
    assert kinds - {"group", "uint32"} == {"float16"}


@pytest.mark.backend_free
def test_results_are_those_of_the_files(finished, corpus):
    output, results = finished
    assert results["tokens_seen"] == 1536
    # 12 steps lower the loss from that of guessing.
    assert results["validation_loss"] < np.log(280) - 0.5
    assert results["bits_per_byte"] == pytest.approx(
        results["validation_loss"]
        * results["validation_tokens"]
        / results["validation_bytes"]
        / np.log(2)
    )


@pytest.mark.backend_free
def test_a_run_in_two_parts_is_the_run_in_one(
    corpus, tmp_path, monkeypatch, finished
):
    monkeypatch.setattr(language_model, "STEPS_PER_CHECKPOINT", 3)
    config = LanguageModelConfig((corpus,), **SMALL)
    whole = pretrain_language_model(config, str(tmp_path / "a"))

    def stop_after_two(path, model, metadata):
        save(path, model, metadata)
        if metadata["step"] == 6:
            raise KeyboardInterrupt

    save = language_model.checkpoints.save_state
    monkeypatch.setattr(
        language_model.checkpoints, "save_state", stop_after_two
    )
    output = str(tmp_path / "b")
    with pytest.raises(KeyboardInterrupt):
        pretrain_language_model(config, output)
    monkeypatch.setattr(language_model.checkpoints, "save_state", save)
    with pytest.raises(FileExistsError, match="--resume"):
        pretrain_language_model(config, output)
    parts = pretrain_language_model(config, output, resume=True)
    assert parts["validation_loss"] == pytest.approx(
        whole["validation_loss"], rel=1e-6
    )


@pytest.mark.backend_free
def test_resume_with_other_settings_is_refused(finished, corpus):
    config = LanguageModelConfig((corpus,), **{**SMALL, "seed": 4})
    with pytest.raises(ValueError, match="has seed=0 but received seed=4"):
        pretrain_language_model(config, finished[0], resume=True)


@pytest.mark.backend_free
def test_two_runs_never_write_to_one_folder(finished, corpus, tmp_path):
    config = LanguageModelConfig((corpus,), **SMALL)
    for output, resume in ((finished[0], True), (str(tmp_path), False)):
        with (
            folder_lock.lock(output, "a pretraining run"),
            pytest.raises(BlockingIOError, match="writing a pretraining run"),
        ):
            pretrain_language_model(config, output, resume)
    assert not any(tmp_path.iterdir())


@pytest.mark.backend_free
def test_what_a_killed_start_left_is_removed(corpus, tmp_path, monkeypatch):
    def killed(*arguments):
        raise SystemExit("killed")

    config = LanguageModelConfig((corpus,), **SMALL)
    with monkeypatch.context() as patch:
        patch.setattr(language_model, "_write_config", killed)
        patch.setattr(language_model.shutil, "rmtree", lambda _: None)
        with pytest.raises(SystemExit):
            pretrain_language_model(config, str(tmp_path))
    (left,) = tmp_path.glob("training.*.tmp")
    (left / "training" / "config.json.0123abcd.tmp").write_text("{")
    others = {
        "training.one.tmp/mine.txt",
        "training.two.tmp/training/tokens.bin/mine.txt",
        "training.three.tmp/training/mine.txt",
    }
    for name in others:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("mine")
    (tmp_path / "training.four.tmp").mkdir()
    (tmp_path / "training.four.tmp" / "training").symlink_to(left / "training")
    # Another start, which does not come far, either.
    monkeypatch.setattr(language_model, "_start", killed)
    with pytest.raises(SystemExit):
        pretrain_language_model(config, str(tmp_path))
    assert not left.exists()
    assert (tmp_path / "training.four.tmp" / "training").is_symlink()
    assert all((tmp_path / name).read_text() == "mine" for name in others)


@pytest.mark.backend_free
def test_too_little_text_is_refused(corpus, tmp_path):
    config = LanguageModelConfig(
        (corpus,), **{**SMALL, "batch_tokens": 32_000, "tokens": None}
    )
    with pytest.raises(ValueError, match="more than 32,000 tokens, one step"):
        pretrain_language_model(config, str(tmp_path / "x"))
    assert not (tmp_path / "x" / "training").exists()


@pytest.mark.backend_free
def test_folders_without_a_run_are_not_changed(corpus, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    config = LanguageModelConfig((corpus,), **SMALL)
    with pytest.raises(FileExistsError, match="contains no pretraining run"):
        pretrain_language_model(config, str(tmp_path), True)
    assert (tmp_path / "README.md").read_text() == "mine"


@pytest.mark.backend_free
def test_a_folder_of_that_name_is_not_removed(corpus, tmp_path):
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "precious.txt").write_text("mine")
    config = LanguageModelConfig((corpus,), **SMALL)
    with pytest.raises(FileExistsError, match="contains no pretraining run"):
        pretrain_language_model(config, str(tmp_path))
    assert (tmp_path / "training" / "precious.txt").read_text() == "mine"


@pytest.mark.backend_free
def test_a_pretraining_run_with_links_is_not_resumed(
    finished, corpus, tmp_path
):
    shutil.copytree(finished[0], tmp_path / "run")
    (tmp_path / "bashrc").write_text("mine")
    state = tmp_path / "run" / "training" / "history.csv"
    state.unlink()
    state.symlink_to(tmp_path / "bashrc")
    config = LanguageModelConfig((corpus,), **SMALL)
    with pytest.raises(FileExistsError, match=r"history.csv` is a link"):
        pretrain_language_model(config, str(tmp_path / "run"), resume=True)
    assert (tmp_path / "bashrc").read_text() == "mine"


@pytest.mark.backend_free
def test_a_linked_lock_is_not_written_to(corpus, tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / "mine")
    config = LanguageModelConfig((corpus,), **SMALL)
    with pytest.raises(FileExistsError, match=r".lock` is a link"):
        pretrain_language_model(config, str(tmp_path / "run"))
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.backend_free
def test_bit_memory_checks_its_folder_before_it_trains(
    preset, tmp_path, monkeypatch
):
    monkeypatch.setattr(keras.Model, "fit", lambda *_, **__: pytest.fail())
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "full", "link"):
        with pytest.raises(FileExistsError, match=name):
            pretrain_bit_memory(BitMemoryConfig(preset), tmp_path / name)
    assert (tmp_path / "file").read_text() == "mine"


def test_schedule_warms_up_stays_and_decays():
    schedule = WarmupStableDecay(2.0, 4, 10, 20)
    rates = [float(schedule(step)) for step in (0, 3, 9, 10, 15, 20)]
    assert rates == pytest.approx([0.5, 2.0, 2.0, 2.0, 1.0, 0.0])
    copy = type(schedule).from_config(schedule.get_config())
    assert float(copy(15)) == 1.0


def test_losses_match_a_computation_by_hand(backbone):
    model = next_token.with_logits(backbone)
    tokens = np.random.default_rng(0).integers(0, 50, 40)
    losses = next_token.token_losses(model, tokens, 8)
    assert losses.shape == (4, 8)
    x = tokens[8:16][None].astype("int32")
    logits = keras.ops.convert_to_numpy(
        model({"token_ids": x, "padding_mask": np.ones_like(x)})
    )[0].astype("float64")
    log_z = np.log(np.exp(logits).sum(-1))
    expected = log_z - logits[np.arange(8), tokens[9:17]]
    np.testing.assert_allclose(losses[1], expected, rtol=1e-5)


@pytest.mark.backend_free
def test_count_models_on_a_case_by_hand():
    # After 0 comes 1 always; 2 never occurs.
    train = np.array([0, 1] * 50)
    unigram, bigram = model_card.count_models(train, np.array([0, 1, 0]), 3)
    p = np.array([51, 51, 1]) / 103
    assert unigram == pytest.approx(-np.log(p[1] * p[0]))
    after_0 = (50 + 100 * p[1]) / 150
    after_1 = (49 + 100 * p[0]) / 150
    assert bigram == pytest.approx(-np.log(after_0 * after_1))


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocabulary_size": 200}, "vocabulary size between 257"),
        ({"num_heads": 3}, "that 3 heads divide"),
        ({"short_sequence_length": 5}, "that divides"),
        ({"batch_tokens": 100}, "multiple of"),
        ({"tokens": 0}, "at least one step"),
        ({"learning_rate": 0.0}, "learning rate above 0"),
        ({"validation_fraction": 1.0}, "validation_fraction from 0"),
    ],
)
def test_bad_configuration(change, message):
    with pytest.raises(ValueError, match=message):
        LanguageModelConfig(("x",), **{**SMALL, **change})


@pytest.fixture
def broken_off(corpus, tmp_path, monkeypatch):
    """A run that has ended before its first step, and its configuration."""
    text = tmp_path / "text.txt"
    shutil.copy(corpus, text)
    config = LanguageModelConfig((str(text),), **SMALL)
    with monkeypatch.context() as patch:
        patch.setattr(language_model, "_build", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            pretrain_language_model(config, str(tmp_path / "lm"))
    return config, tmp_path / "lm"


def change_text(config, work):
    with open(config.texts[0], "a") as file:
        file.write("another line\n")


def cut_tokens(config, work):
    path = work / "tokens.bin"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 4 * 2])


def change_tokenizer(config, work):
    path = work / "merges.txt"
    path.write_text(path.read_text() + "a b\n")


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_text, "The text has changed since the run in"),
        (cut_tokens, "tokens.bin` is damaged"),
        (change_tokenizer, "merges.txt` is damaged"),
    ],
)
def test_changed_text_and_damaged_tokens_are_not_resumed(
    broken_off, change, message
):
    config, output = broken_off
    change(config, output / "training")
    with pytest.raises(ValueError, match=message):
        pretrain_language_model(config, str(output), resume=True)


@pytest.mark.backend_free
def test_the_same_text_may_have_moved(broken_off, tmp_path, monkeypatch):
    config, output = broken_off
    moved = (tmp_path / "text.txt").rename(tmp_path / "moved.txt")
    config = LanguageModelConfig((str(moved),), **SMALL)
    monkeypatch.setattr(language_model, "_build", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # It continues.
        pretrain_language_model(config, str(output), resume=True)
