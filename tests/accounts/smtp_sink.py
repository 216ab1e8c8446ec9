#!/usr/bin/env python3
"""smtp_sink.py FILE - a mail server for tests: prints its port, and appends every message that it takes to FILE.

An address that begins with 'no-' is refused for good (550), one that begins with 'later-' for now (450).
"""
import socketserver
import sys


class Talk(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write((text + "\r\n").encode())

    def handle(self):
        self.say("220 sink")
        while line := self.rfile.readline(2000).decode("latin-1").strip():
            verb = line.split(" ")[0].upper()
            if verb == "EHLO":
                self.say("250 sink")
            elif verb == "DATA":
                self.say("354 go on")
                text = b""
                while (part := self.rfile.readline(2000)) not in (b".\r\n", b""):
                    text += part
                with open(sys.argv[1], "ab") as out:
                    out.write(text + b"\n")
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            elif "<no-" in line:
                self.say("550 nobody of that name")
            elif "<later-" in line:
                self.say("450 not now")
            else:
                self.say("250 ok")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


with Server(("127.0.0.1", 0), Talk) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
