"""Trains, and evaluates, one run."""

import contextlib
import dataclasses
import functools
import json
import math
import pathlib
import platform

import keras
import numpy as np

import keras_fpt
from keras_fpt import files, distribution, freezing
from keras_fpt.runs import (arms, data_description as described, errors as faults, feature_data, folder as run_folder)
from keras_fpt.runs.curves import (draw_curves)
from keras_fpt.runs.recorder import (CHECKPOINT_SECONDS, Recorder)
from keras_fpt.runs.signals import (Preempted, Stopping)
from keras_fpt.models import FPTClassifier
from keras_fpt.progress import StepProgress

CLASSES_SHOWN = 5
TRAIN_SUBSET_SIZE = 2048
# While a run trains, it looks at no more of the validation split than this.
VALIDATION_SUBSET_SIZE = 1000
ACCURACY_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def train(
    config,
    folder=None,
    resume=False,
    overwrite=False,
    log=print,
    checkpoint_seconds=CHECKPOINT_SECONDS,
    test=True,
):
    """Trains a run and leaves its record in a folder.

    A run that is killed at any moment and resumed, on the same backend, ends
    as if nothing had happened: with the same metrics and adapter, bit for
    bit.

    Within `keras_fpt.distribution.scope` it is spread over devices and
    processes. The first process alone writes; several checkpoint only before
    each evaluation.

    Args:
        config: a `RunConfig`.
        folder: path of the run's folder. `None` makes a new one,
            `runs/<task>-<arm>-<n>`. Several processes must share one.
        resume: bool, whether to go on with the run that is there, if any.
        overwrite: bool, whether to replace the run that is there, if any.
        log: function that takes a line of text.
        checkpoint_seconds: float, the least time between two checkpoints.
            It is longer where writing one takes over a twentieth of it.
        test: bool, whether the run ends with a look at the test split, and at
            further held-out ones. `add_test` has one later.

    Returns:
        The dict in `metrics.json`.

    Raises:
        ValueError, FileNotFoundError: something in `config` is not right.
        FileExistsError: the folder holds a run already.
        ConnectionError: another process of a distributed run was lost.
        BlockingIOError: another process is writing a run to the folder.
        OSError: the folder cannot be written to, or the disk is full.
        FloatingPointError: the loss or a weight became NaN or infinite.
        MemoryError: there is too little memory.
        Preempted: SIGTERM asked the process to stop. Like `KeyboardInterrupt`,
            it leaves a run that can be resumed.
    """
    if folder is None and (resume or overwrite):
        raise ValueError(
            "Say which run to resume or overwrite: give its output folder."
        )
    if folder is None and distribution.num_processes() > 1:
        raise ValueError(
            "In several processes, give an output folder that they all share."
        )
    if not distribution.is_first_process():
        log = _say_nothing
    if folder is not None:
        folder = pathlib.Path(folder)
        run_folder.check(folder, resume, overwrite)
    stopping = Stopping()
    with stopping.watching(), faults.memory_explained():
        task = config.load_task(verbose=True)
        config = config.resolve(task)
        if resume and run_folder.is_finished(folder):
            return _read_finished(config, folder, log)

        # Everything that bad input can break is made before the folder is.
        _check_batch_size(config.batch_size)
        keras.utils.set_random_seed(config.seed)
        model = build_model(config, task)
        if config.cache_features:
            feature_data.check(task, model)
        if folder is None:
            folder = run_folder.new_folder(task.name, config.arm)
        make_recorder = functools.partial(
            Recorder, folder, config, stopping, checkpoint_seconds, log
        )
        with contextlib.ExitStack() as stack:
            distribution.total(0)  # All have looked at what is there.
            if distribution.is_first_process():
                stack.enter_context(run_folder.hold(folder))
                run_folder.claim(folder, config, resume, overwrite)
                if task.reader is not None:
                    described.keep(task, folder)
                recorder = make_recorder()
            distribution.total(0)  # The first has tidied up.
            if not distribution.is_first_process():
                recorder = make_recorder()
            _check_shared(recorder)
            return _run(config, task, model, recorder, log, test)


def _say_nothing(line):
    pass


