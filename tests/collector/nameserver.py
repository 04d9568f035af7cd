"""A name server for tests: answers A, AAAA and SRV questions from a table, over UDP."""
import ipaddress
import socket
import struct
import threading

A, AAAA, SRV = 1, 28, 33


def pack_name(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.rstrip(".").split(".")) + b"\0"


class NameServer:
    """records[name, type] is a list of addresses, or for SRV of (host, port). An unknown name does not exist."""

    def __init__(self, port=0):
        self.records = {}
        self.silent = False  # answer nothing
        self.mute = set()  # nor anything about these names
        self.questions = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", port))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # what it says of a socket like this; but it wakes who reads it
        self.thread.join()
        self.socket.close()

    def serve(self):
        while True:
            packet, client = self.socket.recvfrom(4096)
            if not packet:
                return
            answer = self.answer(packet)
            if not self.silent and self.questions[-1][0] not in self.mute:
                self.socket.sendto(answer, client)

    def answer(self, packet):
        at, parts = 12, []
        while packet[at]:
            parts.append(packet[at + 1 : at + 1 + packet[at]].decode())
            at += packet[at] + 1
        name = ".".join(parts).lower()
        kind = struct.unpack("!H", packet[at + 1 : at + 3])[0]
        question = packet[12 : at + 5]
        self.questions.append((name, kind))
        found = self.records.get((name, kind), [])
        exists = any(known == name for known, _ in self.records)
        flags = 0x8580 | (0 if exists else 3)
        reply = packet[:2] + struct.pack("!HHHHH", flags, 1, len(found), 0, 0) + question
        for value in found:
            if kind == SRV:
                host, port = value
                data = struct.pack("!HHH", 0, 0, port) + pack_name(host)
            else:
                data = ipaddress.ip_address(value).packed
            reply += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 1, len(data)) + data
        return reply
