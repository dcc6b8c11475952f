"""Compare training steps of several systems, which take turns step by step.

    pip install -e ".[jax,torch,benchmark]"
    python benchmarks/step_turns.py

On a machine that other work slows down and lets go again, minutes between two
measurements change their ratio. Here each system stays in a process of its own,
and one step of each after the other is a round; ratios are of steps of the same
round. All processes are in memory together.
"""

import argparse
import os
import statistics
import subprocess
import sys

import step_systems
import training_steps

# Ratios are to these.
YARDSTICKS = [("keras_fpt", "torch"), ("reference", "torch")]


def main():
    arguments = parse()
    if arguments.worker:
        answer(arguments.worker, arguments.shapes[0])
        return
    for shape in arguments.shapes:
        print(table(shape, measure(shape, arguments)), flush=True)


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--shapes",
        nargs="+",
        choices=training_steps.SHAPES,
        default=["base-64", "base-120"],
    )
    parser.add_argument(
        "--systems",
        nargs="+",
        default=[
            "keras_fpt:torch",
            "reference:torch",
            "keras_fpt:jax",
            "keras_fpt:tensorflow",
        ],
        help="names and backends, as in training_steps.py",
    )
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    return parser.parse_args()


def answer(system, shape):
    """Trains one step for each line of the input, and prints its seconds."""
    out = os.dup(1)
    os.dup2(2, 1)  # What libraries print is no answer.
    train = getattr(step_systems, system)(training_steps.SHAPES[shape])
    train(2)
    with os.fdopen(out, "w") as answers:
        print("ready", file=answers, flush=True)
        for _ in sys.stdin:
            # The first step of a call waits for its examples.
            print(train(2)[-1], file=answers, flush=True)


def measure(shape, arguments):
    """Dict from each system to its seconds per step, one for each round."""
    systems = [tuple(each.split(":")) for each in arguments.systems]
    workers = {}
    for system, backend in systems:
        workers[system, backend] = start(shape, system, backend)
    rounds = []
    for _ in range(arguments.rounds):
        rounds.append({key: step(worker) for key, worker in workers.items()})
    for worker in workers.values():
        worker.communicate()
    return {key: [each[key] for each in rounds] for key in workers}


def start(shape, system, backend):
    process = subprocess.Popen(
        [
            *(sys.executable, __file__, "--worker", system),
            *("--shapes", shape),
        ],
        env={"TF_CPP_MIN_LOG_LEVEL": "3"}
        | os.environ
        | {"KERAS_BACKEND": backend},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    if process.stdout.readline() != "ready\n":
        raise SystemExit(f"{system} on {backend} did not start.")
    return process


def step(worker):
    worker.stdin.write("\n")
    worker.stdin.flush()
    return float(worker.stdout.readline())


def table(shape, seconds):
    """A Markdown table of medians and quartiles over the rounds."""
    bases = [base for base in YARDSTICKS if base in seconds]
    titles = ["system", "backend", "s/step"]
    titles += [f"/ `{system}`, {backend}" for system, backend in bases]
    lines = [titles, ["---", "---", *["---:"] * (len(titles) - 2)]]
    for key, own in seconds.items():
        ratios = [
            [x / y for x, y in zip(own, seconds[base], strict=True)]
            for base in bases
        ]
        lines.append([f"`{key[0]}`", key[1], *map(quartiles, [own, *ratios])])
    rows = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    count = len(next(iter(seconds.values())))
    return f"\n### {shape}, {count} rounds\n\n{rows}"


def quartiles(values):
    lower, median, upper = statistics.quantiles(values, n=4)
    return f"{median:.2f} ({lower:.2f}-{upper:.2f})"


if __name__ == "__main__":
    main()
