"""Run the experiments on texts and sums: train each network, measure what it remembers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from training.diagnostics.flow import clipped_share, refuse_if_exploded
from training.diagnostics.gradients import by_distance, jacobian_norms, step_jacobians, trajectory
from training.experiments.adding import ALWAYS_ONE, adding_batch
from training.experiments.answers import Answers, by_distance_row, counted_row, log_softmax
from training.experiments.config import ExperimentConfig, Network
from training.experiments.networks import BIDIRECTIONAL, COUNTS, adding_network, story_network
from training.experiments.stories import JANE_AND_JOHN, TWO_COUNTRIES, Stories, StoryTeller
from training.tasks.progress_bar import tracked
from zoo.layers.recording import recorded_calls

TEST_STORIES = 500
TEST_SUMS = 1000
PROBE_STORIES = 4
CHECK_EVERY = 250  # steps between looks at whether a network has solved its task
SOLVED_RECALL = 0.995
SOLVED_ERROR = 0.002

Batches = Callable[[np.random.Generator], tuple[Any, Any]]


def train_network(
    model: Any, batches: Batches, config: ExperimentConfig, network: Network, name: str,
    solved: Callable[[], bool],
) -> int:  # fmt: skip
    """Train for the configured steps, or until solved; returns the steps made.

    Raises:
        ZooError: the loss became NaN.
    """
    rng = np.random.default_rng(config.seed)
    steps = network.steps or config.steps
    for step in tracked(range(1, steps + 1), name, steps):
        x, y = batches(rng)
        loss = float(model.train_on_batch(x, y))
        refuse_if_exploded(loss, step, f"lower learning_rate or clip_norm of network {name!r}")
        if config.stop_when_solved and step % CHECK_EVERY == 0 and solved():
            return step
    return steps


def run_story(config: ExperimentConfig) -> Iterator[dict[str, Any]]:
    """One row a network: recall of the right name, and its probability, by distance."""
    tale = TWO_COUNTRIES if config.experiment == "countries" else JANE_AND_JOHN
    teller = StoryTeller(config.names, tale)
    tests = _story_tests(config, teller)
    for name, network in config.networks.items():
        keras.utils.set_random_seed(config.seed)
        row = counted_row if network.cell == COUNTS else _story_row
        yield {"network": name, **row(config, name, network, teller, tests)}


def _story_row(
    config: ExperimentConfig, name: str, network: Network, teller: StoryTeller,
    tests: dict[int, Stories],
) -> dict[str, Any]:  # fmt: skip
    length = teller.length(max(config.distances))
    span = (min(config.distances), max(config.distances))
    # A story's network chooses among the names; an article's, as a language model, among all words.
    first = teller.index[teller.names[0]] if config.experiment == "countries" else 0
    outputs = len(teller.words) if first else config.names
    model = story_network(config, network, length, len(teller.words), outputs)
    both = network.cell.startswith(BIDIRECTIONAL)

    def inputs(stories: Stories) -> Any:
        return [stories.ids, teller.ending(len(stories.ids))] if both else stories.ids

    def batches(rng: np.random.Generator) -> tuple[Any, Any]:
        stories = teller.stories(config.batch_size, span, length, rng)
        return inputs(stories), stories.answers + first

    def answers() -> dict[int, Answers]:
        scores = {d: model.predict(inputs(t), batch_size=250, verbose=0) for d, t in tests.items()}
        return {d: Answers.of(log_softmax(s), tests[d].answers + first) for d, s in scores.items()}

    def solved() -> bool:
        return min(answer.recall for answer in answers().values()) >= SOLVED_RECALL

    started = time.perf_counter()
    steps = train_network(model, batches, config, network, name, solved)
    norms = state_norms(model, inputs(tests[max(tests)]))
    return {**by_distance_row(answers(), teller), "norms": norms, **_costs(model, steps, started)}


def _story_tests(config: ExperimentConfig, teller: StoryTeller) -> dict[int, Stories]:
    """Stories never trained on, by the number of words between name and blank."""
    length = teller.length(max(config.distances))
    rng = np.random.default_rng([config.seed, 1])
    return {
        between + teller.distance_zero: teller.stories(TEST_STORIES, between, length, rng)
        for between in config.distances
    }


def state_norms(model: Any, inputs: Any) -> list[float]:
    """Mean ‖∂s_T/∂s_k‖ of the trained forward layer by the distance from the last word T.

    None of a network that has no state.
    """
    rows = keras.tree.map_structure(lambda part: part[:PROBE_STORIES], inputs)
    calls, _ = recorded_calls(model, lambda: model(rows))
    if not calls:
        return []
    jacobians = step_jacobians(trajectory(calls[0].layer, calls[0].inputs))
    ends = [len(jacobians) - 1]
    return [float(f"{n:.6g}") for n in by_distance(jacobian_norms(jacobians, ends), ends)]


def run_adding(config: ExperimentConfig) -> Iterator[dict[str, Any]]:
    """One row a network: mean squared error on sums never seen."""
    test = adding_batch(TEST_SUMS, config.length, np.random.default_rng([config.seed, 1]))
    for name, network in config.networks.items():
        keras.utils.set_random_seed(config.seed)
        yield {"network": name, "length": config.length, **_adding_row(config, name, network, test)}


def _adding_row(
    config: ExperimentConfig, name: str, network: Network, test: tuple[np.ndarray, np.ndarray]
) -> dict[str, Any]:
    model = adding_network(config, network)

    def batches(rng: np.random.Generator) -> tuple[Any, Any]:
        return adding_batch(config.batch_size, config.length, rng)

    def error() -> float:
        guesses = model.predict(test[0], batch_size=250, verbose=0)
        return float(((guesses - test[1]) ** 2).mean())

    def solved() -> bool:
        return error() < SOLVED_ERROR

    started = time.perf_counter()
    steps = train_network(model, batches, config, network, name, solved)
    return {
        "mean_squared_error": round(error(), 5),
        "always_one": round(ALWAYS_ONE, 5),
        **_costs(model, steps, started),
    }


def _costs(model: Any, steps: int, started: float) -> dict[str, Any]:
    return {
        "parameters": int(model.count_params()),
        "steps": steps,
        "clipped_share": round(clipped_share(model.optimizer) or 0.0, 4),
        "seconds": round(time.perf_counter() - started, 1),
    }
