"""Proxies and the systemd unit: well formed, consistent with the server, as tight as they say.

Where nginx or systemd-analyze is at hand it reads its file itself.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from serving.options import FLAGS, parse
from tests.serving import programs
from tests.serving.conftest import CERTIFICATES

pytestmark = pytest.mark.filterwarnings("default::pytest.PytestWarning")
DEPLOY = Path(__file__).parents[2] / "serving" / "deploy"
NGINX = DEPLOY / "proxy" / "nginx.conf"
ENVOY = DEPLOY / "proxy" / "envoy.yaml"
UNIT = DEPLOY / "systemd" / "zoo-model-server.service"
REST, GRPC = "127.0.0.1:8501", "127.0.0.1:8500"
FORBIDDEN = {
    "/tensorflow.serving.ModelService/HandleReloadConfigRequest",
    "/tensorflow.ProfilerService/",
    "/monitoring/",
}
REST_TIMEOUT = parse([]).rest_api_timeout_in_ms / 1000
KEEP_ALIVE = parse([]).rest_api_keep_alive_in_ms / 1000


def seconds(text):
    assert re.fullmatch(r"\d+s", text), text
    return int(text[:-1])


# nginx ----------------------------------------------------------------------------------------


@dataclass
class Directive:
    """`name words;` or `name words { inside }`."""

    name: str
    words: list[str]
    inside: list[Directive] = field(default_factory=list)

    def all(self, name):
        return [d for d in self.inside if d.name == name]

    def one(self, name):
        (found,) = self.all(name)
        return found.words


def read_nginx(text):
    """The directives of an nginx configuration.

    Raises:
        ValueError: a brace or a semicolon is missing.
    """
    text = re.sub(r"#.*", "", text)
    tokens = re.findall(r"'[^']*'|\"[^\"]*\"|[{};]|[^\s{};]+", text)
    root, words = Directive("", []), []
    open_blocks = [root]
    for token in tokens:
        if token in (";", "{"):
            if not words:
                raise ValueError("a statement without words")
            made = Directive(words[0], words[1:])
            open_blocks[-1].inside.append(made)
            words = []
            if token == "{":
                open_blocks.append(made)
        elif token == "}":
            if words or len(open_blocks) == 1:
                raise ValueError(f"}} after {words}")
            open_blocks.pop()
        else:
            words.append(token)
    if words or len(open_blocks) > 1:
        raise ValueError(f"the file ends within {words or open_blocks[-1].name}")
    return root


@pytest.fixture(scope="module")
def nginx():
    (http,) = read_nginx(NGINX.read_text()).all("http")
    return http


@pytest.mark.parametrize("text", ["a b", "a {", "a { b }", "a; }", "{}"])
def test_the_nginx_reader_notices_a_mistake(text):
    with pytest.raises(ValueError, match="without words|after|the file ends"):
        read_nginx(text)


def test_nginx_knows_the_servers_ports_and_limits(nginx):
    upstreams = {d.words[0]: d for d in nginx.all("upstream")}
    assert {name: d.one("server") for name, d in upstreams.items()} == {
        "rest": [REST],
        "grpc": [GRPC],
    }
    # An idle connection is the proxy's to close: it would else send into one that is closing.
    assert seconds(upstreams["rest"].one("keepalive_timeout")[0]) < KEEP_ALIVE
    idle = FLAGS["grpc_connection_idle_in_ms"].default / 1000
    assert seconds(upstreams["grpc"].one("keepalive_timeout")[0]) < idle


def test_nginx_lets_through_what_it_should_and_nothing_else(nginx):
    (server,) = nginx.all("server")
    places = {d.words[0]: d for d in server.all("location")}
    refused = {place for place, d in places.items() if d.all("return")}
    assert refused == FORBIDDEN | {"/"}
    assert all(places[place].one("return") == ["403"] for place in FORBIDDEN)
    assert places["/"].one("return") == ["404"]
    assert places["/v1/"].one("proxy_pass") == ["http://rest"]
    assert seconds(places["/v1/"].one("proxy_read_timeout")[0]) > REST_TIMEOUT
    assert places["/tensorflow.serving."].one("grpc_pass") == ["grpc://grpc"]
    assert set(places) - refused == {
        "/v1/", "/tensorflow.serving.", "/grpc.health.v1.Health/",
    }  # fmt: skip


def test_nginx_speaks_tls_and_limits_its_clients(nginx):
    (server,) = nginx.all("server")
    assert all({"ssl", "http2"} <= set(d.words) for d in server.all("listen"))
    assert server.one("ssl_protocols") == ["TLSv1.2", "TLSv1.3"]
    for name in ("client_header_timeout", "client_body_timeout", "send_timeout"):
        assert seconds(server.one(name)[0]) <= 60
    zones = {d.words[1].split("=")[1].split(":")[0] for d in nginx.all("limit_req_zone")}
    assert server.one("limit_req")[0].removeprefix("zone=") in zones
    assert server.all("limit_conn")


def test_nginx_reads_it(tmp_path):
    programs.require("nginx")
    shutil.copy(CERTIFICATES / "server.key", tmp_path)
    shutil.copy(CERTIFICATES / "server.pem", tmp_path)
    text = NGINX.read_text().replace("/etc/recurrent-zoo/", f"{tmp_path}/")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in kinds)
    config = tmp_path / "nginx.conf"
    config.write_text(text.replace("http {", f"http {{ {folders}", 1))
    places = ["-c", str(config), "-p", str(tmp_path), "-e", f"{tmp_path}/error"]
    programs.run(["nginx", "-t", *places, "-g", f"pid {tmp_path}/pid;"])


# Envoy ----------------------------------------------------------------------------------------

FIELDS = {
    "TlsInspector": set(),
    "DownstreamTlsContext": {"common_tls_context"},
    "HttpConnectionManager": {
        "stat_prefix", "codec_type", "use_remote_address", "normalize_path", "merge_slashes",
        "path_with_escaped_slashes_action", "max_request_headers_kb", "request_headers_timeout",
        "request_timeout", "stream_idle_timeout", "common_http_protocol_options",
        "http2_protocol_options", "route_config", "http_filters",
    },
    "LocalRateLimit": {"stat_prefix", "token_bucket", "filter_enabled", "filter_enforced"},
    "Router": set(),
    "HttpProtocolOptions": {"common_http_protocol_options", "explicit_http_config"},
}  # fmt: skip


@pytest.fixture(scope="module")
def envoy():
    return yaml.safe_load(ENVOY.read_text())["static_resources"]


def typed(node):
    """Every message with an `@type` below a node."""
    if isinstance(node, dict):
        if "@type" in node:
            yield node
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from typed(item)


def manager(envoy):
    return next(m for m in typed(envoy) if m["@type"].endswith(".HttpConnectionManager"))


def test_envoys_messages_have_the_fields_that_there_are(envoy):
    found = list(typed(envoy))
    assert {m["@type"].rpartition(".")[2] for m in found} == set(FIELDS)
    for message in found:
        kind = message["@type"]
        assert re.fullmatch(r"type\.googleapis\.com/envoy\.extensions\.[\w.]+\.v3\.\w+", kind)
        assert set(message) - {"@type"} <= FIELDS[kind.rpartition(".")[2]]


def test_envoy_knows_the_servers_ports(envoy):
    ports, idle = {}, {}
    for cluster in envoy["clusters"]:
        assert cluster["load_assignment"]["cluster_name"] == cluster["name"]
        ((endpoint,),) = (e["lb_endpoints"] for e in cluster["load_assignment"]["endpoints"])
        address = endpoint["endpoint"]["address"]["socket_address"]
        ports[cluster["name"]] = f"{address['address']}:{address['port_value']}"
        (options,) = typed(cluster)
        idle[cluster["name"]] = seconds(options["common_http_protocol_options"]["idle_timeout"])
    assert ports == {"rest": REST, "grpc": GRPC}
    assert idle["rest"] < KEEP_ALIVE
    assert idle["grpc"] < FLAGS["grpc_connection_idle_in_ms"].default / 1000


def test_envoy_lets_through_what_it_should_and_nothing_else(envoy):
    (host,) = manager(envoy)["route_config"]["virtual_hosts"]
    refused, passed = {}, {}
    for route in host["routes"]:
        ((_, path),) = route["match"].items()
        if "direct_response" in route:
            refused[path] = route["direct_response"]["status"]
        else:
            passed[path] = route["route"]["cluster"]
            assert set(refused) >= FORBIDDEN, "the first route that fits is taken"
    assert refused == {**dict.fromkeys(FORBIDDEN, 403), "/": 404}
    assert passed == {
        "/tensorflow.serving.": "grpc", "/grpc.health.v1.Health/": "grpc", "/v1/": "rest",
    }  # fmt: skip
    assert host["routes"][-1]["match"] == {"prefix": "/"}
    (rest,) = (r["route"] for r in host["routes"] if r["match"] == {"prefix": "/v1/"})
    assert seconds(rest["timeout"]) > REST_TIMEOUT


def test_envoy_limits_its_clients(envoy):
    found = manager(envoy)
    assert found["max_request_headers_kb"] << 10 == FLAGS["rest_api_max_header_bytes"].default
    for name in ("request_headers_timeout", "request_timeout", "stream_idle_timeout"):
        assert 0 < seconds(found[name]) <= 120
    assert found["http_filters"][-1]["name"] == "envoy.filters.http.router"
    (listener,) = envoy["listeners"]
    assert listener["per_connection_buffer_limit_bytes"] <= 1 << 20
    (tls,) = (m for m in typed(listener) if m["@type"].endswith("DownstreamTlsContext"))
    assert tls["common_tls_context"]["alpn_protocols"] == ["h2", "http/1.1"]


# systemd --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unit():
    """The unit's settings by section: a list of values for each name."""
    text = re.sub(r"\\\n\s*", "", UNIT.read_text())
    found, section = {}, ""
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("["):
            section = line.strip("[]")
        elif not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(section, {}).setdefault(name, []).append(value)
    return found


