"""Counters and histograms, and the text page that Prometheus reads.

Names are TensorFlow Serving's with `/` as `:`, so dashboards made for it show ours. The page is
written here and not by prometheus-client, which renames every counter to end in `_total`.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

PREFIX = "/tensorflow/serving/"


class Counter:
    """A number that only grows, one for each combination of labels."""

    kind = "counter"

    def __init__(self, name: str, help: str, labels: Sequence[str]) -> None:
        self.name, self.help, self.labels = name, help, tuple(labels)
        self._lock = threading.Lock()
        self._values: dict[tuple[str, ...], float] = {}

    def add(self, *labels: str, amount: float = 1) -> None:
        """Add to the number of these labels."""
        with self._lock:
            self._values[labels] = self._values.get(labels, 0) + amount

    def total(self) -> float:
        """The sum over all labels."""
        with self._lock:
            return sum(self._values.values())

    def lines(self, name: str) -> list[str]:
        """The samples in exposition format."""
        with self._lock:
            items = sorted(self._values.items())
        return [f"{name}{_labels(self.labels, key)} {_number(value)}" for key, value in items]


class Histogram:
    """A distribution in exponentially growing buckets, one for each combination of labels."""

    kind = "histogram"

    def __init__(
        self,
        name: str,
        help: str,
        labels: Sequence[str],
        scale: float = 10,
        growth: float = 1.8,
        count: int = 33,
    ) -> None:
        self.name, self.help, self.labels = name, help, tuple(labels)
        self.bounds = [scale * growth**i for i in range(count)]
        self._lock = threading.Lock()
        self._cells: dict[tuple[str, ...], tuple[list[int], list[float]]] = {}

    def observe(self, value: float, *labels: str) -> None:
        """Count one value."""
        bucket = bisect_left(self.bounds, value)
        with self._lock:
            cell = self._cells.get(labels)
            if cell is None:
                cell = self._cells[labels] = ([0] * (len(self.bounds) + 1), [0.0])
            cell[0][bucket] += 1
            cell[1][0] += value

    def total(self) -> float:
        """How many values were counted, over all labels."""
        with self._lock:
            return sum(sum(counts) for counts, _ in self._cells.values())

    def lines(self, name: str) -> list[str]:
        """The samples in exposition format: cumulative buckets, sum, count."""
        with self._lock:
            cells = [(k, list(c), s[0]) for k, (c, s) in sorted(self._cells.items())]
        lines = []
        bounds = [*map(_number, self.bounds), "+Inf"]
        for key, counts, total in cells:
            cumulative = list(accumulate(counts))
            for bound, count in zip(bounds, cumulative, strict=True):
                labels = _labels((*self.labels, "le"), (*key, bound))
                lines.append(f"{name}_bucket{labels} {count}")
            labels = _labels(self.labels, key)
            lines += [
                f"{name}_sum{labels} {_number(total)}",
                f"{name}_count{labels} {cumulative[-1]}",
            ]
        return lines


class Metrics:
    """Every metric of a server."""

    def __init__(self) -> None:
        self.request_count = Counter(
            PREFIX + "request_count", "The total number of requests.", ["model_name", "status"]
        )
        self.request_latency = Histogram(
            PREFIX + "request_latency",
            "Distribution of wall time (in microseconds) for Tensorflow Serving request.",
            ["model_name", "API", "entrypoint"],
        )
        self.runtime_latency = Histogram(
            PREFIX + "runtime_latency",
            "Distribution of wall time (in microseconds) for Tensorflow runtime.",
            ["model_name", "API", "runtime"],
        )
        self.example_counts = Histogram(
            PREFIX + "request_example_counts",
            "The number of tensorflow.Examples per request.",
            ["model"],
            scale=1,
            growth=2,
            count=15,
        )
        self.example_count_total = Counter(
            PREFIX + "request_example_count_total",
            "The total number of tensorflow.Examples.",
            ["model"],
        )
        self.warmup_latency = Histogram(
            PREFIX + "model_warmup_latency",
            "Distribution of wall time (in microseconds) for warming up the model.",
            ["model_path", "status"],
        )
        self.warmup_records = Counter(
            PREFIX + "model_warmup_records_read",
            "The total number of model warm-up records read.",
            ["model_path"],
        )
        self.log_count = Counter(
            PREFIX + "request_log_count",
            "The total number of requests logged.",
            ["model_name", "status_code"],
        )
        self.log_lost_count = Counter(
            PREFIX + "request_log_lost_count",
            "The total number of lines that no request log could be given.",
            ["model_name"],
        )

    def all(self) -> list[Counter | Histogram]:
        """The metrics, in the order of the page."""
        return list(vars(self).values())

    def value(self, name: str) -> int:
        """A metric's total by name, 0 for an unknown one."""
        return next((int(m.total()) for m in self.all() if m.name == name), 0)

    def page(self) -> str:
        """The text that Prometheus reads."""
        lines = []
        for metric in self.all():
            name = metric.name.replace("/", ":")
            lines += [f"# TYPE {name} {metric.kind}", *metric.lines(name)]
        return "\n".join(lines) + "\n"


def _labels(names: Sequence[str], values: Sequence[str]) -> str:
    pairs = [f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True)]
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:g}"
