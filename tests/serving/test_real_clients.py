"""Programs that other people wrote, where this machine has them: curl, Java, Node.

Each sends the same requests in its default settings and must get what Python's client gets.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import warnings

import pytest

from tests.serving import web
from tests.serving.running import running

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


def program_or_skip(name):
    program = name.split()[0]
    if shutil.which(program) is None:
        message = f"{program} is not installed: its requests are NOT tested"
        warnings.warn(message, pytest.PytestWarning, stacklevel=2)
        pytest.skip(message)


@pytest.mark.filterwarnings("default::pytest.PytestWarning")
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_in_its_default_settings_gets_the_same_answers(name, address, expected, tmp_path):
    program_or_skip(name)
    files = []
    for key, body in BODIES.items():
        (tmp_path / key).write_text(body)
        files.append(str(tmp_path / key))
    command = PROGRAMS[name](f"{address.rest}{PATH}", files, tmp_path)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
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
