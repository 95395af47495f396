"""The embedded model server: TensorFlow Serving's interfaces from Python.

Its rooms, lowest first; none imports from one below it in this list:

    errors, options     what a client is told; the command line
    codec               tensors and messages as bytes
    monitoring          counters and the request log
    config              the configuration files: shipped, read and checked
    session             running a loaded graph; every private name of TensorFlow
    models              a loaded version: SavedModels and TFLite files
    inference           Predict and the tf.Example calls on a loaded version
    lifecycle           which versions are loaded, and when
    engine              every request, whichever way it came
    batching            Predict requests that share a run of the model
    grpc_api, rest      the two interfaces
    process             how the process ends, and what starts it again
    defaults            what is served when no model is named
    server              all of it put together, started and stopped
    client              asks a server in words
    quickstart          `make serve`
    __main__            `python -m serving`
"""
