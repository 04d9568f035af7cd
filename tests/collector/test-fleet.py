#!/usr/bin/env python3
"""What a fleet asks of the collector: discovery, configuration, trust, the spool, being watched."""
import base64
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.request

import certificates
from harness import COLLECTOR, NAME, Case
from hostile import Hostile
from nameserver import A, AAAA, SRV, NameServer


class Fleet(Case):
    def setUp(self):
        super().setUp()
        self.server = self.serve()

    def serve(self, **how):
        server = Hostile(**how)
        self.addCleanup(server.close)
        return server

    def write(self, name, content):
        """Replaces a file whole, as a careful program would."""
        path = self.top / name
        path.parent.mkdir(exist_ok=True, parents=True)
        text = content if isinstance(content, str) else json.dumps(content)
        (self.top / "new").write_text(text)
        os.replace(self.top / "new", path)
        return path

    def group(self, kind, *names, **labels):
        """One group for each name: the hostile server is one address, so paths tell them apart."""
        return [
            {"targets": [name], "labels": {"__address__": f"127.0.0.1:{self.server.port}", "__profile_path__": f"/{kind}/{name}", **labels}}
            for name in names
        ]

    def once(self, *args, **popen):
        collector = self.collect("--once", "--duration=1s", "--margin=2s", f"--into={self.into}", *args, **popen)
        return collector.wait(), collector

    def again(self, *args, **popen):
        return self.collect("--interval=1s", "--duration=1s", "--margin=2s", f"--into={self.into}", *args, **popen)


