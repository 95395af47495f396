"""The pages at / and /docs, and the list of what is loaded: as they are sent, without a browser."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from serving.options import UsageError, parse
from serving.rest import pages
from serving.rest.pages import FOLDER, has_playground, pages_without_key
from tests.serving import programs, web
from tests.serving.running import running

SCRIPTS = sorted(FOLDER.glob("*.js"))
# What would put a text into the page as HTML or as code, or what the policy forbids.
FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|<style|style=|"
    r"\son\w+=|javascript:|https?://(?!www\.w3\.org/2000/svg)"
)


@pytest.fixture(scope="module")
def address(models):
    with running(f"--model_base_path={models}/text", "--model_name=text") as started:
        yield started


def test_what_is_loaded_is_listed(address):
    port = int(address.grpc.rpartition(":")[2])
    model = {
        "name": "text",
        "versions": [{"version": "123", "labels": []}],
        "signatures": ["next_word", "raw", "score", "serving_default"],
        "preset": False,
    }
    assert web.get(address.rest, "/v1/models").json == {"models": [model], "grpc_port": port}
    assert web.get(address.rest, "/v1/models?a=1").status == 400


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/docs", "text/html"),
        ("/page/style.css", "text/css"),
        ("/page/app.js", "text/javascript"),
        ("/page/icon.svg", "image/svg+xml"),
    ],
)
def test_a_page_has_its_type_policy_and_tag(address, path, kind):
    reply = web.get(address.rest, path)
    assert (reply.status, reply.headers["content-type"].partition(";")[0]) == (200, kind)
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert reply.headers["x-content-type-options"] == "nosniff"
    head = web.request(address.rest, "HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(reply.body))
    assert head.headers["etag"] == reply.headers["etag"]


def test_a_page_that_the_browser_has_is_not_sent_again(address):
    tag = web.get(address.rest, "/page/app.js").headers["etag"]
    for known, status in ((tag, 304), (f'"x", W/{tag}', 304), ("*", 304), ('"x"', 200)):
        reply = web.request(address.rest, "GET", "/page/app.js", headers={"If-None-Match": known})
        assert (reply.status, reply.headers["etag"]) == (status, tag)
        assert (reply.body == b"") == (status == 304)


@pytest.mark.parametrize("path", ["/page/", "/page/docs.html", "/page/../app.py", "/page/x.js"])
def test_there_are_no_other_files(address, path):
    assert web.get(address.rest, path).status == 404


def test_other_verbs_have_no_page(address):
    assert web.post(address.rest, "/", b"").status == 404


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], True),
        (["--noplayground"], False),
        (["--playground=false"], False),
        (["--host=0.0.0.0"], False),
        (["--host=0.0.0.0", "--playground"], True),
        (["--api_key_file=keys"], False),
        (["--api_key_file=keys", "--playground"], True),
    ],
)
def test_where_there_is_a_playground(arguments, expected):
    flags = parse(arguments)
    assert has_playground(flags) is expected
    assert (pages.PLAYGROUND in pages.pages(has_playground(flags))) is expected
    assert pages.FORM in pages.pages(has_playground(flags))


def test_a_page_is_open_without_a_key_only_where_it_was_asked_for():
    assert pages_without_key(parse(["--api_key_file=keys"])) == set()
    assert pages.PLAYGROUND in pages_without_key(parse(["--api_key_file=keys", "--playground"]))


def test_only_booleans_are_turned_off_by_their_name():
    assert parse(["--noenable_batching"]).enable_batching is False
    for argument in ("--noport", "--nonsense", "--noplayground=true"):
        with pytest.raises(UsageError, match="unknown argument"):
            parse([argument])


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_no_text_becomes_html_and_nothing_comes_from_elsewhere(path):
    assert FORBIDDEN.findall(path.read_text(encoding="utf-8")) == []


def test_what_the_files_load_is_there():
    names = {path.name for path in FOLDER.iterdir()}
    for path in FOLDER.glob("*.html"):
        wanted = re.findall(r'(?:src|href)="page/([^"]+)"', path.read_text(encoding="utf-8"))
        assert wanted
        assert set(wanted) <= names
    for path in SCRIPTS:
        imported = re.findall(r'from "\./([^"]+)"', path.read_text(encoding="utf-8"))
        assert set(imported) <= names


def in_node(script: str, given: object = None) -> object:
    """What a module that imports the page's pure ones makes of `given`."""
    programs.require("node")
    imports = "".join(
        f'import * as {name} from "{(FOLDER / name).as_uri()}.js";'
        for name in ("format", "calls", "signature")
    )
    code = (
        f'{imports} import {{ readFileSync }} from "node:fs";'
        f'const given = JSON.parse(readFileSync(0, "utf8"));'
        f"console.log(JSON.stringify({script}));"
    )
    command = ["node", "--input-type=module", "-e", code]
    return json.loads(programs.run(command, json.dumps(given)))


