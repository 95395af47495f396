"""A `Corpus` through TensorFlow Datasets: ours by name, or any data set of texts or pairs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf
import tensorflow_datasets as tfds

from training.datasets.builders import BUILDERS, SPLIT_NAMES
from training.datasets.corpus import Corpus, Pair
from training.datasets.fetch import tfds_folder
from training.datasets.sources import SOURCES
from zoo.errors import ZooError

PREFIX = "tfds:"
RECORDS_A_READ = 4_096  # parsed together: one by one a corpus takes a hundred times longer


def prepared(
    name: str,
    data_dir: str | None = None,
    manual_dir: str | os.PathLike[str] | None = None,
    config: str | None = None,
) -> Corpus:
    """One of our corpora through its builder, prepared (and downloaded) if it is not yet."""
    source = SOURCES[name]
    folder = data_dir or str(tfds_folder())
    builder = BUILDERS[name](data_dir=folder, **({"config": config} if config else {}))
    _prepare(builder, manual_dir, f"{source.url} ({{}}); give --data-dir")
    parts = {part: _ours(builder, split) for split, part in SPLIT_NAMES.items()}
    return Corpus(
        name,
        **parts,
        licence=source.licence,
        attribution=source.attribution,
        is_stream=source.is_stream,
    )


def any_corpus(name: str, data_dir: str | os.PathLike[str] | None = None) -> Corpus:
    """A data set of TFDS by its name, such as `tfds:ted_hrlr_translate/pt_to_en`.

    Sentences are its only text; pairs are its two supervised texts, or the two languages of its
    `Translation`. A data set without a validation or test split has the other one, or its
    training text, in that place.

    Raises:
        ZooError: TFDS does not know it, it cannot be prepared, or its features are neither.
    """
    folder = str(data_dir or tfds_folder())
    try:
        builder = tfds.builder(name.removeprefix(PREFIX), data_dir=folder)
    except (tfds.core.DatasetNotFoundError, ValueError) as error:
        raise ZooError(f"{name}: {' '.join(str(error).split())[:200]}") from None
    _prepare(builder, None, f"{name}: {{}}")
    keys = _text_keys(name, builder.info)
    train = list(_rows(builder, _split_of(builder, "train"), keys))
    valid = list(_rows(builder, _split_of(builder, "validation"), keys))
    test = list(_rows(builder, _split_of(builder, "test"), keys))
    return Corpus(name, train, valid, test, licence=builder.info.redistribution_info.license or "")


def _prepare(builder: tfds.core.DatasetBuilder, manual_dir: Any, where: str) -> None:
    """Download and write the records, or say in one line why not."""
    config = tfds.download.DownloadConfig(
        manual_dir=str(manual_dir) if manual_dir else None, try_download_gcs=False
    )
    try:
        builder.download_and_prepare(download_config=config)
    except ZooError:
        raise
    except Exception as error:  # TFDS passes on what any of many libraries raised
        reason = " ".join(str(error).split())[:200]
        raise ZooError(f"{builder.name} could not be had from {where.format(reason)}") from None


def _ours(builder: tfds.core.DatasetBuilder, split: str) -> list[Any]:
    """All sentences or pairs of a split of a corpus of ours, in order."""
    files = [str(path) for path in builder.info.splits[split].filepaths]
    records = tf.data.TFRecordDataset(files).batch(RECORDS_A_READ)
    string = tf.io.FixedLenFeature([], tf.string)
    if not SOURCES[builder.name].is_pairs:
        parsed = records.map(lambda r: tf.io.parse_example(r, {"text": string})["text"])
        return [text.decode() for batch in parsed.as_numpy_iterator() for text in batch]
    features = {"source": string, "target": string, "references": tf.io.RaggedFeature(tf.string)}
    parsed = records.map(lambda r: tf.io.parse_example(r, features))
    return [pair for batch in parsed for pair in _pairs(batch)]


def _pairs(batch: Mapping[str, Any]) -> Iterator[Pair]:
    columns = (batch["source"].numpy(), batch["target"].numpy(), batch["references"].to_list())
    for source, target, references in zip(*columns, strict=True):
        yield Pair(source.decode(), target.decode(), tuple(r.decode() for r in references))


def _text_keys(name: str, info: tfds.core.DatasetInfo) -> tuple[str, ...]:
    """The features with the text, or with source and target."""
    features = info.features
    if isinstance(features, tfds.features.Translation):
        return tuple(info.supervised_keys or features.languages)[:2]  # type: ignore[return-value]
    texts = [k for k, feature in features.items() if isinstance(feature, tfds.features.Text)]
    supervised = [key for key in info.supervised_keys or () if key in texts]
    found = supervised if supervised else texts
    if len(found) not in (1, 2) or (len(found) == 2 and not supervised):
        raise ZooError(
            f"{name} has the features {', '.join(features)}: neither one text nor a supervised "
            "pair of texts"
        )
    return tuple(dict.fromkeys(found))


def _split_of(builder: tfds.core.DatasetBuilder, wanted: str) -> str:
    """The split that is wanted, or the one that stands in for it."""
    order = {
        "train": ("train",),
        "validation": ("validation", "valid", "dev", "test", "train"),
        "test": ("test", "validation", "valid", "dev", "train"),
    }[wanted]
    for split in order:
        if split in builder.info.splits:
            return split
    raise ZooError(f"{builder.name} has no split {wanted}: {', '.join(builder.info.splits)}")


def _rows(
    builder: tfds.core.DatasetBuilder, split: str, keys: tuple[str, ...]
) -> Iterator[str | Pair]:
    for record in tfds.as_numpy(builder.as_dataset(split=split)):
        texts = [record[key].decode("utf-8") for key in keys]
        yield texts[0] if len(texts) == 1 else Pair(texts[0], texts[1], (texts[1],))
