"""Base paths that are no folders of this machine, such as s3://bucket/model.

Where fsspec has a file system for the scheme, versions are copied to the cache folder and loaded
from there; other schemes are left to TensorFlow's own file systems.
"""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from serving.errors import Code, ServingError, from_exception
from zoo.io import cache_folder, replaced_directory

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

PACKAGES = {
    "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs",
    "abfss": "adlfs", "hf": "huggingface_hub",
}  # fmt: skip
# What stores say of a file beside its size, that changes with its content.
STAMPS = ("ETag", "etag", "md5Hash", "content_md5", "blob_id", "LastModified", "last_modified",
          "updated", "mtime", "created")  # fmt: skip
NO_SCHEME, CREDENTIALS, NETWORK, ABSENT = (
    "the scheme is not implemented", "the credentials do not suffice",
    "the network or the store does not answer", "there is no such folder",
)  # fmt: skip
CAUSES = {
    Code.UNIMPLEMENTED: NO_SCHEME,
    Code.PERMISSION_DENIED: CREDENTIALS,
    Code.UNAUTHENTICATED: CREDENTIALS,
    Code.UNAVAILABLE: NETWORK,
    Code.DEADLINE_EXCEEDED: NETWORK,
    Code.ABORTED: NETWORK,
    Code.NOT_FOUND: ABSENT,
}
# Words in the names of the stores' own exceptions.
WORDS = {
    "credential": CREDENTIALS, "auth": CREDENTIALS, "permission": CREDENTIALS,
    "forbidden": CREDENTIALS, "connect": NETWORK, "timeout": NETWORK, "dns": NETWORK,
    "notfound": ABSENT,
}  # fmt: skip


def scheme_of(path: str) -> str:
    """The part before `://`, in small letters."""
    return path.partition("://")[0].lower()


def file_system(path: str) -> AbstractFileSystem | None:
    """fsspec's file system for a path; None if it has none or lacks the package for it."""
    try:
        import fsspec
    except ImportError:
        return None
    scheme = scheme_of(path)
    if scheme == "file":
        return None
    try:
        fsspec.get_filesystem_class(scheme)
    except (ImportError, ValueError):
        return None
    return fsspec.filesystem(scheme)


def explained(path: str, error: Exception) -> str:
    """What kept a path from being read, in words of the cause, and the error itself."""
    return f"{_cause(path, error)} ({type(error).__name__}: {getattr(error, 'message', error)})"


def _cause(path: str, error: Exception) -> str:
    kinds = "".join(kind.__name__.lower() for kind in type(error).__mro__)
    by_word = (cause for word, cause in WORDS.items() if word in kinds)
    cause = CAUSES.get(from_exception(error).code) or next(by_word, "it cannot be read")
    if "libcurl code" in str(error):  # TensorFlow's gs:// gives FAILED_PRECONDITION.
        cause = NETWORK
    package = PACKAGES.get(scheme_of(path))
    if cause == NO_SCHEME and package:
        cause += f"; pip install {package} (or recurrent-zoo[cloud])"
    return cause


def children(base_path: str) -> dict[str, str]:
    """The folders below a remote base path: name to path.

    Raises:
        OSError: it cannot be listed; the text says why.
    """
    try:
        system = file_system(base_path)
        names = _listed_by_tensorflow(base_path) if system is None else _listed(system, base_path)
    except Exception as error:
        raise OSError(explained(base_path, error)) from error
    return {name: f"{base_path.rstrip('/')}/{name}" for name in names}


def _listed(system: AbstractFileSystem, base_path: str) -> list[str]:
    system.invalidate_cache()
    found = system.ls(base_path, detail=True)
    return [PurePosixPath(one["name"]).name for one in found if one["type"] == "directory"]


def _listed_by_tensorflow(base_path: str) -> list[str]:
    import tensorflow as tf

    # `listdir` alone reports every cause as an absent directory.
    tf.io.gfile.stat(base_path)
    return [child.rstrip("/") for child in tf.io.gfile.listdir(base_path)]


def local_copy(path: str) -> str:
    """The folder to load a version from: the path itself, or a copy of what fsspec finds there.

    A copy appears as a whole, and is used again while the store shows the same files.

    Raises:
        ServingError: UNAVAILABLE when it cannot be copied.
    """
    if "://" not in path or (system := file_system(path)) is None:
        return path
    try:
        return _synchronised(system, path)
    except Exception as error:
        text = f"Could not copy {path}: {explained(path, error)}"
        raise ServingError(Code.UNAVAILABLE, text) from error


def _synchronised(system: AbstractFileSystem, path: str) -> str:
    system.invalidate_cache()
    root = PurePosixPath(system._strip_protocol(path))
    found = {
        PurePosixPath(name).relative_to(root): facts
        for name, facts in system.find(path, detail=True).items()
    }
    if not found:
        raise FileNotFoundError(path)
    if any(".." in name.parts for name in found):
        raise ValueError("a file's name leads out of its folder")
    base, version = path.rstrip("/").rsplit("/", 1)
    folder = cache_folder() / "remote" / _digest(base) / version
    copy = folder / _digest(str(sorted((str(n), _stamp(facts)) for n, facts in found.items())))
    if not copy.is_dir():
        with replaced_directory(copy) as temporary:
            for name in found:
                (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            system.get([str(root / n) for n in found], [str(temporary / n) for n in found])
    return str(copy)


def _stamp(facts: dict[str, object]) -> str:
    return str([facts.get("size"), *(str(facts.get(key)) for key in STAMPS)])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