class Discovery(Fleet):
    def test_files_list_targets_and_their_apps(self):
        self.write("sd/a.json", self.group("good", "web-1", "web-2", app="shop") + self.group("good", "x", app="api", team="blue"))
        self.write("sd/b.yml", f"- targets: ['127.0.0.1:{self.server.port}']\n  labels: {{__profile_path__: /good/plain, app: yaml, instance: one}}\n")
        code, collector = self.once(f"--file-sd={self.top}/sd/*")
        self.assertEqual(code, 0, collector.log)
        stored = self.stored()
        self.assertEqual(sorted((p.split("/")[0], NAME.search(p)[1]) for p in stored), [("api", "x"), ("shop", "web-1"), ("shop", "web-2"), ("yaml", "one")])
        self.assertEqual(sorted(stored.values()), sorted(b for bodies in self.server.served.values() for b in bodies))

    def test_says_which_targets_have_one_name(self):
        self.write("a.json", self.group("good", "x", app="shop") + self.group("idle", "same", app="shop"))
        self.write("b.json", self.group("idle", "x", app="shop") + self.group("idle", "same", app="shop"))
        code, collector = self.once(f"--file-sd={self.top}/?.json")
        self.assertEqual(code, 0, collector.log)
        url = f"http://127.0.0.1:{self.server.port}"
        self.assertRegex(collector.log, f"targets left out targets=1 why=.*shop/x.*: {url}/good/x.* and {url}/idle/x")

    def test_a_file_is_read_again_when_it_changes_and_a_bad_one_changes_nothing(self):
        self.write("sd.json", self.group("good", "a"))
        collector = self.again(f"--file-sd={self.top}/sd.json", f"--target=n={self.server.url('good', 'n')}")
        collector.until(lambda: self.server.served["a"], "a")
        self.write("sd.json", self.group("good", "b"))
        collector.until(lambda: self.server.served["b"], "b")
        n_a = len(self.server.requests["a"])
        self.write("sd.json", '[{"targets": ["h:1"')
        collector.until_log("target file refused")
        n_b = len(self.server.requests["b"])
        collector.until(lambda: len(self.server.requests["b"]) >= n_b + 2, "b again")
        self.assertLessEqual(len(self.server.requests["a"]), n_a + 1)
        (self.top / "sd.json").unlink()
        collector.until_log("target file gone")
        n_b, n_n = len(self.server.requests["b"]), len(self.server.requests["n"])
        collector.until(lambda: len(self.server.requests["n"]) >= n_n + 3, "n")
        self.assertLessEqual(len(self.server.requests["b"]), n_b + 1)
        self.assertEqual(collector.stop(), 0)
        self.assertEqual(sum("target file refused" in line for line in collector.lines), 1, collector.log)

    def test_names_are_resolved_each_round(self):
        names = NameServer()
        self.addCleanup(names.close)
        names.records["shop.test", A] = ["127.0.0.1"]
        names.records["web-0.shop.test", A] = ["127.0.0.2", "127.0.0.1"]  # nobody listens at the first
        names.records["_pprof._tcp.shop.test", SRV] = [("web-0.shop.test", self.server.port), ("down.test", 1)]
        collector = self.again(
            f"--dns-server={names.address}", f"--dns=shop.test:{self.server.port}", "--dns-srv=_pprof._tcp.shop.test", "--path=/good/dns", "--app=shop"
        )
        sources = lambda: {NAME.search(path)[1] for path in self.stored() if path.startswith("shop/")}
        port = self.server.port
        collector.until(lambda: {f"127.0.0.1_{port}", f"web-0.shop.test_{port}"} <= sources(), "profiles of both kinds")
        self.assertIn(f"Host: web-0.shop.test:{port}", str(self.server.requests["dns"]))
        self.assertIn("name has no address name=down.test", collector.log)
        names.records["shop.test", A] = ["127.0.0.3", "127.0.0.1"]
        collector.until_log("target=127.0.0.3_")
        names.records["_pprof._tcp.shop.test", SRV] = []
        collector.until_log("name has no address name=_pprof._tcp.shop.test")
        names.silent = True
        n = len(self.stored())
        collector.until_log("its last answer stays", timeout=60)
        collector.until(lambda: len(self.stored()) > n, "profiles though the name server is silent")
        self.assertEqual(collector.stop(), 0, collector.log)
        self.assertIn(("shop.test", AAAA), names.questions)

    def test_a_service_stays_as_long_as_its_hosts_are_not_known(self):
        names = NameServer()
        self.addCleanup(names.close)
        names.records["web.test", A] = ["127.0.0.1"]
        names.records["srv.test", SRV] = [("web.test", self.server.port)]
        collector = self.again(f"--dns-server={names.address}", "--dns-srv=srv.test", "--path=/good/dns")
        collector.until(lambda: self.server.served["dns"], "a profile")
        names.mute.add("web.test")
        collector.until_log("its last answer stays name=srv.test")
        n = len(self.server.served["dns"])
        collector.until(lambda: len(self.server.served["dns"]) > n, "a profile from where it was")
        self.assertEqual(collector.stop(), 0, collector.log)

    def test_a_service_of_every_name_is_none(self):
        names = NameServer()
        self.addCleanup(names.close)
        names.records["*", A] = ["127.0.0.1"]
        names.records["srv.test", SRV] = [("*", self.server.port)]
        code, collector = self.once(f"--dns-server={names.address}", "--dns-srv=srv.test", f"--target=far=http://far.test:{self.server.port}/good/far")
        self.assertEqual(code, 1)
        self.assertIn("name has a bad address name=srv.test", collector.log)
        self.assertEqual(self.server.requests["far"], [], "a name server said where another target is")

    def test_an_address_of_each_family_is_one_target(self):
        names = NameServer()
        self.addCleanup(names.close)
        names.records["both.test", A] = ["127.0.0.1"]
        names.records["both.test", AAAA] = ["::1"]
        names.records["six.test", AAAA] = ["::2"]
        port = self.server.port
        code, collector = self.once(f"--dns-server={names.address}", f"--dns=both.test:{port}", f"--dns=six.test:{port}", "--path=/good/dns")
        self.assertEqual(code, 1, "nobody is at ::2")
        self.assertIn("started targets=2", collector.log)
        self.assertIn(f"target failed target=___2__{port} reason=unreachable", collector.log)
        self.assertEqual(len(self.stored()), 1)

    def test_once_waits_for_names(self):
        names = NameServer()
        self.addCleanup(names.close)
        names.records["shop.test", A] = ["127.0.0.1"]
        code, collector = self.once(f"--dns-server={names.address}", f"--dns=shop.test:{self.server.port}", "--path=/good/dns")
        self.assertEqual(code, 0, collector.log)
        self.assertEqual(len(self.stored()), 1)

    def test_once_fails_where_targets_are_missing(self):
        names = NameServer()
        self.addCleanup(names.close)
        names.records["shop.test", A] = []
        self.write("empty.json", [])
        bad = self.write("bad.json", "[")
        found, dns = f"--target=a={self.server.url('good', 'a')}", f"--dns-server={names.address}"
        for args, words in [
            ([dns, "--dns=shop.test:1"], "no target was found"),
            ([dns, "--dns-srv=no.test"], "no target was found"),
            ([f"--file-sd={self.top}/empty.json"], "no target was found"),
            ([found, f"--file-sd={bad}"], "target file refused"),
            ([found, f"--file-sd={self.top}/none/*"], "no target file"),
            ([found, f"--dns-server=127.0.0.1:1", "--dns=shop.test:1"], "name not resolved"),
        ]:
            with self.subTest(args=args):
                code, collector = self.once(*args)
                self.assertEqual(code, 1, collector.log)
                self.assertIn(words, collector.log)
        code, collector = self.once(found, dns, "--dns=shop.test:1", f"--file-sd={self.top}/empty.json")
        self.assertEqual(code, 0, collector.log)

    def test_sighup_before_names_are_resolved(self):
        names = NameServer()
        self.addCleanup(names.close)
        names.silent = True
        collector = self.again(f"--dns-server={names.address}", f"--dns=shop.test:{self.server.port}", f"--target=n={self.server.url('good', 'n')}")
        time.sleep(1)  # signals are blocked by then, and a question takes longer
        self.assertNotIn("started", collector.log)
        for _ in range(5):
            collector.process.send_signal(signal.SIGHUP)
            time.sleep(0.05)
        collector.until_log("configuration read again", timeout=60)
        collector.until(lambda: self.server.served["n"], "a profile")
        self.assertEqual(collector.stop(), 0, collector.log)

    def test_sighup_keeps_what_a_source_said_that_is_away(self):
        names = NameServer()
        self.addCleanup(names.close)
        names.records["shop.test", A] = ["127.0.0.1"]
        self.write("sd.json", self.group("good", "f", app="filed") + self.group("good", "g"))
        job = {"app": "shop", "path": "/good/d", "dns": f"shop.test:{self.server.port}", "file_sd": f"{self.top}/*sd.json"}
        config = {"into": str(self.into), "interval": "1s", "duration": "1s", "dns_server": names.address}
        path = self.write("c.yaml", {**config, "jobs": [job]})
        collector = self.collect(f"--config={path}")
        collector.until(lambda: all(self.server.served[name] for name in "dfg"), "all three")
        names.silent = True
        self.write("sd.json", "[")
        self.write("c.yaml", {**config, "interval": "2s", "duration": "2s", "jobs": [{**job, "app": "other"}]})
        collector.process.send_signal(signal.SIGHUP)
        collector.until_log("configuration read again targets=3")
        collector.until(lambda: all(f"/good/{name}?seconds=2" in self.server.requests[name][-1][1] for name in "dfg"), "all three, for longer")
        collector.until(lambda: {path.split("/2")[0] for path in self.stored()} == {"shop", "filed", "other"}, "the new app")
        self.assertEqual(collector.stop(), 0, collector.log)

    def test_a_name_that_was_never_resolved_is_asked_for_again_soon(self):
        names = NameServer()
        self.addCleanup(names.close)
        names.records["shop.test", A] = ["127.0.0.1"]
        names.silent = True
        collector = self.collect("--interval=24h", f"--into={self.into}", f"--dns-server={names.address}", f"--dns=shop.test:{self.server.port}")
        collector.until_log("started targets=0")
        names.silent = False
        collector.until_log("name resolved name=shop.test targets=1")
        self.assertEqual(collector.stop(), 0, collector.log)

    def test_profiles_k_of_n_replicas_a_round(self):
        self.write("sd.json", self.group("good", *[f"r{i}" for i in range(10)], app="shop") + self.group("good", "only", app="api"))
        code, collector = self.once(f"--file-sd={self.top}/sd.json", "--replicas=3")
        self.assertEqual(code, 0, collector.log)
        apps = [path.split("/")[0] for path in self.stored()]
        self.assertEqual((apps.count("shop"), apps.count("api")), (3, 1))

    def test_a_busy_target_is_tried_again_in_the_same_round(self):
        collector = self.collect("--interval=10s", "--duration=1s", f"--into={self.into}", *[f"--target=b{i}={self.server.url('busy_once', f'b{i}')}" for i in range(4)])
        collector.until(lambda: sum(len(self.server.requests[f"b{i}"]) for i in range(4)) >= 6, "retries", timeout=60)
        for i in range(4):
            times = [when for when, _, _ in self.server.requests[f"b{i}"]]
            if len(times) > 1:
                self.assertLess(times[1] - times[0], 8)
        self.assertEqual(collector.stop(), 0)


