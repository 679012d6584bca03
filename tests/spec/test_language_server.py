"""Completion and a diagnostic in a real YAML language server, which editors such as VS Code run.

These tests run where the server is on the PATH, or where CAUSALVAE_LANGUAGE_SERVER names the folder in which
`npm install yaml-language-server` was run; otherwise they are skipped. The specs name the schema in their first line,
as users' do.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from causalvae.spec.jsonschema import json_schema_text
from tests.spec.faults import GOOD as WITH_ANOTHER_PATH

# The server takes the key `null` without quotes for the value null, and then reports nothing of the file.
GOOD = WITH_ANOTHER_PATH.replace("../../specs/causalvae.schema.json", "causalvae.schema.json").replace(
    "    null:", '    "null":'
)


def _command() -> list[str]:
    """What starts the server; empty where there is none."""
    folder = os.environ.get("CAUSALVAE_LANGUAGE_SERVER", "")
    local = Path(folder, "node_modules", "yaml-language-server", "bin", "yaml-language-server")
    node, installed = shutil.which("node"), shutil.which("yaml-language-server")
    if folder and node and local.is_file():
        return [node, str(local), "--stdio"]
    return [installed, "--stdio"] if installed else []


class Server:
    """A language server as an editor speaks to it: JSON-RPC over pipes, with the length of each message before it."""

    def __init__(self, process: subprocess.Popen[bytes], settings: dict[str, Any], folder: Path) -> None:
        self._process, self._settings, self._number = process, settings, 0
        self.folder = folder
        self.diagnostics: dict[str, list[Any]] = {}

    def notify(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def request(self, method: str, params: Any) -> Any:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        number = self._number
        while True:
            message = self._receive()
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def diagnosed(self, uri: str) -> list[Any]:
        """The diagnostics of a document, once they have been published."""
        while uri not in self.diagnostics:
            self._receive()
        return self.diagnostics.pop(uri)

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        stream = self._process.stdout
        assert stream is not None
        length = 0
        while (line := stream.readline().strip()) or not length:
            assert line or self._process.poll() is None, "the server has ended"
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        message: dict[str, Any] = json.loads(stream.read(length))
        if message.get("method") == "textDocument/publishDiagnostics":
            self.diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif message.get("method") == "workspace/configuration":
            self._answer(message, [self._settings.get(item["section"], {}) for item in message["params"]["items"]])
        elif "id" in message and "method" in message:
            self._answer(message, None)
        return message

    def _answer(self, message: dict[str, Any], result: Any) -> None:
        self._send({"id": message["id"], "result": result})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    command = _command()
    if not command:
        pytest.skip("no yaml-language-server: npm install it, and name the folder in CAUSALVAE_LANGUAGE_SERVER")
    folder = tmp_path_factory.mktemp("editor")
    schema = folder / "causalvae.schema.json"
    schema.write_text(json_schema_text())
    yaml = {
        "validate": True,
        "completion": True,
        "schemas": {schema.as_uri(): "*.yaml"},
        "schemaStore": {"enable": False},
    }
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    server = Server(process, {"yaml": yaml}, folder)
    server.request(
        "initialize",
        {
            "processId": os.getpid(),
            "rootUri": folder.as_uri(),
            "capabilities": {
                "workspace": {"configuration": True},
                "textDocument": {"completion": {"completionItem": {}}, "publishDiagnostics": {}},
            },
        },
    )
    server.notify("initialized", {})
    server.notify("workspace/didChangeConfiguration", {"settings": {"yaml": yaml}})
    yield server
    process.kill()
    process.wait()


def opened(server: Server, name: str, text: str) -> str:
    uri = (server.folder / f"{name}.yaml").as_uri()
    document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
    server.notify("textDocument/didOpen", {"textDocument": document})
    return uri


def completed(server: Server, name: str, text: str) -> set[str]:
    """What the server offers at the mark ‸."""
    before = text[: text.index("‸")]
    uri = opened(server, name, text.replace("‸", ""))
    place = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
    found = server.request("textDocument/completion", {"textDocument": {"uri": uri}, "position": place})
    return {item["label"] for item in (found["items"] if isinstance(found, dict) else found)}


def test_a_good_spec_has_no_diagnostics(server: Server) -> None:
    for number, text in enumerate((GOOD, GOOD.replace("samples: 512", "samples: ${n}") + "variables: {n: 512}\n")):
        assert server.diagnosed(opened(server, f"good{number}", text)) == []


def test_a_misspelt_key_is_marked_where_it_stands(server: Server) -> None:
    text = GOOD.replace("  samples: 512\n", "  samples: 512\n  sampels: 512\n")
    found = server.diagnosed(opened(server, "bad", text))
    line = text.split("\n").index("  sampels: 512")
    assert [each["range"]["start"]["line"] for each in found] == [line]
    assert "sampels" in found[0]["message"]


def test_keys_and_choices_are_completed(server: Server) -> None:
    top = GOOD.replace("interventions:", "‸\ninterventions:", 1)
    assert {"variants", "grid", "counterfactuals"} <= completed(server, "top", top)
    alignment = GOOD.replace("alignment: {alpha: 0.05, correction: holm}", "alignment:\n  correction: ‸\n")
    assert {"holm", "bh", "none"} <= completed(server, "choice", alignment)
    execution = GOOD[: GOOD.index("execution:")] + "execution:\n  ‸\n"
    assert {"device", "seed", "precision"} <= completed(server, "section", execution)
