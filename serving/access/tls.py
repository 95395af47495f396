"""TLS from one --ssl_config_file for both interfaces; what is wrong with it is named by field."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from serving.codec import protos
from serving.config.files import read_text_proto
from serving.errors import ServingError, invalid_argument

PRIVATE_KEY = "PRIVATE KEY-----"


@dataclass(frozen=True)
class Tls:
    """A server's key and certificate, and the authority of its clients'."""

    path: str
    server_key: str
    server_cert: str
    custom_ca: str
    client_verify: bool

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """What the gRPC server is bound with."""
        return grpc.ssl_server_credentials(
            [(self.server_key.encode(), self.server_cert.encode())],
            root_certificates=self.custom_ca.encode() or None,
            require_client_auth=self.client_verify,
        )

    def context(self) -> ssl.SSLContext:
        """What the REST server is bound with.

        Raises:
            ServingError: INVALID_ARGUMENT, naming the field that is no PEM text.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        if self.custom_ca:
            self._trust(context, "custom_ca", self.custom_ca)
        self._trust(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "server_cert", self.server_cert)
        self._identify(context)
        if self.client_verify:
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _trust(self, context: ssl.SSLContext, field: str, text: str) -> None:
        try:
            context.load_verify_locations(cadata=text)
        except (ssl.SSLError, ValueError, TypeError) as error:
            raise self._refusal(field, "a certificate in PEM text", error) from None

    def _identify(self, context: ssl.SSLContext) -> None:
        if PRIVATE_KEY not in self.server_key:
            raise self._refusal("server_key", "a private key in PEM text")
        # OpenSSL reads key and certificates from a file only; this one nobody else may read.
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(f"{self.server_key}\n{self.server_cert}\n")
            file.flush()
            try:
                context.load_cert_chain(file.name, password=self._no_password)
            except ssl.SSLError as error:
                if error.reason == "KEY_VALUES_MISMATCH":
                    raise self._refusal("server_key", "the key of server_cert") from None
                raise self._refusal("server_key", "a private key in PEM text", error) from None

    @property
    def _no_password(self) -> Callable[[], str]:
        def asked() -> str:
            raise self._refusal("server_key", "a private key without a password")

        return asked

    def _refusal(self, field: str, wanted: str, error: Exception | None = None) -> ServingError:
        reason = f" ({error})" if error else ""
        return invalid_argument(f"{self.path}: {field} must hold {wanted}{reason}")


def read_tls(path: str) -> Tls | None:
    """The settings of an SSLConfig file, checked; None without a path.

    Raises:
        ServingError: the file cannot be read, or a field does not hold what it must.
    """
    if not path:
        return None
    config = read_text_proto(path, protos.SSLConfig())
    if not config.server_key or not config.server_cert:
        raise invalid_argument(f"{path}: server_key and server_cert must hold PEM text")
    if config.client_verify and not config.custom_ca:
        raise invalid_argument(
            f"{path}: client_verify needs custom_ca, the authority that signed "
            "the clients' certificates"
        )
    tls = Tls(
        path, config.server_key, config.server_cert, config.custom_ca, config.client_verify
    )  # fmt: skip
    tls.context()
    return tls