def test_the_scripts_are_javascript(tmp_path):
    programs.require("node")
    # Every module's text is parsed in one process; `import` and `export` make it a module.
    code = (
        'import { SourceTextModule } from "node:vm"; import { readFileSync } from "node:fs";'
        "for (const path of process.argv.slice(1))"
        " new SourceTextModule(readFileSync(path, 'utf8'));"
    )
    flags = ["--no-warnings", "--experimental-vm-modules", "--input-type=module"]
    programs.run(["node", *flags, "-e", code, *map(str, SCRIPTS)])


def test_texts_and_numbers_are_shown_as_they_should_be():
    found = in_node("""{
        percent: [1, 0.1234, 0.0456, 0.00123, 0, 1e-9].map(format.percent),
        logarithm: [-1.234, 0, null, -3.40282347e38].map(format.logarithm),
        shade: [-0.1, -1, -2, -4, -6, -9, null].map(format.shade),
        accepted: [
            ["I would", "like"], ["I would ", "like"], ["", "i"], ["It is", "."], ["it ", "'s"],
        ].map(([text, word]) => format.accepted(text, { word, finishes: false })),
        finished: format.accepted("I wou", { word: "would", finishes: true }),
        offers: [
            format.offers("wo", [["would", 0.5], ["wo", 0.1], ["the", 0.2]], [["n't", 0.4]]),
            format.offers("to", [["to", 0.9], ["tom", 0.1]], [["go", 0.2]]),
            format.offers("", [], [["go", 0.2]]),
        ].map((found) => found.map(({ word, finishes }) => word + (finishes ? "!" : ""))),
        blanks: ["a ___ b", "____", "a b", "___ ___"].map(format.hasOneBlank),
        filled: format.filled("a ___ b", "$&"),
        lines: format.lines(" a \\n\\n b"),
        perplexity: [format.perplexity(-2.302585093, 1), format.perplexity(-3.4e38, 1)],
    }""")
    assert found == {
        "percent": ["100 %", "12.3 %", "4.6 %", "0.12 %", "0 %", "< 0.01 %"],
        "logarithm": ["−1.23", "0.00", "−∞", "−∞"],
        "shade": [0, 1, 2, 3, 4, 5, 5],
        "accepted": ["I would like ", "I would like ", "i ", "It is. ", "it's "],
        "finished": "I would ",
        "offers": [["would!", "n't"], ["go", "tom!"], ["go"]],
        "blanks": [True, True, False, False],
        "filled": "a $& b",
        "lines": ["a", "b"],
        "perplexity": ["10.0", "∞"],
    }


def test_a_form_knows_what_a_signature_takes():
    definition = {
        "method_name": "tensorflow/serving/predict",
        "inputs": {
            "text": {"dtype": "DT_STRING", "tensor_shape": {"dim": [{"size": "-1"}]}},
            "x": {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": "-1"}, {"size": "2"}]}},
            "any": {"dtype": "DT_INT32", "tensor_shape": {"dim": [], "unknown_rank": True}},
        },
    }
    found = in_node(
        """{
        inputs: Object.values(given.inputs)
            .map((info) => [signature.described(info), signature.example(info)]),
        verbs: ["tensorflow/serving/classify", "", undefined]
            .map((method_name) => signature.verbOf({ method_name })),
        call: signature.callOf("m", "s", given, { text: '["a"]', x: " " }),
    }""",
        definition,
    )
    assert found == {
        "inputs": [
            ["string [?]", ["I would like to"]],
            ["float [?, 2]", [[1, 1]]],
            ["int32 of any shape", [1]],
        ],
        "verbs": ["classify", "predict", "predict"],
        "call": {"model": "m", "signature": "s", "verb": "predict", "inputs": {"text": ["a"]}},
    }


ODD = """it's "the" cat \\ $HOME `x` é\u2028 </script>"""


@pytest.fixture(scope="module")
def calls(address):
    call = {"model": "text", "signature": "score", "texts": [ODD, "the cat"]}
    where = {"rest": f"{address.rest}/", "grpc": address.grpc, "preset": True}
    return dict(in_node("calls.callsFor(...given)", [call, where]))


def test_the_curl_call_gives_what_the_page_gets(address, calls):
    programs.require("curl")
    body = {"signature_name": "score", "inputs": {"text": [ODD, "the cat"]}}
    reply = web.post(address.rest, "/v1/models/text:predict", body)
    assert json.loads(programs.run(["bash", "-c", calls["REST"] + " -s"])) == reply.json


def test_the_python_calls_run(calls, capsys, monkeypatch):
    import zoo

    exec(compile(calls["gRPC, from Python"], "shown", "exec"), {})
    assert "oov=0" in capsys.readouterr().out
    asked = []

    class Model:
        def score(self, texts):
            asked.append(texts)

    monkeypatch.setattr(zoo, "load", lambda name: Model())
    exec(compile(calls["Python, without a server"], "shown", "exec"), {})
    assert asked == [[ODD, "the cat"]]


def test_the_device_call_quotes_its_texts(calls):
    assert shlex.split(calls["On a device"].split("\n")[1])[-2:] == [ODD, "the cat"]


def test_every_file_is_in_the_package():
    listed = (Path(__file__).parents[3] / "setup.cfg").read_text()
    assert "rest/page/*" in listed