def test_the_unit_starts_the_server_with_flags_that_there_are(unit):
    program, *argv = unit["Service"]["ExecStart"][0].split()
    assert Path(program).name == "zoo-model-server"
    flags = parse(argv)
    assert not flags.without_effect()
    assert (f"127.0.0.1:{flags.rest_api_port}", f"127.0.0.1:{flags.port}") == (REST, GRPC)
    assert flags.host == "127.0.0.1"
    (credential,) = unit["Service"]["LoadCredential"]
    assert flags.api_key_file == f"${{CREDENTIALS_DIRECTORY}}/{credential.partition(':')[0]}"
    assert int(unit["Service"]["TimeoutStopSec"][0]) > flags.drain_seconds


def test_the_unit_may_do_little(unit):
    service = {name: values[0] for name, values in unit["Service"].items()}
    for name in ("DynamicUser", "NoNewPrivileges", "PrivateTmp", "ProtectHome", "PrivateUsers"):
        assert service[name] == "yes", name
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert service["MemoryMax"] == "4G"
    assert (service["IPAddressDeny"], service["IPAddressAllow"]) == ("any", "localhost")
    most = FLAGS["rest_api_max_connections"].default + FLAGS["grpc_max_connections"].default
    assert int(service["LimitNOFILE"]) > most


def test_systemd_reads_it(tmp_path):
    programs.require("systemd-analyze")
    copy = tmp_path / UNIT.name
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text(), flags=re.M))
    programs.run(["systemd-analyze", "verify", "--man=no", str(copy)])
    # Of 100 for a service without any of this.
    programs.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", str(copy)])