def _check_batch_size(batch_size):
    spread = distribution.current()
    if spread is not None and batch_size % spread.num_replicas:
        raise ValueError(
            f"A batch size of {batch_size} cannot be shared out between "
            f"{spread.num_replicas} devices. Use a multiple of it."
        )


def _check_shared(recorder):
    """Checks that all processes begin at the same step."""
    steps = distribution.total(recorder.step)
    if steps != recorder.step * distribution.num_processes():
        raise ValueError(
            f"The processes see different states of the run in "
            f"`{recorder.folder}`. The output folder must be on a file system "
            "that all of them share."
        )


def _read_finished(config, folder, log):
    run_folder.check_same(folder, config)
    run_folder.remove_checkpoints(folder)
    log(f"The run in `{folder}` is finished; there is nothing to resume.")
    return read_metrics(folder)


def _run(config, task, model, recorder, log, test):
    """Trains from where the recorder is, and finishes; says so if it stops."""
    folder = recorder.folder
    if distribution.current() is not None:
        log(f"Distribution: {distribution.current().description}.")
    if recorder.step:
        log(f"Resuming after step {recorder.step:,}.")
    _log_start(config, task, model, folder, log)
    try:
        with faults.full_disk_explained(folder, recorder.kept_state):
            _fit(config, task, model, recorder)
            return _finish(config, task, model, recorder, log, test)
    except (KeyboardInterrupt, Preempted):
        log(
            f"Interrupted after step {recorder.step:,}. The same command with "
            f"--output {folder} --resume goes on from "
            f"{recorder.kept_state()}."
        )
        raise
    except Exception:
        # A signal that waited for the end of a step, which never came, since
        # another process had ended.
        if recorder.stopping.waiting is not None:
            raise recorder.stopping.waiting from None
        raise


def _fit(config, task, model, recorder):
    """Trains from where the recorder is to the last step."""
    validation = _head(
        task.datasets(config.batch_size, config.seed).validation,
        VALIDATION_SUBSET_SIZE,
        config,
    )

    def make_train(first_batch):
        return task.datasets(config.batch_size, config.seed, first_batch).train

    if config.cache_features:
        model, make_train, validation = _on_features(
            config, task, model, validation, recorder.folder
        )
    recorder.set_model(model)
    if recorder.train_logs is not None:
        recorder.restore()
        recorder.add_row(_evaluate(model, validation))
    elif recorder.is_within_segment:
        # On TensorFlow, Keras makes the metrics' variables, which the
        # recorder is about to fill, no sooner than it uses them.
        model.evaluate(validation.take(1), verbose=0)
    progress = StepProgress(
        task.name, config.steps, recorder.step, config.batch_size, "examples"
    )
    is_shown = distribution.is_first_process()
    with progress if is_shown else contextlib.nullcontext():
        while recorder.step < config.steps:
            # First what is left of a segment that was broken off, if one was.
            done, steps = len(recorder.rows), recorder.steps_to_evaluation
            is_rest = steps < recorder.steps_per_segment
            model.fit(
                make_train(recorder.step),
                validation_data=validation,
                initial_epoch=done,
                epochs=done + 1 if is_rest else recorder.segments,
                steps_per_epoch=steps,
                shuffle=False,
                callbacks=[progress, recorder],
                verbose=0,
            )


def _on_features(config, task, model, validation, folder):
    """What to train, and on what, where the features are computed once."""
    size = config.batch_size
    path = folder / run_folder.FEATURES
    features = feature_data.train_features(task, model, size, path)
    validation = feature_data.held_out_batches(validation, model, size)

    def make_train(first_batch):
        return feature_data.train_batches(
            task, features, size, config.seed, first_batch
        )

    return model.feature_head(), make_train, validation


