"""Records a run while it trains."""

import csv
import io
import math
import time

import keras

from keras_fpt import checkpoints
from keras_fpt.experiments import run_folder


class Recorder(keras.callbacks.Callback):
    """Writes a run's history and state at each evaluation.

    A row of the history is written together with the state that it belongs
    to, so that a run which goes on repeats and loses none.

    Args:
        folder: `pathlib.Path` of the run. If it holds a state, training
            begins from there.
        config: the resolved `RunConfig`.
    """

    def __init__(self, folder, config):
        super().__init__()
        self.folder = folder
        self.config = config
        self.state = folder / run_folder.STATE
        self.rows = rows = []
        if self.state.exists():
            saved = checkpoints.read_metadata(self.state)
            backend = keras.backend.backend()
            if saved["backend"] != backend:
                raise ValueError(
                    f"The run in `{folder}` was begun on {saved['backend']} "
                    f"and cannot go on on {backend}. Set "
                    f"KERAS_BACKEND={saved['backend']}."
                )
            rows += saved["history"]
        self.step = rows[-1]["step"] if rows else 0
        self.seconds_before = rows[-1]["seconds"] if rows else 0.0

    def kept_state(self):
        """Where a resumed run would begin, in words."""
        if not self.rows:
            return "the beginning"
        return f"the state kept at step {self.rows[-1]['step']:,}"

    @property
    def seconds(self):
        """Wall time of the run so far, over all its parts."""
        return self.seconds_before + time.perf_counter() - self.started

    def on_train_begin(self, logs=None):
        import tensorflow as tf

        if self.step:
            checkpoints.load_state(self.state, self.model)
        self.started = time.perf_counter()
        self.writer = tf.summary.create_file_writer(
            str(self.folder / run_folder.TENSORBOARD)
        )

    def on_train_batch_begin(self, batch, logs=None):
        # On PyTorch, Keras draws dropout from a global generator, and draws
        # from it for other ends too when it sets out to train or evaluate.
        if batch == 0:
            keras.utils.set_random_seed((self.config.seed + self.step) % 2**32)

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        self._check_finite("loss", logs["loss"])
        if self.step == self.config.steps:
            self.model.stop_training = True

    def _check_finite(self, name, value):
        if not math.isfinite(float(value)):
            raise FloatingPointError(
                f"The {name} became {float(value)} at step {self.step}, with "
                f"learning rate {self.config.learning_rate:g} and batch size "
                f"{self.config.batch_size}. The run would resume from "
                f"{self.kept_state()}; try a lower learning rate."
            )

    def on_epoch_end(self, epoch, logs=None):
        import tensorflow as tf

        # The last update may have broken weights whose loss was still good.
        self._check_finite("validation loss", logs["val_loss"])
        row = {
            "step": self.step,
            "train_loss": logs["loss"],
            "train_accuracy": logs["accuracy"],
            "validation_loss": logs["val_loss"],
            "validation_accuracy": logs["val_accuracy"],
            "seconds": self.seconds,
        }
        row = {
            k: v if k == "step" else float(f"{v:.6g}") for k, v in row.items()
        }
        self.rows.append(row)
        checkpoints.save_state(
            self.state,
            self.model,
            {"history": self.rows, "backend": keras.backend.backend()},
        )
        write_history(self.folder, self.rows)
        with self.writer.as_default(step=self.step):
            for name, value in row.items():
                if name != "step":
                    tf.summary.scalar(name, value)
        self.writer.flush()


def write_history(folder, rows):
    """Writes `history.csv`: one row an evaluation.

    `train_*` are running means over the steps since the row before, with
    dropout; `validation_*` are in evaluation mode, on at most about 1,000
    examples, always the same.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    run_folder.write_text(folder / run_folder.HISTORY, text.getvalue())
