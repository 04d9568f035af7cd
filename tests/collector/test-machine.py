#!/usr/bin/env python3
"""The collector on a machine whose own files say something else: its name servers, the certificates it trusts."""
import os
import shutil
import ssl
import subprocess
import sys
import unittest

import certificates
import machine
from harness import Case
from hostile import Hostile
from nameserver import A, NameServer
from otherfuse import OtherFuse


class Machine(Case):
    def setUp(self):
        super().setUp()
        self.server = Hostile()
        self.addCleanup(self.server.close)

    def show(self, name, text):
        path = self.top / name.rsplit("/", 1)[1]
        path.write_text(text)
        self.put(path, name)

    def put(self, ours, over):
        over = os.path.realpath(over)
        machine.put(ours, over)
        self.addCleanup(machine.take_away, over)


class Names(Machine):
    def setUp(self):
        super().setUp()
        self.names = NameServer(port=53)
        self.addCleanup(self.names.close)
        self.show("/etc/nsswitch.conf", "hosts: files dns\n")

    def test_a_silent_name_server_holds_up_nothing(self):
        # The system's resolver waits for minutes.
        self.show("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n")
        self.names.silent = True
        args = ["--duration=1s", "--margin=1s", f"--into={self.into}", "--target=far=http://far.test", f"--target=near={self.server.url('good', 'near')}"]
        collector = self.collect("--interval=1s", *args)
        collector.until(lambda: self.names.questions, "a question")
        for _ in range(2):
            n, m = len(self.server.served["near"]), sum("target=far reason=unreachable" in line for line in collector.lines)
            collector.until(lambda: sum("target=far reason=unreachable" in line for line in collector.lines) > m, "far, given up")
            collector.until(lambda: len(self.server.served["near"]) >= n + 3, "near, meanwhile")
        self.assertEqual(collector.stop(), 0, collector.log)
        collector = self.collect("--once", *args)
        self.assertEqual(collector.wait(), 1, collector.log)
        self.assertIn("target=far reason=unreachable", collector.log)

    def test_the_system_s_name_servers_may_change(self):
        self.show("/etc/resolv.conf", "nameserver 127.0.0.9\n")  # nobody there
        self.names.records["shop.test", A] = ["127.0.0.1"]
        collector = self.collect("--interval=1s", "--duration=1s", f"--into={self.into}", f"--dns=shop.test:{self.server.port}", "--path=/good/dns")
        collector.until_log("name not resolved")
        (self.top / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        collector.until(lambda: self.server.served["dns"], "a profile")
        self.assertEqual(collector.stop(), 0, collector.log)


class Disks(Machine):
    SIZE = 256 << 10

    def disk(self, name):
        at = self.top / name
        at.mkdir()
        machine.put_disk(at, self.SIZE)
        self.addCleanup(machine.take_away, at)
        return at

    def fill(self, disk):
        filler = disk / ".filler"
        with self.assertRaises(OSError), open(filler, "wb", buffering=0) as f:
            while True:
                f.write(bytes(4096))
        return filler

    def again(self, *args):
        return self.collect("--interval=1s", "--duration=1s", f"--target=a={self.server.url('good', 'a')}", *args)

    def test_a_spool_on_a_full_disk_loses_nothing(self):
        spool = self.disk("spool")
        collector = self.again(f"--into={self.top}/away/app", f"--spool={spool}")
        collector.until_log("started")
        filler = self.fill(spool)
        collector.until_log("profile not on disk yet")
        self.assertIn("No space left on device", collector.log)
        filler.unlink()
        self.assertEqual(collector.stop(), 0, collector.log)
        self.assertNotIn("profiles lost", collector.log)
        self.assertLessEqual(set(self.server.served["a"][:-1]), set(self.stored(spool).values()))

    def test_profiles_wait_while_their_disk_takes_none(self):
        into = self.disk("into")
        collector = self.again(f"--into={into}")
        collector.until_log("profile stored")
        filler = self.fill(into)
        collector.until_log("No space left on device")
        filler.unlink()
        n = len(self.stored(into))
        collector.until(lambda: len(self.stored(into)) > n, "what waited")
        machine.make_read_only(into, self.SIZE)
        collector.until_log("Read-only file system")
        machine.make_read_only(into, self.SIZE, False)
        n = len(self.server.served["a"])
        collector.until(lambda: set(self.server.served["a"][:n]) <= set(self.stored(into).values()), "what waited")
        self.assertEqual(collector.stop(), 0, collector.log)
        self.assert_tidy(into)


class Mounts(Machine):
    def mount(self, name):
        at = self.top / name
        at.mkdir()
        try:
            fuse = OtherFuse(at)
        except OSError as e:
            self.skipTest(f"no FUSE: {e}")
        self.addCleanup(machine.take_away, at)
        return fuse, at

    def test_not_every_fuse_mount_is_one_of_pgofs(self):
        _, into = self.mount("into")
        collector = self.collect("--interval=1s", "--duration=1s", "--require-mount", f"--into={into}", f"--target=a={self.server.url('good', 'a')}")
        collector.until_log("profile waits")
        self.assertIn("no pgofs is mounted there", collector.log)
        self.assertEqual(collector.stop(), 1, "in memory, and lost")

    def test_what_a_hung_spool_did_not_take_is_lost_and_said_to_be(self):
        fuse, spool = self.mount("spool")
        collector = self.collect("--interval=1s", "--duration=1s", f"--into={self.into}", f"--spool={spool}", f"--target=a={self.server.url('good', 'a')}")
        collector.until_log("started")
        fuse.hung = True
        collector.until(lambda: len(self.server.requests["a"]) >= 2, "a second request")
        self.assertEqual(collector.stop(), 1, collector.log)
        waited = [line.split("directory=")[1] for line in collector.lines if "stopping without waiting any longer" in line]
        self.assertEqual(waited, [str(spool)])
        self.assertRegex(collector.log, r"profiles lost profiles=\d")


class Trust(Machine):
    def test_a_ca_of_ours_takes_the_place_of_the_systems(self):
        certificates.make(self.top)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.top / "server.pem", self.top / "server.key")
        server = Hostile(tls=context)
        self.addCleanup(server.close)
        system = self.top / "system"
        system.mkdir()
        shutil.copy(self.top / "ca.pem", system)
        subprocess.run(["openssl", "rehash", system], check=True)
        shutil.copy(self.top / "ca.pem", system / "ca-certificates.crt")
        self.put(system, "/etc/ssl/certs")
        args = ["--once", "--duration=1s", f"--into={self.into}", f"--target=a={server.url('good', 'a')}", "--server-name=shop.test"]
        collector = self.collect(*args)
        self.assertEqual(collector.wait(), 0, f"the system's is not in /etc/ssl/certs:\n{collector.log}")
        collector = self.collect(*args, f"--ca-file={self.top}/other.pem")
        self.assertEqual(collector.wait(), 1, "the system's CA is still trusted")
        self.assertIn("certificate", collector.log)


if __name__ == "__main__":
    try:
        machine.leave()
    except OSError as e:
        print(f"no machine of one's own to be had: {e}")
        sys.exit(77)
    unittest.main()
