"""Programs that other people wrote, where this machine has them: curl, Java, Node, gRPC clients.

Each sends the same requests in its default settings and must get what Python's client gets.
grpc-js is found where Node finds packages (`NODE_PATH`), min-tfs-client where Python does.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import grpc
import pytest
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tests.serving import programs, web
from tests.serving.conformance.conftest import predict_request
from tests.serving.running import running

pytestmark = pytest.mark.filterwarnings("default::pytest.PytestWarning")
PATH = "/v1/models/default:predict"
BODIES = {
    "small": json.dumps({"instances": [1, 2]}),
    "large": json.dumps({"instances": [i / 8 for i in range(50_000)]}),
    "refused": '{"instances": ["x"]}',
}

JAVA = """
import java.net.URI;
import java.net.http.*;
import java.nio.file.*;
class Ask {
    public static void main(String[] args) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        for (int i = 1; i < args.length; i++) {
            var request = HttpRequest.newBuilder(URI.create(args[0]))
                .POST(HttpRequest.BodyPublishers.ofFile(Path.of(args[i]))).build();
            var reply = client.send(request, HttpResponse.BodyHandlers.ofString());
            System.out.println(reply.statusCode() + " " + reply.body().replaceAll("\\\\s", ""));
        }
    }
}
"""

NODE = """
const [url, ...files] = process.argv.slice(2);
const http = require("http"), fs = require("fs");
const agent = new http.Agent({keepAlive: true});
const ask = (file) => new Promise((done, fail) => {
  const headers = {"Connection": "Upgrade", "Upgrade": "websocket"};
  const request = http.request(url, {method: "POST", agent, headers}, (reply) => {
    let text = "";
    reply.on("data", (data) => text += data);
    reply.on("end", () => done(reply.statusCode + " " + text.replace(/\\s/g, "")));
  });
  request.on("error", fail);
  request.end(fs.readFileSync(file));
});
(async () => { for (const file of files) console.log(await ask(file)); agent.destroy(); })();
"""

GRPC_JS = """
const [address, ...bodies] = process.argv.slice(2), grpc = require("@grpc/grpc-js");
const client = new grpc.Client(address, grpc.credentials.createInsecure()), same = (x) => x;
const path = "/tensorflow.serving.PredictionService/Predict";
const ask = (body) => new Promise((done) => client.makeUnaryRequest(
  path, same, same, Buffer.from(body, "hex"),
  (error, reply) => done(error ? [error.code, error.details] : [0, reply.toString("hex")])));
(async () => {
  const replies = [];
  for (const body of bodies) replies.push(await ask(body));
  console.log(JSON.stringify(replies));
  client.close();
})();
"""

MIN_TFS = """
import sys
import numpy as np
from min_tfs_client.requests import TensorServingClient
from min_tfs_client.tensors import tensor_proto_to_ndarray
client = TensorServingClient("127.0.0.1", int(sys.argv[1]))
answer = client.predict_request("default", {"x": np.array([1, 2], np.float32)})
print(tensor_proto_to_ndarray(answer.outputs["y"]).tolist(), answer.model_spec.version.value)
"""


def java(url, files, folder):
    (folder / "Ask.java").write_text(JAVA)
    return ["java", "-XX:TieredStopAtLevel=1", str(folder / "Ask.java"), url, *files]


def node(url, files, folder):
    (folder / "ask.js").write_text(NODE)
    return ["node", str(folder / "ask.js"), url, *files]


def curl(*options):
    """One process with a transfer for each file; what it prints is `status body`."""

    def command(url, files, folder):
        argv = ["curl", "-s"]
        for file in files:
            one = [*options, "--noproxy", "*", "-w", "\\n%{http_code}\\n", "-d", f"@{file}", url]
            argv += [*(["--next", "-s"] if argv[2:] else []), *one]
        return argv

    return command


PROGRAMS = {
    "curl": curl(),
    "curl --http2": curl("--http2"),
    "curl --http1.0": curl("--http1.0", "-H", "Connection: keep-alive"),
    "java": java,
    "node": node,
}


@pytest.fixture(scope="module")
def address(models):
    with running(f"--model_base_path={models}/half_plus_two") as started:
        yield started


@pytest.fixture(scope="module")
def expected(address):
    replies = [web.post(address.rest, PATH, body) for body in BODIES.values()]
    assert [reply.status for reply in replies] == [200, 200, 400]
    return [f"{reply.status} {''.join(reply.body.decode().split())}" for reply in replies]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_in_its_default_settings_gets_the_same_answers(name, address, expected, tmp_path):
    programs.require(name.split()[0])
    files = []
    for key, body in BODIES.items():
        (tmp_path / key).write_text(body)
        files.append(str(tmp_path / key))
    command = PROGRAMS[name](f"{address.rest}{PATH}", files, tmp_path)
    lines = programs.run(command).splitlines()
    assert (curl_answers(lines) if name.startswith("curl") else lines) == expected


def curl_answers(lines):
    """curl prints a body, then its status on a line of its own."""
    found, body = [], ""
    for line in lines:
        if line.isdigit():
            found.append(f"{line} {body}")
            body = ""
        else:
            body += "".join(line.split())
    return found


def by_python(address, requests):
    """Status code, then details or the answer, of Python's client."""
    replies = []
    with grpc.insecure_channel(address) as channel:
        ask = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
        for request in requests:
            try:
                replies.append((0, ask(request, timeout=20)))
            except grpc.RpcError as error:
                replies.append((error.code().value[0], error.details()))
    return replies


def test_grpc_js_gets_the_same_answers(address, tmp_path):
    programs.require("node")
    if subprocess.run(["node", "-e", "require('@grpc/grpc-js')"], capture_output=True).returncode:
        programs.skip("@grpc/grpc-js")
    values = ([1.0, 2.0], [i / 8 for i in range(10_000)], [b"x"])
    requests = [predict_request("default", x=x) for x in values]
    (tmp_path / "ask.js").write_text(GRPC_JS)
    bodies = [request.SerializeToString().hex() for request in requests]
    replies = json.loads(programs.run(["node", str(tmp_path / "ask.js"), address.grpc, *bodies]))
    read = predict_pb2.PredictResponse.FromString
    answers = [(code, text if code else read(bytes.fromhex(text))) for code, text in replies]
    assert answers == by_python(address.grpc, requests)
    assert [code for code, _ in answers] == [0, 0, 3]


def test_min_tfs_client_gets_the_same_answers(address):
    if importlib.util.find_spec("min_tfs_client") is None:
        programs.skip("min-tfs-client")
    port = address.grpc.rpartition(":")[2]
    assert programs.run([sys.executable, "-c", MIN_TFS, port]) == "[2.5, 3.0] 123\n"