class Configuration(Fleet):
    def config(self, **changes):
        return {
            "into": str(self.into),
            "interval": "1s",
            "duration": "1s",
            "jobs": [{"app": "shop", "target": [f"web={self.server.url('good', 'web')}"]}],
            **changes,
        }

    def test_a_file_says_what_options_say(self):
        self.write("token", "s3cret\n")
        path = self.write(
            "config.yaml",
            f"# what is collected\ninto: {self.into}\nduration: 1s\nmargin: 2s\nonce: true\nmax_profile: 1MiB\n"
            f"jobs:\n- app: shop\n  replicas: 0\n  target:\n  - web={self.server.url('good', 'web')}\n"
            f"- app: api\n  bearer_token_file: {self.top}/token\n  target: api={self.server.url('good', 'api')}\n",
        )
        collector = self.collect(f"--config={path}", f"--target=extra={self.server.url('good', 'extra')}")
        self.assertEqual(collector.wait(), 0, collector.log)
        places = sorted((path[: path.index("20")], NAME.search(path)[1]) for path in self.stored())
        self.assertEqual(places, [("", "extra"), ("api/", "api"), ("shop/", "web")])
        self.assertIn("Authorization: Bearer s3cret", self.server.requests["api"][0][2])
        self.assertNotIn("s3cret", collector.log)

    def test_check_config_says_whether_it_is_good(self):
        self.write("sd.json", self.group("good", "a", "b"))
        bad_sd = self.write("bad.json", [{"targets": ["h:1"], "labels": {"app": "merged"}}])
        cases = [
            (self.config(), 0, "the configuration is good: 1 targets"),
            (self.config(jobs=[{"file_sd": str(self.top / "sd.json")}]), 0, "good: 2 targets"),
            (self.config(jobs=[{"file_sd": str(bad_sd)}]), 2, 'app "merged"'),
            (self.config(jobs=[{"file_sd": "/nonexistent/*.json"}]), 2, "no such file"),
            (self.config(intervall="1s"), 2, "unknown key intervall"),
            (self.config(interval="1"), 2, "is not a time"),
            (self.config(jobs=[{"target": "a=http://h", "colour": "red"}]), 2, "jobs: number 1: unknown key colour"),
            (self.config(jobs={}), 2, "jobs: not a list"),
            (self.config(jobs=["x"]), 2, "not a mapping"),
            (self.config(jobs=[]), 2, "nothing to profile"),
            (self.config(jobs=[{"target": "a=http://h", "app": "a/b"}]), 2, 'app "a/b"'),
            (self.config(jobs=[{"dns": "shop"}]), 2, "is not NAME:PORT"),
            (self.config(listen="nowhere:x", jobs=[{"target": "a=http://h"}]), 2, "not [ADDRESS:]PORT"),
            (self.config(dns_server="garbage", jobs=[{"target": "a=http://h"}]), 2, "is not ADDRESS[:PORT]"),
            (self.config(jobs=[{"target": "a=http://h", "ca_file": "/nonexistent"}]), 2, "/nonexistent: No such file"),
            (self.config(jobs=[{"target": "a=http://h", "scheme": "ftp"}]), 2, "only http and https"),
            (self.config(interval={"a": 1}), 2, "not one value"),
            ([], 2, "not a mapping"),
            ("into: [", 2, "line 2"),
            ("into: a\ninto: b\n", 2, "a key twice"),
            ("a: &a [*a]\n", 2, "too deep"),
            ("", 2, "not a mapping"),
        ]
        for content, code, words in cases:
            with self.subTest(content=content):
                path = self.write("c.yaml", content)
                done = subprocess.run([COLLECTOR, "--check-config", "-c", path], capture_output=True, text=True)
                self.assertEqual(done.returncode, code, done)
                self.assertIn(words, done.stdout + done.stderr)
        self.assertFalse(self.into.exists())

    def test_sighup_reads_it_again_and_a_bad_one_changes_nothing(self):
        path = self.write("c.json", self.config())
        collector = self.collect(f"--config={path}")
        collector.until(lambda: self.server.served["web"], "web")
        self.write("c.json", "{")
        collector.process.send_signal(signal.SIGHUP)
        collector.until_log("configuration refused, the old one stays")
        n = len(self.server.served["web"])
        collector.until(lambda: len(self.server.served["web"]) > n, "web, still")
        fixed = {
            "into": "/elsewhere", "spool": "/elsewhere", "spool_size": "2GiB", "spool_age": "1d", "require_mount": True, "memory": "200MiB",
            "max_inflated": "2GiB", "listen": "1", "log_format": "json", "log_level": "error",
        }
        self.write("c.json", self.config(**fixed, jobs=[{"app": "new", "target": f"fresh={self.server.url('good', 'fresh')}"}]))
        collector.process.send_signal(signal.SIGHUP)
        collector.until_log("configuration read again")
        n = len(self.server.requests["web"])
        collector.until(lambda: len(self.server.served["fresh"]) >= 2, "fresh")
        self.assertLessEqual(len(self.server.requests["web"]), n + 1)
        told = {line.split("option=")[1] for line in collector.lines if "a change that needs a restart" in line}
        self.assertEqual(told, {name.replace("_", "-") for name in fixed})
        collector.until(lambda: any(p.startswith("new/") for p in self.stored()), "new/ in the old directory")
        self.assertEqual(collector.stop(), 0, collector.log)

    def test_sighup_in_flight_starts_nothing_twice(self):
        path = self.write("c.json", self.config(margin="5s", jobs=[{"target": [f"s={self.server.url('slower', 's')}", f"n={self.server.url('never', 'n')}"]}]))
        collector = self.collect(f"--config={path}")
        collector.until(lambda: self.server.at_once["s"] and self.server.at_once["n"], "requests")
        for i in range(20):
            self.write("c.json", self.config(margin="5s", jobs=[{"target": [f"s={self.server.url('slower', 's')}"] + [f"n={self.server.url('never', 'n')}"] * (i % 2)}]))
            collector.process.send_signal(signal.SIGHUP)
            time.sleep(0.05)
        collector.until(lambda: len(self.server.served["s"]) >= 2, "two profiles")
        self.assertEqual(collector.stop(), 0)
        self.assertEqual(max(self.server.most_at_once.values()), 1)