def build_model(config, task):
    """The compiled `FPTClassifier` of a resolved `RunConfig`.

    Raises:
        ValueError: the preset cannot be had, or its positions are too few.
    """
    backbone = arms.get(config.arm).make_backbone(config, task)
    positions = task.sequence_length if config.learned_positions else None
    arguments = {
        **task.model_arguments(),
        "policy": config.policy,
        "readout": config.readout,
        "dropout": config.dropout,
        "depth": config.depth,
        "learned_positions": positions,
        "quantize": config.quantize,
        "rematerialize": config.rematerialize,
    }
    model = FPTClassifier(backbone, **arguments)
    limit = model.max_sequence_length
    if limit is not None and task.sequence_length > limit:
        raise ValueError(
            f"The task '{task.name}' has sequences of {task.sequence_length} "
            f"tokens, but the preset '{config.preset}' has {limit} positions."
        )
    metrics = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
    if task.top_5:
        top_5 = keras.metrics.SparseTopKCategoricalAccuracy
        metrics.append(top_5(5, name="top_5_accuracy"))
    settings = {
        "learning_rate": config.learning_rate,
        "gradient_accumulation_steps": config.gradient_accumulation_steps,
    }
    model.compile(
        optimizer=keras.optimizers.Adam.from_config(
            {**model.optimizer.get_config(), **settings}
        ),
        loss=model.loss,
        metrics=metrics,
        jit_compile=model.jit_compile,
    )
    return model


def evaluate(folder, split="test", data_dir=None):
    """Evaluates a finished run again, from its adapter.

    Args:
        folder: path of the run's folder.
        split: string, `"validation"`, `"test"` or another held-out split of
            the task.
        data_dir: where the task's data is now, or the person's own file or
            folder; `None` is where it was.

    Returns:
        A dict of `loss`, `accuracy` and what else the task reports.

    Raises:
        FileNotFoundError: the folder holds no finished run.
        ValueError: the split is unknown, the adapter does not fit, or a
            person's own data has changed.
    """
    config, task, model = trained(folder, data_dir)
    return _evaluate(model, task.held_out(split, config.batch_size))


def trained(folder, data_dir=None):
    """A finished run's resolved `RunConfig`, `Task` and trained model.

    Args:
        folder: path of the run's folder.
        data_dir: as for `evaluate`.

    Raises:
        FileNotFoundError: the folder holds no finished run.
        ValueError: the adapter does not fit, or a person's own data has
            changed.
    """
    config = run_folder.read_config(folder)
    adapter = run_folder.finished_adapter(folder)
    if data_dir is not None:
        name = "data_dir" if config.source is None else "source"
        config = dataclasses.replace(config, **{name: str(data_dir)})
    task = config.load_task()
    if task.reader is not None:
        described.check_same(task, folder)
    model = build_model(config, task)
    model.load_adapter(adapter)
    return config, task, model


def read_metrics(folder):
    """The dict in a run's `metrics.json`."""
    return json.loads(pathlib.Path(folder, run_folder.METRICS).read_text())


def _log_start(config, task, model, folder, log):
    trained = freezing.count_parameters(model.trainable_variables)
    total = freezing.count_parameters(model.weights)
    log(f"Task {task.name}: {task.description}.")
    log(_balance(task))
    log(
        f"Arm {config.arm} ({arms.get(config.arm).description}) of "
        f"{config.preset}: {trained:,} of {total:,} parameters train."
    )
    if config.cache_features:
        log(
            "The frozen features of the training examples are computed once, "
            "before the first step."
        )
    log(
        f"{config.steps:,} steps of {config.batch_size}, learning rate "
        f"{config.learning_rate:g}, dropout {config.dropout:g}, seed "
        f"{config.seed}, {keras.backend.backend()} backend. Output: {folder}"
    )


def _balance(task):
    """How the classes of train are shared out, in words."""
    counts = task.class_counts("train")
    always = (
        f"always giving the commonest is right in "
        f"{task.majority_accuracy('validation'):.1%} of validation."
    )
    if counts is None:
        return f"Answers are generated; {always}"
    commonest = np.argsort(-counts, kind="stable")[:CLASSES_SHOWN]
    shares = ", ".join(
        f"{task.class_names[i] if task.class_names else i} "
        f"{counts[i] / counts.sum():.1%}"
        for i in commonest
    )
    more = len(counts) - len(commonest)
    shares += f" and {more:,} more" if more else ""
    return f"Classes of train: {shares}; {always}"


