#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A management server that answers targetd's API (version 0.7, block part), for tests.

  targetd_server.py --files DIR ...      volumes are files DIR/POOL/NAME: a simulated array, without iSCSI
  targetd_server.py --lvm VG/POOL ...    volumes are LVM thin volumes, exports are LIO's: a real one

Prints "listening on ADDRESS:PORT" when it is ready. With --faults FILE, a JSON object by method, read at each request:
{"vol_copy": {"delay_ms": 6000}} waits after the work, {"before_ms": 500} before it, {"error": [-303, "text"]} refuses,
{"garbage": true} answers no JSON, {"drop": true} closes without an answer, {"only": "lun1"} for that volume alone.
With --times FILE, a line "METHOD MILLISECONDS" for each call: how long the array was at work on it, "before_ms" included.
"""
import argparse
import base64
import hmac
import http.server
import json
import os
import socket
import ssl
import sys
import threading
import time

from array_files import FileArray
from array_lvm import LvmArray
from array_error import ArrayError

METHODS = ("pool_list", "vol_list", "vol_copy", "vol_create", "vol_destroy", "export_list", "export_create", "export_destroy",
           "initiator_list", "initiator_set_auth")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, array, credentials, faults, serial, times):
        super().__init__(address, Handler)
        self.array, self.credentials, self.faults, self.times = array, credentials, faults, times
        # targetd's own does all work one after another.
        self.lock = threading.Lock() if serial else None
        self.tls = None

    def get_request(self):
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address

    def finish_request(self, request, client_address):
        # The handshake is the connection's own thread's: a client that does not shake hands holds up nobody.
        if self.tls:
            request = self.tls.wrap_socket(request, server_side=True)
        self.RequestHandlerClass(request, client_address, self)

    def handle_error(self, request, client_address):
        print(f"array: {client_address[0]}: {sys.exc_info()[1]}", file=sys.stderr, flush=True)

    def fault(self, method, params):
        if not self.faults:
            return {}
        try:
            with open(self.faults, encoding="ascii") as file:
                fault = json.load(file).get(method, {})
        except (FileNotFoundError, ValueError):
            return {}
        if "only" in fault and fault["only"] not in (params.get("vol_orig"), params.get("name"), params.get("vol")):
            return {}
        return fault


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = 3600

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", content_type="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        head = b"".join(self._headers_buffer) + b"\r\n"  # one segment for all of it
        self._headers_buffer = []
        self.wfile.write(head + body)

    def allowed(self):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        try:
            given = base64.b64decode(token)
        except ValueError:
            return False
        return scheme == "Basic" and hmac.compare_digest(given, self.server.credentials)

    def do_POST(self):  # pylint: disable=invalid-name  (http.server's)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.allowed():
            time.sleep(0.2)
            return self.reply(401)
        if self.path != "/targetrpc":
            return self.reply(404)
        try:
            request = json.loads(body)
            method, params, identifier = request["method"], request.get("params") or {}, request["id"]
        except (ValueError, KeyError):
            return self.reply(200, b'{"jsonrpc":"2.0","id":0,"error":{"code":-32700,"message":"parse error"}}')
        fault = self.server.fault(method, params)
        if fault.get("drop"):
            self.close_connection = True
            return None
        begun = time.monotonic()
        time.sleep(fault.get("before_ms", 0) / 1000)
        answer = self.carry_out(method, params, fault)
        if self.server.times:
            with open(self.server.times, "a", encoding="ascii") as file:
                file.write(f"{method} {(time.monotonic() - begun) * 1000:.3f}\n")
        time.sleep(fault.get("delay_ms", 0) / 1000)
        if fault.get("garbage"):
            return self.reply(200, b"<html>busy</html>")
        return self.reply(200, json.dumps({"jsonrpc": "2.0", "id": identifier, **answer}).encode())

    def carry_out(self, method, params, fault):
        if method not in METHODS:
            return {"error": {"code": -32601, "message": f"method {method} not found"}}
        if "error" in fault:
            return {"error": {"code": fault["error"][0], "message": fault["error"][1]}}
        try:
            if self.server.lock:
                with self.server.lock:
                    return {"result": getattr(self.server.array, method)(**params)}
            return {"result": getattr(self.server.array, method)(**params)}
        except ArrayError as error:
            return {"error": {"code": error.code, "message": str(error)}}
        except TypeError as error:
            return {"error": {"code": -32602, "message": str(error)}}
        except OSError as error:
            return {"error": {"code": -1, "message": f"{type(error).__name__}: {error}"}}


def main():
    parser = argparse.ArgumentParser(description="Answers targetd's API, for tests.")
    parser.add_argument("--listen", default="127.0.0.1:0", help="ADDRESS:PORT; port 0: any that is free")
    parser.add_argument("--user", default="admin")
    parser.add_argument("--password-file", required=True)
    parser.add_argument("--cert", help="PEM; with --key: TLS")
    parser.add_argument("--key")
    parser.add_argument("--faults", help="file with faults, see above")
    parser.add_argument("--times", help="file for how long each call took, see above")
    parser.add_argument("--http10", action="store_true", help="one request for each connection, as targetd's own server")
    parser.add_argument("--serial", action="store_true", help="one call after another, as targetd's own server")
    parser.add_argument("--target", default="iqn.2026-11.org.quiesced:array")
    parser.add_argument("--portal", action="append", default=[], help="ADDRESS:PORT of iSCSI; may be repeated")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--files")
    kind.add_argument("--lvm", action="append")
    options = parser.parse_args()

    with open(options.password_file, encoding="utf-8") as file:
        password = file.read().strip()
    array = FileArray(options.files) if options.files else LvmArray(options.lvm, options.target, options.portal)
    Handler.protocol_version = "HTTP/1.0" if options.http10 else "HTTP/1.1"
    host, _, port = options.listen.rpartition(":")
    server = Server((host, int(port)), array, f"{options.user}:{password}".encode(), options.faults, options.serial, options.times)
    if options.cert:
        server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.tls.load_cert_chain(options.cert, options.key)
    print(f"listening on {server.server_address[0]}:{server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    main()