class Trust(Fleet):
    def serve_tls(self, clients=ssl.CERT_NONE):
        """A server at shop.test; whether its clients need certificates."""
        certificates.make(self.top)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.top / "server.pem", self.top / "server.key")
        context.load_verify_locations(self.top / "ca.pem")
        context.verify_mode = clients
        return self.serve(tls=context)

    def test_tls_is_checked_both_ways(self):
        server = self.serve_tls(ssl.CERT_REQUIRED)
        at = lambda name: self.top / name
        trust, mine = ["--ca-file", at("ca.pem"), "--server-name=shop.test"], ["--cert-file", at("client.pem"), "--key-file", at("client.key")]
        cases = [
            ([*trust, *mine], 0, "profile stored"),
            (trust, 1, "target failed"),
            ([*mine, "--server-name=shop.test"], 1, "self-signed certificate"),
            ([*mine, "--ca-file", at("other.pem"), "--server-name=shop.test"], 1, "certificate"),
            ([*mine, "--ca-file", at("ca.pem")], 1, "no alternative certificate subject name"),
            ([*mine, "--ca-file", at("ca.pem"), "--server-name=else.test"], 1, "no alternative certificate subject name"),
        ]
        for args, code, words in cases:
            with self.subTest(args=args):
                got, collector = self.once(f"--target=a={server.url('good', 'a')}", *args)
                self.assertEqual(got, code, collector.log)
                self.assertIn(words, collector.log)
        self.assertIn(f"Host: shop.test:{server.port}", server.requests["a"][0][2])

    def test_a_label_says_the_scheme(self):
        server = self.serve_tls()
        sd = lambda scheme: self.write("sd.json", [{"targets": [f"127.0.0.1:{server.port}"], "labels": {"__scheme__": scheme, "__profile_path__": "/good/x"}}])
        args = [f"--file-sd={sd('https')}", f"--ca-file={self.top}/ca.pem", "--server-name=shop.test"]
        code, collector = self.once(*args)
        self.assertEqual(code, 0, collector.log)
        self.assertEqual(len(server.served["x"]), 1)
        sd("ftp")
        collector = self.collect("--check-config", f"--into={self.into}", *args)
        self.assertEqual(collector.wait(), 2)
        self.assertIn("only http and https", collector.log)

    def test_a_ca_file_is_read_for_every_request(self):
        server = self.serve_tls()
        trusted = shutil.copy(self.top / "ca.pem", self.top / "trusted.pem")
        collector = self.again(f"--target=a={server.url('good', 'a')}", "--server-name=shop.test", f"--ca-file={trusted}")
        collector.until_log("profile stored")
        os.replace(self.top / "other.pem", trusted)
        collector.until_log("target failed target=a reason=unreachable")
        self.assertEqual(collector.stop(), 0, collector.log)

    def test_secrets_are_read_for_every_request(self):
        token = self.write("token", "opensesame\n")
        collector = self.again(f"--target=a={self.server.url('good', 'a')}", f"--bearer-token-file={token}")
        collector.until(lambda: self.server.served["a"], "a profile")
        self.write("token", "rhubarb\n")
        collector.until(lambda: "Authorization: Bearer rhubarb" in str(self.server.requests["a"]), "the new token")
        token.unlink()
        collector.until_log("token: No such file")
        self.write("token", "xyzzy")
        collector.until(lambda: "Authorization: Bearer xyzzy" in str(self.server.requests["a"]), "the newest token")
        self.assertEqual(collector.stop(), 0)
        for secret in ("opensesame", "rhubarb", "xyzzy"):
            self.assertNotIn(secret, collector.log)

    def test_basic_authentication(self):
        password = self.write("password", "open sesame")
        code, collector = self.once(f"--target=a={self.server.url('good', 'a')}", "--username=ali", f"--password-file={password}")
        self.assertEqual(code, 0, collector.log)
        word = base64.b64encode(b"ali:open sesame").decode()
        self.assertIn(f"Authorization: Basic {word}", self.server.requests["a"][0][2])

    def test_goes_through_the_proxy_of_the_environment(self):
        env = {"http_proxy": f"http://127.0.0.1:{self.server.port}", "no_proxy": "direct.test"}
        code, collector = self.once("--target=a=http://far.test/good/a", "--target=b=http://direct.test/good/b", env=env)
        self.assertEqual(code, 1)
        self.assertEqual(self.server.requests["a"][0][1], "http://far.test/good/a?seconds=1")
        self.assertEqual(self.server.requests["b"], [])
        self.assertIn("target=b reason=unreachable", collector.log)

    def test_a_target_that_speaks_no_tls_is_unreachable(self):
        collector = self.collect("--once", "--duration=1s", "--margin=1h", f"--into={self.into}", f"--target=a=https://127.0.0.1:{self.server.port}/good/a")
        self.assertEqual(collector.wait(), 1)  # it says nothing, and the handshake has its own limit
        self.assertRegex(collector.log, "target=a reason=unreachable .*no connection in time")

    def test_what_a_proxy_says_of_itself_is_not_the_targets(self):
        server = self.serve_tls()
        proxy = Proxy(server.port)
        self.addCleanup(proxy.close)
        env = {"https_proxy": f"http://127.0.0.1:{proxy.port}"}
        code, collector = self.once("--target=a=https://shop.test/good/a", f"--ca-file={self.top}/ca.pem", env=env)
        self.assertEqual(code, 0, collector.log)
        self.assertEqual(proxy.asked, [b"CONNECT shop.test:443 HTTP/1.1"])


