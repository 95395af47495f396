"""REST: paths, JSON forms in both directions, refusals, headers."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from tests.serving import web
from tests.serving.conformance.conftest import SIGNATURES
from tests.serving.models import VERSION

HALF = "/v1/models/half_plus_two"
FLOAT = "/v1/models/types:predict"


def test_row_form(target):
    reply = target.post(f"{HALF}:predict", {"instances": [2.0, 3.0, 4.0]})
    assert (reply.status, reply.json) == (200, {"predictions": [3.0, 3.5, 4.0]})
    assert reply.headers["content-type"] == "application/json"
    assert reply.body == b'{\n    "predictions": [3.0, 3.5, 4.0\n    ]\n}'


def test_column_form(target):
    reply = target.post(f"{HALF}:predict", {"inputs": [2.0, 3.0]})
    assert reply.body == b'{\n    "outputs": [\n        3.0,\n        3.5\n    ]\n}'


def test_several_inputs_and_outputs(target):
    rows = {"instances": [{"a": 3.0, "b": 1.0}, {"a": 5, "b": 1}]}
    expected = [{"difference": 2.0, "sum": 4.0}, {"difference": 4.0, "sum": 6.0}]
    assert target.post(FLOAT, rows).json == {"predictions": expected}
    columns = {"inputs": {"a": [3.0, 5.0], "b": [1.0, 1.0], "ignored": 1}}
    expected = {"difference": [2.0, 4.0], "sum": [4.0, 6.0]}
    assert target.post(FLOAT, columns).json == {"outputs": expected}


@pytest.mark.parametrize("where", [f"/versions/{VERSION}", ""])
def test_version_in_the_path(target, where):
    assert target.post(f"{HALF}{where}:predict", {"instances": [2]}).json == {"predictions": [3.0]}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("float32", [0.5, 3, 1e30]),
        ("float64", [0.1, 2**52]),
        ("int8", [-128, 127]),
        ("uint8", [0, 255]),
        ("int16", [-32768]),
        ("int32", [-(2**31), 2**31 - 1]),
        ("uint32", [2**32 - 1]),
        ("int64", [-(2**63), 2**63 - 1]),
        ("uint64", [2**64 - 1]),
        ("bool", [True, False]),
        ("string", ["", 'ä\n"', "東京"]),
    ],
)
def test_data_types(target, name, values):
    body = {"signature_name": name, "instances": values}
    reply = target.post(FLOAT, body)
    assert reply.status == 200, reply.body
    assert reply.json["predictions"] == pytest.approx(values) if name.startswith("f") else values


def test_bytes(target):
    encoded = base64.b64encode(b"\xff\x00a").decode()
    body = {"signature_name": "raw", "instances": [{"b64": encoded}, "plain"]}
    reply = target.post("/v1/models/text:predict", body)
    assert reply.status == 200
    text = reply.body.decode("utf-8", "replace")
    rows = json.loads(text)["predictions"]
    assert rows[0]["text_bytes"] == {"b64": encoded}
    if target.embedded:
        assert rows[0]["text"] == {"b64": encoded}
    else:
        assert b"\xff" in reply.body
    assert rows[1] == {"text": "plain", "text_bytes": {"b64": "cGxhaW4="}}


def test_decimals(target):
    numbers = "9000000, 999999, 0.5, 0.0003, 0.00003, 555557.5, 0.1, 0.333333343, 16777215"
    body = f'{{"signature_name": "float32", "instances": [{numbers}, NaN, -Infinity]}}'
    reply = target.post(FLOAT, body)
    assert reply.body.decode() == (
        '{\n    "predictions": [9e+06, 999999.0, 0.5, 0.0003, 3e-05, 555557.5, 0.1, '
        "0.333333343, 16777215.0, NaN, -Infinity\n    ]\n}"
    )


def test_what_follows_the_object_is_ignored(target):
    assert target.post(f"{HALF}:predict", '{"instances": [2.0]} trailing').json == {
        "predictions": [3.0]
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "JSON Parse error: The document is empty"),
        ("{", "JSON Parse error: "),
        ("[1]", "Is not object"),
        ("{}", "Missing 'inputs' or 'instances' key"),
        ('{"instances": [], "inputs": []}', "Not formatted correctly"),
        ('{"instances": []}', "No values in 'instances' array"),
        ('{"instances": 1}', "Excepting 'instances' to be an list/array"),
        ('{"signature_name": 5, "instances": [1]}', "must be a string value"),
        ('{"instances": ["a"]}',
         "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: JSON Value: "
         '"a" Type: String is not of expected type: float'),
        ('{"instances": [[1, 2], [3]]}', "Expecting tensor size: 2 but got: 1"),
        ('{"instances": [[1, 2], [[3, 4]]]}', "Expecting shape [2] but got: [1,2]"),
        ('{"instances": [1, [1]]}', "Expecting shape [] but got: [1]"),
        ('{"instances": [{"z": 1}]}', "does not have named input: z"),
        ('{"instances": [{"x": 1}, 2]}', "Expecting object but got list at item 1"),
        ('{"instances": [1, {"x": 2}]}', "Expecting value/list but got object at item 1"),
        ('{"inputs": {"z": 1}}', "Missing named input: x in 'inputs' object."),
        ('{"inputs": [[1, 2], [3]]}', "Encountered list at unexpected size: 1 at level: 1"),
        ('{"inputs": [[1], 2]}', "found at incorrect level"),
        ('{"instances": [1e39]}', "to float without loss of precision."),
        ('{"instances": [16777217]}', "to float without loss of precision."),
        ('{"instances": [null]}', "Type: Null is not of expected type: float"),
        ('{"instances": [true]}', "is not of expected type: float"),
    ],
)  # fmt: skip
def test_refused_bodies(target, body, message):
    reply = target.post(f"{HALF}:predict", body)
    assert reply.status == 400
    assert message in reply.error


def test_unknown_signature(target):
    reply = target.post(f"{HALF}:predict", {"signature_name": "s", "instances": [1]})
    text = 'Serving signature name: "s" not found in signature def'
    assert (reply.status, reply.error) == (400, target.missing(text, *SIGNATURES))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("int32", "2.0", "Type: Number is not of expected type: int32"),
        ("int32", "2147483648", "is not of expected type: int32"),
        ("uint32", "-1", "is not of expected type: uint32"),
        ("bool", "1", "Type: Number is not of expected type: bool"),
        ("string", "1", "Type: Number is not of expected type: string"),
        ("string", '{"b64": "!"}', "Unable to base64 decode"),
        ("float32", '{"b64": "aGk="}', "is not of expected type: float"),
    ],
)
def test_refused_values(target, name, value, message):
    reply = target.post(FLOAT, f'{{"signature_name": "{name}", "instances": [{value}]}}')
    assert reply.status == 400
    assert message in reply.error


def test_types_that_json_cannot_carry(target):
    body = {"signature_name": "complex64", "instances": [1.0]}
    assert target.post(FLOAT, body).status == 501


@pytest.mark.parametrize(
    ("name", "values"), [("float16", [0.1, 2048]), ("bfloat16", [1.5, 1e30]), ("uint16", [65535])]
)
def test_short_types(target, name, values):
    reply = target.post(FLOAT, {"signature_name": name, "instances": values})
    if target.embedded:
        assert reply.status == 200
        assert reply.json["predictions"] == pytest.approx(values, rel=0.01)
    else:
        assert reply.status == 501


def test_a_scalar_output_needs_the_column_form(target):
    body = {"signature_name": "scalar", "instances": [1.0, 3.0]}
    reply = target.post(FLOAT, body)
    assert (reply.status, reply.error) == (400, "Tensor name: mean has no shape information ")
    body = {"signature_name": "scalar", "inputs": [1.0, 3.0]}
    assert target.post(FLOAT, body).json["outputs"]["mean"] == 2.0


def test_several_inputs_need_names(target):
    assert "expecting list of objects" in target.post(FLOAT, {"instances": [1.0]}).error
    assert "expecting an object" in target.post(FLOAT, {"inputs": [1.0]}).error
    reply = target.post(FLOAT, {"instances": [{"a": 1.0}]})
    assert "keys must be equal to: a,b" in reply.error


@pytest.mark.parametrize(
    ("method", "path", "error"),
    [
        ("POST", "/v1/x", "Malformed request: POST /v1/x"),
        ("GET", "/v1/x", "Malformed request: GET /v1/x"),
        ("GET", f"{HALF}:predict", f"Malformed request: GET {HALF}:predict"),
        ("POST", HALF, f"Malformed request: POST {HALF}"),
        ("POST", f"{HALF}/version/5:predict", f"Malformed request: POST {HALF}/version/5:predict"),
        ("POST", f"{HALF}:predict?a=1", f"Malformed request: POST {HALF}:predict?a=1"),
        ("GET", "/v1/models/versions/1", "Missing model name in request."),
        ("GET", f"{HALF}/versions/9223372036854775808",
         "Failed to convert version: 9223372036854775808 to numeric."),
    ],
)  # fmt: skip
def test_malformed_requests(target, method, path, error):
    reply = web.request(target.rest, method, path, b"{}" if method == "POST" else None)
    assert (reply.status, reply.error) == (400, error)
    assert reply.headers["content-type"] == "application/json"
    assert reply.body.startswith(b'{\n    "error": ')


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_verbs(target, method):
    assert web.request(target.rest, method, f"{HALF}:predict", b"{}").status == 400


def test_paths_outside_the_interface(target):
    reply = target.get("/else")
    assert reply.status == 404
    assert b"404 Not Found" in reply.body


def test_options(target):
    path = f"{HALF}:predict"
    ok = web.request(target.rest, "OPTIONS", path, headers={"Origin": "http://localhost"})
    assert (ok.status, ok.body) == (200, b"")
    assert web.request(target.rest, "OPTIONS", path).status == 400


def test_unknown_models(target):
    reply = target.post("/v1/models/nobody:predict", {"instances": [1]})
    assert (reply.status, reply.error) == (404, "Servable not found for request: Latest(nobody)")
    reply = target.post(f"{HALF}/versions/9:predict", {"instances": [1]})
    assert reply.error == "Servable not found for request: Specific(half_plus_two, 9)"
    reply = target.post(f"{HALF}/labels/a%20b:predict", {"instances": [1]})
    assert (reply.status, reply.error) == (400, "Unrecognized servable version label: a b")


def test_names_are_percent_decoded_and_the_prefix_has_any_case(target):
    reply = target.post("/V1/Models/half%5Fplus_two:predict", {"instances": [2]})
    assert reply.json == {"predictions": [3.0]}


def test_gzip_bodies(target):
    body = gzip.compress(json.dumps({"instances": [2.0]}).encode())
    reply = target.post(f"{HALF}:predict", body, {"Content-Encoding": "gzip"})
    assert reply.json == {"predictions": [3.0]}
    assert "content-encoding" not in reply.headers


def test_prometheus(target):
    target.post(f"{HALF}:predict", {"instances": [2.0]})
    reply = target.get("/monitoring/prometheus/metrics")
    text = reply.body.decode()
    assert reply.headers["content-type"].startswith("text/plain")
    assert "# TYPE :tensorflow:serving:request_count counter" in text
    assert ':tensorflow:serving:request_count{model_name="half_plus_two",status="OK"}' in text
    assert target.get("/monitoring/prometheus/metrics?a=1").status == 400
