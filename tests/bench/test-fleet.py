#!/usr/bin/env python3
"""Are generated fleets what the benches say they are? test-fleet.py MAKE_FLEET"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "judge"))
import wire  # noqa: E402

MAKE_FLEET = sys.argv.pop()


class Fleet(unittest.TestCase):
    def make(self, *words):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        subprocess.run([MAKE_FLEET, *words, folder.name], check=True)
        return [path.read_bytes() for path in sorted(pathlib.Path(folder.name).iterdir())]

    def test_the_same_seed_gives_the_same_bytes(self):
        for kind in "plain", "labels", "pie":
            words = "--kind", kind, "--profiles", "2", "--seed", "7"
            self.assertEqual(self.make(*words), self.make(*words))
        self.assertNotEqual(self.make(*words), self.make(*words[:-1], "8"))

    def test_profiles_have_the_promised_size(self):
        for stored in self.make("--kind", "labels", "--profiles", "3"):
            raw = wire.inflate(stored)
            samples = [dict(wire.fields(value)) for tag, value in wire.fields(raw) if tag == 2]
            self.assertTrue(2000 <= len(samples) <= 5000, len(samples))
            self.assertTrue(any(3 in sample for sample in samples), "no labels")
            self.assertTrue(250_000 < len(raw) < 800_000, len(raw))

    def test_profiles_of_a_fleet_share_stacks_but_not_all(self):
        stacks = [self.stacks(stored) for stored in self.make("--kind", "plain", "--profiles", "2")]
        shared = len(stacks[0] & stacks[1]) / min(map(len, stacks))
        self.assertTrue(0.1 < shared < 0.9, shared)

    def test_processes_of_a_pie_lie_at_other_addresses(self):
        starts = [dict(wire.fields(value))[2] for stored in self.make("--kind", "pie", "--profiles", "2")
                  for tag, value in wire.fields(wire.inflate(stored)) if tag == 3]
        self.assertEqual(len(set(starts)), 2)

    @staticmethod
    def stacks(stored):
        """Stacks as addresses: ids mean nothing outside their profile."""
        raw = wire.inflate(stored)
        locations = [dict(wire.fields(value)) for tag, value in wire.fields(raw) if tag == 4]
        address = {location[1]: location[3] for location in locations}
        stacks = set()
        for tag, value in wire.fields(raw):
            if tag == 2:
                packed, at, stack = dict(wire.fields(value))[1], 0, []
                while at < len(packed):
                    number, at = wire.read_varint(packed, at)
                    stack.append(address[number])
                stacks.add(tuple(stack))
        return stacks


if __name__ == "__main__":
    unittest.main()
