"""TLS on both interfaces from one file, and what is said when it cannot be."""

from __future__ import annotations

import json
import re
import ssl

import grpc
import pytest

from serving.access.tls import read_tls
from serving.client import Client
from serving.client import main as client_main
from serving.errors import Code, ServingError
from serving.server import run
from tests.serving.conftest import CERTIFICATES
from tests.serving.running import free_port, running

CA = CERTIFICATES / "ca.pem"
PAIR = CERTIFICATES / "client.pem", CERTIFICATES / "client.key"


def secured(models, path, *flags):
    base = f"--model_base_path={models}/text"
    return running(base, "--model_name=text", f"--ssl_config_file={path}", *flags)


def https(address):
    return address.rest.replace("http:", "https:")


def trusting(pair=None):
    context = ssl.create_default_context(cafile=CA)
    if pair:
        context.load_cert_chain(*pair)
    return context


def tokens(client):
    with client:
        return client.score(["the cat"], model="text")[0].tokens


def test_rest_speaks_tls(models, write_tls):
    with secured(models, write_tls()) as address:
        assert tokens(Client.rest(https(address), context=trusting())) == 3
        for refused in (Client.rest(https(address)), Client.rest(address.rest, timeout=5)):
            with pytest.raises((ServingError, OSError)):
                tokens(refused)
        arguments = ["score", "the cat", "--model=text", f"--ca-file={CA}"]
        for server in (https(address), address.grpc):
            assert client_main([*arguments, f"--server={server}"]) == 0


def test_a_client_needs_a_certificate_on_both_interfaces(models, write_tls, capsys):
    with secured(models, write_tls(client_verify=True)) as address:
        assert tokens(Client.rest(https(address), context=trusting(PAIR))) == 3
        with pytest.raises((ServingError, OSError)):
            tokens(Client.rest(https(address), context=trusting()))
        pem = (CA, PAIR[1], PAIR[0])
        known = grpc.ssl_channel_credentials(*(path.read_bytes() for path in pem))
        assert tokens(Client(address.grpc, 20, known)) == 3
        for credentials in (grpc.ssl_channel_credentials(CA.read_bytes()), None):
            with pytest.raises(ServingError) as error:
                tokens(Client(address.grpc, 3, credentials))
            assert error.value.code in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED)
        mine = [f"--ca-file={CA}", f"--cert-file={PAIR[0]}", f"--key-file={PAIR[1]}"]
        for server in (https(address), address.grpc):
            arguments = ["score", "the cat", "--model=text", f"--server={server}", *mine]
            assert client_main(arguments) == 0
            assert json.loads(capsys.readouterr().out)["answer"]["tokens"] == 3


ENCRYPTED = (CERTIFICATES / "encrypted.key").read_text()
CLIENT_KEY = PAIR[1].read_text()
CERTIFICATE = (CERTIFICATES / "server.pem").read_text()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"server_key": "nonsense"}, "server_key must hold a private key in PEM text"),
        ({"server_key": CERTIFICATE}, "server_key must hold a private key in PEM text"),
        ({"server_key": CLIENT_KEY[:150]}, "server_key must hold a private key in PEM text"),
        ({"server_key": CLIENT_KEY}, "server_key must hold the key of server_cert"),
        ({"server_key": ENCRYPTED}, "server_key must hold a private key without a password"),
        ({"server_cert": "nonsense"}, "server_cert must hold a certificate in PEM text"),
        ({"server_cert": CLIENT_KEY}, "server_cert must hold a certificate in PEM text"),
        ({"custom_ca": "nonsense"}, "custom_ca must hold a certificate in PEM text"),
        ({"custom_ca": "cäfé"}, "custom_ca must hold a certificate in PEM text"),
        ({"server_key": ""}, "server_key and server_cert must hold PEM text"),
        ({"custom_ca": "", "client_verify": True}, "client_verify needs custom_ca"),
    ],
)
def test_a_field_that_does_not_hold_what_it_must_is_named(write_tls, fields, message):
    path = write_tls(**fields)
    with pytest.raises(ServingError, match=re.escape(f"{path}: {message}")) as refused:
        read_tls(str(path))
    assert refused.value.code is Code.INVALID_ARGUMENT
    assert "\n" not in refused.value.message


def test_the_server_does_not_start_with_it(write_tls, capfd):
    path = write_tls(server_key="nonsense")
    flags = [f"--port={free_port()}", "--model_base_path=/m", f"--ssl_config_file={path}"]
    assert run(flags) == 255
    shown = capfd.readouterr().out
    assert f"Failed to start server. Error: INVALID_ARGUMENT: {path}: server_key" in shown
