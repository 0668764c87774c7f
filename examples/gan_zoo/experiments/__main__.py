"""`python -m examples.gan_zoo.experiments`: one experiment of the papers, resumable."""

import argparse
import dataclasses
import signal
import sys
from pathlib import Path

from examples.gan_zoo.experiments import figures, table
from examples.gan_zoo.experiments.plan import EXPERIMENTS, SETTINGS, Planned, Setting, planned
from examples.gan_zoo.experiments.recording import SUFFIX
from examples.gan_zoo.experiments.runner import Runner
from examples.gan_zoo.experiments.watching import evaluators, watched

#: What is computed of samples: `frechet` is the few-sample distance in place of Tan's FID.
METRICS = {"tan": ("Q", "D", "frechet", "kid")}
#: Exit codes: of a training that failed, and of what was interrupted.
FAILED, INTERRUPTED = 1, 130


def main(argv: list[str] | None = None, experiment: str | None = None) -> None:
    """Train what is not recorded yet, then write tables and figures.

    Args:
        argv: the command line.
        experiment: its name, if the command is for just one.
    """
    options = _read(argv, experiment)
    kind = options.data.partition(":")[0]
    setting = _setting(kind, options)
    try:
        plan = planned(options.experiment, options.seeds, options.models)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from None
    output = options.output / f"{options.experiment}-{kind}"
    failed = [] if options.report else _train(options, setting, plan, output)
    _report(options, setting, plan, output)
    if failed:
        print(f"error: {len(failed)} trainings failed: {', '.join(failed)}", file=sys.stderr)
        raise SystemExit(FAILED)


def _setting(kind: str, options: argparse.Namespace) -> Setting:
    chosen = {"iterations": options.iterations, "samples_every": options.samples_every}
    return dataclasses.replace(SETTINGS[kind], **{k: v for k, v in chosen.items() if v})


def _train(
    options: argparse.Namespace, setting: Setting, plan: list[Planned], output: Path
) -> list[str]:
    output.mkdir(parents=True, exist_ok=True)
    worker = evaluators(options.data, output, options.worker.split())
    for number in (signal.SIGINT, signal.SIGTERM):
        # Also where a shell started us in the background, with SIGINT ignored.
        signal.signal(number, _interrupt)
    metrics = METRICS.get(options.experiment, ("Q", "D"))
    try:
        with watched(output / "home", worker, output / "product.log") as product:
            print(f"dashboard: {product.url}", flush=True)
            runner = Runner(product, options.data, setting, output, metrics)
            return runner.run(plan, options.parallel)
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _report(
    options: argparse.Namespace, setting: Setting, plan: list[Planned], output: Path
) -> None:
    paths = {each: output / "recordings" / (each.name(options.data) + SUFFIX) for each in plan}
    outcomes = [
        table.outcome(each, path, setting.iterations)
        for each, path in paths.items()
        if path.exists()
    ]
    if not outcomes:
        print("nothing is recorded yet", file=sys.stderr)
        return
    text = table.summary(outcomes)
    if options.experiment == "table2":
        text = f"{table.paper_table(outcomes)}\n\n{text}"
    (output / "tables.md").write_text(text + "\n")
    print(text)
    for path in _draw(options, outcomes, output):
        print(f"wrote {path}")


def _draw(options: argparse.Namespace, outcomes: list[table.Outcome], output: Path) -> list[Path]:
    first = [each for each in outcomes if each.planned.seed == options.seeds[0]]
    made = {"angles": figures.angles(first, f"S, first seed, {options.data}")}
    if options.experiment == "table2":
        made["quality"] = figures.pairs(outcomes, "Q", f"Q, {options.data}")
        made["diversity"] = figures.pairs(outcomes, "D", f"D, {options.data}")
    return [
        path
        for name, figure in made.items()
        for path in figures.save(figure, output / f"{name}.html")
    ]


def _read(argv: list[str] | None, experiment: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Trainings of the zoo, watched and recorded.")
    if experiment is None:
        parser.add_argument("experiment", choices=EXPERIMENTS)
    parser.set_defaults(experiment=experiment)
    parser.add_argument("--data", default="faces", type=_data, metavar="NAME",
                        help="faces, mixture or folder:PATH (%(default)s)")  # fmt: skip
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--iterations", type=int, help="of each; default that of the data")
    parser.add_argument("--samples-every", type=int, metavar="N", help="default that of the data")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="only these, e.g. NSGAN-GP")
    parser.add_argument("--parallel", type=int, default=2, help="trainings at a time")
    parser.add_argument("--output", type=Path, default=Path("artifacts/zoo"))
    parser.add_argument("--worker", default="", metavar="OPTIONS",
                        help="of a folder: '--embedder X --reference Y'")  # fmt: skip
    parser.add_argument("--report", action="store_true", help="train nothing")
    return parser.parse_args(argv)


def _data(text: str) -> str:
    if text.partition(":")[0] not in SETTINGS:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(SETTINGS)}")
    return text


if __name__ == "__main__":
    main()