class Proxy:
    """Connects whoever asks to one port of this machine, with headers that say what only a target would."""

    def __init__(self, to):
        self.to, self.asked = to, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def serve(self):
        try:
            while True:
                client, _ = self.listener.accept()
                head = b""
                while b"\r\n\r\n" not in head:
                    head += client.recv(4096)
                self.asked.append(head.split(b"\r\n")[0])
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Go-Pprof: 1\r\n\r\n")
                server = socket.create_connection(("127.0.0.1", self.to))
                for pair in (client, server), (server, client):
                    threading.Thread(target=self.pass_on, args=pair, daemon=True).start()
        except OSError:
            pass

    @staticmethod
    def pass_on(one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Spool(Fleet):
    def leave(self, files):
        """A spool as an earlier run left it."""
        spool = self.top / "spool"
        spool.mkdir(exist_ok=True)
        (spool / ".lock").touch()
        for path, body in files.items():
            (spool / path).parent.mkdir(parents=True, exist_ok=True)
            (spool / path).write_bytes(body)
        return spool

    def test_what_was_collected_survives_kill_9_and_is_delivered_once_in_order(self):
        spool, place = self.top / "spool", self.top / "mnt" / "app"
        args = ["--interval=1s", "--duration=1s", f"--into={place}", f"--spool={spool}", *[f"--target=t{i}={self.server.url('good', f't{i}')}" for i in range(5)]]
        for _ in range(3):
            collector = self.collect(*args)
            collector.until_log("profile waits")
            n = len(self.stored(spool))
            collector.until(lambda: len(self.stored(spool)) >= n + 3, "profiles in the spool")
            collector.stop(signal.SIGKILL)
        kept = self.stored(spool)
        self.assertGreaterEqual(len(kept), 9)
        # Killed between delivery and its bookkeeping: the first is there already.
        first = sorted(kept)[0]
        place.parent.mkdir()
        (place / first).parent.mkdir(parents=True)
        (place / first).write_bytes(kept[first])
        # Killed in the middle of another delivery.
        collector = self.collect(*args[:-5], "--target=down=http://127.0.0.1:1")
        collector.until(lambda: len(self.stored(place)) == len(kept), "all of them")
        collector.until(lambda: not self.stored(spool), "an empty spool")
        self.assertEqual(collector.stop(), 0)
        self.assertEqual(self.stored(place), kept)
        self.assert_tidy(place)
        self.assertEqual([p for p in spool.iterdir() if p.name != ".lock"], [])
        order = [line.split("path=")[1].split()[0] for line in collector.lines if "profile stored" in line]
        self.assertEqual(order, sorted(kept))

    def test_slashes_at_the_end_of_a_directory_mean_nothing(self):
        away = self.top / "mnt" / "app"
        args = [f"--target=a={self.server.url('good', 'a')}", f"--spool={self.top}/spool//", f"--into={away}//", "--listen=0"]
        collector = self.again(*args)
        collector.until_log("profile waits")
        self.assertEqual(collector.stop(), 0, collector.log)
        kept = self.stored(self.top / "spool")
        away.parent.mkdir()
        collector = self.again(*args)
        collector.until(lambda: set(kept) <= set(self.stored(away)), "what an earlier run left, in a directory that was not there")
        with urllib.request.urlopen(f"http://127.0.0.1:{collector.port()}/metrics", timeout=30) as page:
            self.assertIn('targets{app="app"} 1', page.read().decode())
        self.assertEqual(collector.stop(), 0, collector.log)

    def test_a_file_that_is_there_is_never_replaced(self):
        day = "2026/01/01"
        (self.into / day).mkdir(parents=True)
        for name, body in {"235959.998Z-x": b"theirs", "235959.999Z-x": b"others"}.items():
            (self.into / day / f"{name}.pprof").write_bytes(body)
        self.leave({f"{day}/235959.998Z-x.pprof": b"ours"})
        collector = self.again("--target=down=http://127.0.0.1:1", f"--spool={self.top}/spool", "--spool-age=0")
        collector.until_log("profile stored path=2026/01/02/000000.000Z-x.pprof")
        self.assertEqual(collector.stop(), 0, collector.log)
        stored = self.stored()
        self.assertEqual(stored, {f"{day}/235959.998Z-x.pprof": b"theirs", f"{day}/235959.999Z-x.pprof": b"others", "2026/01/02/000000.000Z-x.pprof": b"ours"})
        self.assertEqual(self.stored(self.top / "spool"), {})
        # Killed before the spool knew of it: the profile finds itself there.
        self.leave({f"{day}/235959.998Z-x.pprof": b"ours"})
        collector = self.again("--target=down=http://127.0.0.1:1", f"--spool={self.top}/spool", "--spool-age=0")
        collector.until_log("profile stored path=2026/01/02/000000.000Z-x.pprof")
        self.assertEqual(collector.stop(), 0, collector.log)
        self.assertEqual(self.stored(), stored)

    def test_a_file_that_cannot_be_read_holds_up_no_other(self):
        names = [f"2026/01/01/00000{i}.000Z-x.pprof" for i in range(4)]
        spool = self.leave({name: b"x" for name in names})
        away = self.top / "mnt" / "app"
        collector = self.again("--target=down=http://127.0.0.1:1", f"--into={away}", f"--spool={spool}", "--spool-age=0")
        collector.until_log("profile waits")
        (spool / names[0]).unlink()
        (spool / names[0]).symlink_to("/dev/null")  # which is not followed
        (spool / names[1]).write_bytes(b"another")
        (spool / names[2]).unlink()
        away.parent.mkdir()
        collector.until_log(f"profile stored path={names[3]}")
        self.assertEqual(collector.stop(), 0, collector.log)
        self.assertEqual([line.split("path=")[1].split()[0] for line in collector.lines if "profile given up" in line], names[:3])
        self.assertEqual(sorted(p.name for p in (spool / "2026/01/01").iterdir()), [name[-len("000000.000Z-x.pprof"):] for name in names[:2]])

    def test_the_oldest_go_when_the_spool_is_full(self):
        size = 4096
        spool = self.leave({f"2026/01/01/0000{i:02}.000Z-x.pprof": bytes(300) for i in range(30)})
        collector = self.again(
            f"--target=a={self.server.url('good', 'a')}", f"--into={self.top}/away/app", f"--spool={spool}", f"--spool-size={size}", "--spool-age=0", "--max-profile=1KiB"
        )
        collector.until(lambda: len(self.server.served["a"]) >= 2, "profiles")
        collector.until_log("/000018.000Z-x.pprof")
        self.assertEqual(collector.stop(), 0)
        stored = self.stored(spool)
        self.assertLessEqual(sum(map(len, stored.values())), size)
        self.assertTrue(any("-a.pprof" in path for path in stored), "the new one was dropped, not the old")
        dropped = [line.split("path=")[1].split()[0] for line in collector.lines if "profile dropped" in line]
        self.assertEqual(dropped, [f"2026/01/01/0000{i:02}.000Z-x.pprof" for i in range(len(dropped))])

    def test_once_fails_where_something_was_dropped(self):
        spool = self.leave({"a/2001/01/01/000000Z-x.pprof": b"x"})
        self.into.mkdir()
        (self.into / "a").touch()  # no directory
        code, collector = self.once(f"--target=a={self.server.url('good', 'a')}", f"--spool={spool}")
        self.assertEqual(code, 1, collector.log)
        self.assertIn("profile dropped", collector.log)

    def test_a_spool_that_cannot_be_read_whole_is_an_error(self):
        spool = self.leave({"a/2026/01/01/000000Z-x.pprof": b"x", "lost+found/x": b"the file system's own"})
        self.top.chmod(0o755)
        for name in ("a", "lost+found"):
            (spool / name).chmod(0)
            self.addCleanup((spool / name).chmod, 0o700)
        nobody = {}
        if os.geteuid() == 0:
            nobody = {"user": 65534, "executable": shutil.copy(COLLECTOR, self.top)}  # who may not look into root's home
            for path in (spool, spool / ".lock", spool / "a", spool / "lost+found"):
                os.chown(path, 65534, -1)
        args = ["--target=down=http://127.0.0.1:1", f"--into={self.top}/away/app", f"--spool={spool}"]
        collector = self.again(*args, **nobody)
        self.assertEqual(collector.wait(), 1)
        self.assertIn(f"spool {spool}/a: Permission denied", collector.log)
        (spool / "a").chmod(0o700)
        collector = self.again(*args, **nobody)
        collector.until_log("started")
        self.assertEqual(collector.stop(), 0, collector.log)

    def test_two_collectors_do_not_share_a_spool(self):
        spool = self.top / "spool"
        first = self.again(f"--target=a={self.server.url('good', 'a')}", f"--spool={spool}")
        first.until_log("started")
        second = self.again(f"--target=a={self.server.url('good', 'a')}", f"--spool={spool}")
        self.assertEqual(second.wait(), 1)
        self.assertIn("another collector uses it", second.log)
        self.assertEqual(first.stop(), 0)

    def test_a_hung_directory_holds_up_neither_collecting_nor_sigterm(self):
        # A FIFO in the place of a file blocks whoever opens it for reading, as a hung mount would.
        path = "2026/01/01/000000.000Z-x.pprof"
        (self.into / path).parent.mkdir(parents=True)
        os.mkfifo(self.into / path)
        spool = self.leave({path: b"x"})
        collector = self.again(f"--target=a={self.server.url('good', 'a')}", f"--spool={spool}", "--spool-age=0")
        collector.until(lambda: len(self.stored(spool)) >= 3, "profiles in the spool")
        started = time.monotonic()
        self.assertEqual(collector.stop(), 0, collector.log)
        self.assertLess(time.monotonic() - started, 40)
        self.assertIn(f"stopping without waiting any longer for directory={self.into}", collector.log)
        # Who does not want to wait even so long asks twice.
        collector = self.again(f"--target=a={self.server.url('good', 'a')}", f"--spool={spool}", "--spool-age=0")
        collector.until_log("started")
        collector.process.send_signal(signal.SIGTERM)
        collector.until_log("stopping signal=TERM")
        self.assertEqual(collector.stop(signal.SIGINT), -signal.SIGINT)
        self.assertNotIn("without waiting", collector.log)


class Watched(Fleet):
    def get(self, path, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.read().decode()

    def metrics(self, port):
        found = {}
        for line in self.get("/metrics", port).splitlines():
            if not line.startswith("#"):
                self.assertRegex(line, r'^pgofs_collector_[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+$')
                name, value = line.rsplit(" ", 1)
                self.assertNotIn(name, found)
                found[name.removeprefix("pgofs_collector_")] = float(value)
        return found

    def test_serves_metrics_and_health(self):
        self.write("sd.json", self.group("good", "g", app="shop") + self.group("missing", "m", app="shop") + self.group("idle", "i", app="api"))
        collector = self.again(f"--file-sd={self.top}/sd.json", f"--target=n={self.server.url('never', 'n')}", "--listen=0")
        port = collector.port()
        self.assertIn("address=127.0.0.1", collector.log)
        self.assertEqual(self.get("/healthz", port), "ok\n")
        collector.until(lambda: self.metrics(port).get('delivered_total{app="shop"}', 0) >= 2, "two deliveries")
        m = self.metrics(port)
        self.assertEqual(m['targets{app="shop"}'], 2)
        self.assertGreaterEqual(m['scrapes_total{app="shop",outcome="good"}'], 2)
        self.assertGreaterEqual(m['scrapes_total{app="shop",outcome="http"}'], 1)
        self.assertGreaterEqual(m['scrapes_total{app="api",outcome="idle"}'], 1)
        self.assertEqual(m['delivered_total{app="api"}'], 0)
        self.assertIn('targets{app="app"}', m)  # the target of no app counts under its directory's name
        self.assertAlmostEqual(m['last_delivery_timestamp_seconds{app="shop"}'], time.time(), delta=60)
        self.assertGreater(m['scrape_bytes_total{app="shop"}'], 100)
        self.assertGreater(m['scrape_seconds_total{app="shop"}'], 0)
        self.assertIn("missed_total", m)
        self.assertIn("spool_profiles", m)
        self.assertIn('spool_dropped_total{reason="full"}', m)
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.get("/other", port)
        self.assertEqual(caught.exception.code, 404)
        caught.exception.close()
        self.assertEqual(collector.stop(), 0)

    def test_logs_are_one_line_an_event_in_the_form_asked_for(self):
        for form in ("json", "logfmt"):
            _, collector = self.once(f"--target=a={self.server.url('missing', 'a')}", f"--log-format={form}")
            for line in collector.lines:
                if form == "json":
                    self.assertIn(json.loads(line)["msg"], ("started", "target failed"))
                else:
                    self.assertRegex(line, r'^time=\S+ level=\w+ msg=("[^"]+"|\w+)')

    def test_a_taken_port_is_an_error_in_words(self):
        code, collector = self.once(f"--target=a={self.server.url('good', 'a')}", f"--listen={self.server.port}")
        self.assertEqual(code, 1)
        self.assertIn("Address already in use", collector.log)


if __name__ == "__main__":
    unittest.main()
