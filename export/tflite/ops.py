"""The ops that a `.tflite` file is made of, and the refusal of those that are not built in."""

from __future__ import annotations

from ai_edge_litert import schema_py_generated as schema

from zoo.errors import ZooError

NAMES = {
    number: name
    for name, number in vars(schema.BuiltinOperator).items()
    if not name.startswith("_")
}


def operators(content: bytes) -> list[str]:
    """Names of a file's ops, sorted; a custom or Flex op comes as `CUSTOM:name`."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    names = set()
    for code in model.operatorCodes:
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        custom = code.customCode.decode() if code.customCode else ""
        names.add(f"CUSTOM:{custom}" if number == schema.BuiltinOperator.CUSTOM else NAMES[number])
    return sorted(names)


def refuse_other_ops(content: bytes) -> None:
    """Raise where a file needs more than the built-in ops."""
    others = [name for name in operators(content) if name.startswith("CUSTOM:") or "FLEX" in name]
    if others:
        raise ZooError(f"the file would need {', '.join(others)}, which is no built-in op")
