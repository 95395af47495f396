"""The command line: flags, what keeps a server from starting, and what it says then."""

from __future__ import annotations

from pathlib import Path

import mypy.api
import pytest

from serving import server
from serving.__main__ import main
from serving.options import FLAGS, parse
from tests.serving.running import free_port


def test_defaults_are_the_originals():
    parsed = parse([])
    assert (parsed.port, parsed.rest_api_port, parsed.rest_api_timeout_in_ms) == (8500, 0, 30000)
    assert parsed.model_name == "default"
    assert (parsed.max_num_load_retries, parsed.load_retry_interval_micros) == (5, 60_000_000)
    assert parsed.file_system_poll_wait_seconds == 1
    assert parsed.enable_model_warmup
    assert not parsed.enable_batching
    assert parsed.host == "127.0.0.1"


@pytest.mark.parametrize(
    "argv",
    [
        ["--port=9000", "--enable_batching", "--model_name=m"],
        ["--port", "9000", "--enable_batching=true", "--model_name", "m"],
        ["--port", "9000", "--enable_batching", "true", "--model_name=m"],
    ],
)
def test_both_forms_of_flags(argv):
    parsed = parse(argv)
    assert (parsed.port, parsed.enable_batching, parsed.model_name) == (9000, True, "m")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--prot=9000"], "unknown argument: --prot=9000"),
        (["stray"], "unknown argument: stray"),
        (["--port=many"], "--port=many: give a int"),
        (["--enable_batching=maybe"], "give true or false"),
        (["--port"], "missing value of --port"),
    ],
)
def test_bad_command_lines_show_the_usage_and_exit_255(argv, message, capsys):
    assert main(argv) == 255
    shown = capsys.readouterr().err
    assert message in shown
    assert "--model_config_file" in shown


def test_help_exits_255_and_lists_every_flag(capsys):
    assert main(["--help"]) == 255
    shown = capsys.readouterr().err
    assert all(f"--{name}=" in shown for name in FLAGS)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert "TensorFlow Library: 2." in capsys.readouterr().out


def test_flags_without_meaning_are_accepted_and_known():
    parsed = parse(["--use_alts_credentials=true", "--mixed_precision=x"])
    assert parsed.without_effect() == ["mixed_precision", "use_alts_credentials"]


def test_a_misspelt_flag_is_a_type_error(tmp_path, monkeypatch):
    """So is a value of a flag that is used as another type."""
    (tmp_path / "use.py").write_text(
        "from serving.options import parse\n"
        "flags = parse([])\n"
        "threads: int = flags.grpc_max_threads\n"
        "port: str = flags.port\n"
        "flags.grpc_max_treads\n"
    )
    (tmp_path / "mypy.ini").write_text(
        "[mypy]\n[mypy-zoo.*]\nfollow_imports = skip\nignore_missing_imports = True\n"
    )
    monkeypatch.setenv("MYPYPATH", str(Path(server.__file__).parents[1]))
    files = [f"--config-file={tmp_path}/mypy.ini", f"--cache-dir={tmp_path}/cache"]
    shown, _, code = mypy.api.run([*files, str(tmp_path / "use.py")])
    assert code == 1, shown
    assert '"Flags" has no attribute "grpc_max_treads"' in shown
    assert 'expression has type "int", variable has type "str"' in shown
    assert "Found 2 errors" in shown


@pytest.fixture
def config(tmp_path):
    """Writes a file and returns its path."""

    def write(text):
        path = tmp_path / "file.config"
        path.write_text(text)
        return path

    return write


def fails(capfd, *argv):
    """What a server that cannot start prints on standard output and standard error."""
    assert server.run([f"--port={free_port()}", *argv]) == 255
    return capfd.readouterr()


def test_a_bad_config_file(capfd, config):
    path = config("model_config_list { config { nam: 'x' } }")
    shown = fails(capfd, f"--model_config_file={path}")
    assert "Error parsing text-format tensorflow.serving.ModelServerConfig" in shown.err
    expected = f"Failed to start server. Error: INVALID_ARGUMENT: Invalid protobuf file: '{path}'"
    assert expected in shown.out


def test_a_missing_config_file(capfd):
    shown = fails(capfd, "--model_config_file=/no/such/file")
    assert "Failed to start server. Error: NOT_FOUND: /no/such/file; No such file" in shown.out


def test_a_model_that_does_not_load(capfd, tmp_path):
    (tmp_path / "1").mkdir()
    shown = fails(capfd, f"--model_base_path={tmp_path}", "--max_num_load_retries=0")
    assert (
        "Failed to start server. Error: UNKNOWN: 1 model(s) did not become available: "
        "{{{name: default version: 1} due to error: NOT_FOUND: " in shown.out
    )


def test_a_failed_load_is_tried_again(capfd, tmp_path):
    (tmp_path / "1").mkdir()
    retries = ["--max_num_load_retries=2", "--load_retry_interval_micros=1000"]
    shown = fails(capfd, f"--model_base_path={tmp_path}", *retries)
    assert "did not become available" in shown.out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--batching_parameters_file=/f"], "batching_parameters_file is set without setting"),
        (["--port=0"], "At least one of"),
        (["--port=7001", "--rest_api_port=7001"], "http_port cannot be same as grpc_port"),
        (["--model_config_file=/f"], "are both set"),
        (["--tensorflow_session_parallelism=1", "--tensorflow_intra_op_parallelism=1",
          "--tensorflow_inter_op_parallelism=1"], "tensorflow_session_parallelism sets both"),
        (["--grpc_channel_arguments=nonsense"], "is not key=value"),
    ],
)  # fmt: skip
def test_flags_that_contradict_each_other(capfd, tmp_path, argv, message):
    shown = fails(capfd, f"--model_base_path={tmp_path}", *argv)
    assert shown.out.startswith("Failed to start server. Error: INVALID_ARGUMENT: ")
    assert message in shown.out


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("config { name: 'm' base_path: 'relative' model_platform: 'tensorflow' }",
         "Expected model m to have an absolute path or URI; got base_path()=relative"),
        ("config { name: 'm' base_path: '/m' }", "Illegal setting neither ModelServerConfig"),
        ("config { name: 'm' base_path: '/m' model_platform: 'other' }", "unsupported platform"),
        ("config { name: 'm' base_path: '/m' model_platform: 'tensorflow' "
         "version_labels { key: 'a' value: 1 } }", "not currently available for inference"),
    ],
)  # fmt: skip
def test_refused_model_lists(capfd, config, entries, message):
    shown = fails(capfd, f"--model_config_file={config(f'model_config_list {{ {entries} }}')}")
    assert message in shown.out


def test_partial_start_serves_what_loads(models, tmp_path):
    from tests.serving import web
    from tests.serving.running import running

    listed = f"""model_config_list {{
      config {{ name: "good" base_path: "{models}/half_plus_two" model_platform: "tensorflow" }}
      config {{ name: "bad" base_path: "{tmp_path}/none" model_platform: "tensorflow" }}
    }}"""
    path = tmp_path / "models.config"
    path.write_text(listed)
    with running(f"--model_config_file={path}", "--partial_start") as address:
        reply = web.post(address.rest, "/v1/models/good:predict", {"instances": [2]})
        assert reply.json == {"predictions": [3.0]}
        ready = web.get(address.rest, "/v1/health/ready")
        assert (ready.status, ready.json["unavailable_models"]) == (503, ["bad"])
        assert web.get(address.rest, "/v1/health/live").status == 200