def _finish(config, task, model, recorder, log, test):
    """Evaluates once more, and writes all that a finished run leaves."""
    names = "train, validation and test" if test else "train and validation"
    log(f"Evaluating on {names}.")
    splits = task.datasets(config.batch_size, config.seed)
    metrics = {
        **json.loads(config.to_json()),
        "backend": keras.backend.backend(),
        "trainable_parameters": freezing.count_parameters(
            model.trainable_variables
        ),
        "total_parameters": freezing.count_parameters(model.weights),
    }
    for name, split in (
        ("train", _head(splits.train, train_subset_size(task), config)),
        ("validation", splits.validation),
    ):
        metrics |= _prefixed(name, _evaluate(model, split))
    if test:
        metrics |= _test_metrics(config, task, model)
    metrics |= {
        f"{name}_majority_accuracy": task.majority_accuracy(name)
        for name in task.held_out_splits
    }
    metrics["steps_to_accuracy"] = steps_to_accuracy(recorder.rows)
    metrics["wall_seconds"] = recorder.rows[-1]["seconds"]
    metrics["distribution"] = getattr(
        distribution.current(), "description", None
    )
    metrics["versions"] = _versions()
    if not distribution.is_first_process():
        return metrics

    folder = recorder.folder
    model.save_adapter(
        folder / run_folder.ADAPTER,
        {
            name: metrics[name]
            for name in ("task", "arm", "preset", "seed", "depth", "quantize")
        },
    )
    split = "test" if test else "validation"
    draw_curves(
        recorder.rows,
        f"{config.task}, arm {config.arm}, {config.preset}, seed "
        f"{config.seed}: {split} accuracy {metrics[f'{split}_accuracy']:.1%}",
        folder / run_folder.CURVES,
    )
    files.write_text(
        folder / run_folder.METRICS, json.dumps(metrics, indent=2) + "\n"
    )
    run_folder.remove_checkpoints(folder)
    (folder / run_folder.FEATURES).unlink(missing_ok=True)
    log(
        f"Written to {folder}: {run_folder.METRICS}, {run_folder.HISTORY}, "
        f"{run_folder.CURVES}, {run_folder.ADAPTER}, {run_folder.TENSORBOARD}/"
    )
    return metrics


def _test_metrics(config, task, model):
    """Of the test split, and of further held-out ones."""
    metrics = {}
    for name in task.held_out_splits[1:]:
        metrics |= _prefixed(
            name, _evaluate(model, task.held_out(name, config.batch_size))
        )
    return metrics


def add_test(folder):
    """Reads the test split for a run that was trained with `test=False`.

    Args:
        folder: path of the finished run's folder.

    Returns:
        The dict in `metrics.json`, which has the new metrics now.

    Raises:
        FileNotFoundError: the folder holds no finished run.
        BlockingIOError: another process is writing to the folder.
    """
    folder = pathlib.Path(folder)
    with run_folder.hold(folder):
        config, task, model = trained(folder)
        metrics = read_metrics(folder) | _test_metrics(config, task, model)
        files.write_text(
            folder / run_folder.METRICS, json.dumps(metrics, indent=2) + "\n"
        )
    return metrics


def train_subset_size(task):
    """How many examples are evaluated for a run's metrics on train."""
    return min(task.data.size("train") or math.inf, TRAIN_SUBSET_SIZE)


def _head(dataset, size, config):
    """The first batches of a data set, with at least `size` examples."""
    return dataset.take(math.ceil(size / config.batch_size))


def _evaluate(model, dataset):
    result = model.evaluate(dataset, verbose=0, return_dict=True)
    return {name: float(value) for name, value in result.items()}


def _prefixed(split, values):
    return {f"{split}_{name}": value for name, value in values.items()}


def steps_to_accuracy(rows):
    """The first evaluated step at which validation accuracy reached a level.

    Args:
        rows: list of dicts as in `history.csv`.

    Returns:
        A dict from each threshold, as text, to a step or `None`.
    """
    return {
        str(threshold): next(
            (
                row["step"]
                for row in rows
                if row["validation_accuracy"] >= threshold
            ),
            None,
        )
        for threshold in ACCURACY_THRESHOLDS
    }


def _versions():
    from importlib import metadata

    backend = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}
    packages = ["keras", "keras-hub", "numpy"]
    packages.append(backend[keras.backend.backend()])
    return {
        "keras-fpt": keras_fpt.__version__,
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
    }
