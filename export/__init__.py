"""Models as files that other programs run: a SavedModel for a server, a `.tflite` for a device.

A folder imports only what stands above it in this list, lowest first:

    report        what an export says of itself
    saved_model/  SavedModels that take raw text
    tflite/       `.tflite` files of built-in ops
    device/       the reference runtime of such files; imports nothing of the project
    tools/        commands that write tables and test vectors into docs/
    cli           what `zoo export` does
"""
