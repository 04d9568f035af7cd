"""Odd profiles: valid ones that reach every rule of a merge, made from a seed.

A case is a made-up program (functions, mappings, locations, stacks, labels: deliberately few, so that inputs meet) and
some inputs drawn from it. Every input has ids, spellings and an order of its own. The same seed gives the same bytes.

Left out is what google/pprof refuses, and what has no meaning outside its own command line: see docs/profiles.md.
"""

import gzip
import random

import wire

WORDS = ["", "main", "runtime.mallocgc", "main.(*T).Get[...]", "größe", "a b\n", "x" * 300, "main.func1", "samples", "cpu",
         "count", "nanoseconds", "λ", "(anonymous namespace)::f(int)", "operator()(char)", ".ppc", "bytes", "0"]
UNITS = {"nanoseconds": ["ns", "us", "milliseconds", "ms", "seconds"], "bytes": ["kb", "MB", "kilobytes"]}
BIG = 1 << 63


class Case:
    """Everything about one merge: .inputs is a list of stored profiles, .about says what kind it is."""

    def __init__(self, seed, doc_url=True):
        self.random = r = random.Random(seed)
        self.doc_url = doc_url
        self.like_go = r.random() < 0.5  # what Go's compiler would take
        self.mixed = r.random() < 0.15  # inputs with other sample types, in other units, in another order
        self.signed = not self.like_go and r.random() < 0.6
        self.cancels = self.signed and r.random() < 0.4  # sums of zero are common
        self.columns = r.random() < 0.4  # of inlined lines, which Go never writes
        self.spelling = r.choice(["plain", "plain", "odd", "wild"])
        self.types = self.make_types()
        self.period_type = r.choice([("cpu", "nanoseconds")] * 4 + [("", ""), ("", "count"), ("cpu", ""), None])
        self.default_type = r.choice(["", "", self.types[0][0], "no such type"])
        self.make_program()
        self.drop, self.keep = self.make_frames() if r.random() < 0.25 else ("", "")
        n = self.count_inputs()
        self.size = r.choice([1, 3, 10, 40]) if n > 20 else r.choice([0, 1, 5, 30, 200])
        self.late = self.make_late() if n > 128 and r.random() < 0.7 else None
        self.inputs = [self.make_input(i) for i in range(n)]
        self.about = "%d inputs, %s spelling, types %s%s%s%s" % (
            n, self.spelling, ",".join("/".join(t) for t in self.types), ", like Go" if self.like_go else "",
            ", signed" if self.signed else "", ", mixed" if self.mixed else "")

    def count_inputs(self):
        dice = self.random.random()
        if dice < 0.12:
            return 1
        if dice > 0.94:
            return self.random.choice([127, 128, 129, 130, 160, 256, 257, 300])
        return self.random.randint(2, 8)

    def make_late(self):
        """A mapping no stack uses until the second 128 inputs have begun, and from which of them on. Inputs have it all the same."""
        late = self.random.choice(range(len(self.mappings))) if self.mappings else None
        early = [s for s in self.stacks if all(self.locations[i]["mapping"] != late for i in s)]
        return (128 + self.random.choice([1, 2, 20]), early) if early else None

    def make_types(self):
        if self.like_go:
            return self.random.choice([[("samples", "count"), ("cpu", "nanoseconds")], [("cpu", "nanoseconds")],
                                       [("other", ""), ("cpu", "nanoseconds"), ("samples", "count")]])
        types = [[("samples", "count"), ("cpu", "nanoseconds")], [("alloc_space", "bytes"), ("alloc_objects", "count")],
                 [("a", ""), ("", "b"), ("c", "count")], [("", "")]]
        return self.random.choice(types[:2] if self.mixed else types)  # an unset default is taken for a type without name

    def types_of_one(self):
        """The types of one input and of its period. The first type is in all of them, or nothing could be merged."""
        r = self.random
        if not self.mixed or r.random() < 0.3:
            return self.types, self.period_type
        types = [self.types[0]] + [t for t in self.types[1:] if r.random() < 0.8]
        if r.random() < 0.3:
            types.append(("extra", "count"))
        if r.random() < 0.3:
            r.shuffle(types)
        return [self.other_unit(t) for t in types], self.period_type and self.other_unit(self.period_type)

    def other_unit(self, pair):
        others = UNITS.get(pair[1], [])
        return (pair[0], self.random.choice(others)) if others and self.random.random() < 0.3 else pair

    # The program.

    def word(self):
        return self.random.choice(self.words)

    def make_program(self):
        r = self.random
        self.words = r.sample(WORDS, r.randint(3, len(WORDS))) + ["f%d" % i for i in range(r.randint(1, 12))]
        self.functions = [(self.word(), self.word(), self.word(), r.choice([0, 1, 10, 77]) if not self.like_go else
                           r.choice([1, 10, 77])) for _ in range(r.randint(1, 15))]
        self.mappings = [self.make_mapping() for _ in range(r.choice([0, 1, 1, 2, 4]))]
        self.locations = [self.make_location(i) for i in range(r.randint(1, 30))]
        self.stacks = [[r.randrange(len(self.locations)) for _ in range(r.choice([0, 1, 2, 3, 5, 12, 60]))]
                       for _ in range(r.randint(1, 40))]
        if self.like_go:
            self.stacks = [s for s in self.stacks if s] or [[0]]
        self.labels = [self.make_labels() for _ in range(r.randint(1, 12))] if r.random() < 0.7 else [[]]

    def make_mapping(self):
        r = self.random
        file = r.choice(["", "/bin/app", "/bin/app", "app", "[vdso]", "[kernel.kallsyms]_text", "[kernel.kallsyms]"])
        return {"start": r.choice([0, 0x400000, 0x7F0000000000, BIG - 0x1000]), "size": r.choice([0, 1, 0x1000, 0x5123, -5]),
                "offset": r.choice([0, 0, 0x1000]), "file": file, "build": r.choice(["", "", "abcd", "0123456789abcdef"]),
                "flags": [r.random() < 0.5 for _ in range(4)]}

    def make_location(self, number):
        r = self.random
        lines = [(r.randrange(len(self.functions)), r.choice([0, 1, 12, 12, 90, -3] if not self.like_go else [1, 12, 12, 90]),
                  r.choice([0, 0, 0, 7, 8])) for _ in range(r.choice([0, 1, 1, 1, 2, 3, 5]))]
        if not self.columns:
            lines[:-1] = [(function, line, 0) for function, line, _ in lines[:-1]]
        if self.like_go and not lines:
            lines = [(0, 12, 0)]
        mapping = r.choice([None, *range(len(self.mappings))]) if self.mappings else None
        address = r.choice([0, 1, 0x10, 0x20, 0x20, 0xFFF, r.randrange(1 << 16)])
        if self.like_go:
            # Go's compiler takes two places at one address for one, and mappings move by whole pages.
            address = r.randrange(4) * 0x1000 + number * 0x40
        return {"mapping": mapping, "address": address, "lines": lines, "folded": r.random() < 0.1}

    def make_labels(self):
        """A label is (key, string, number, unit): what is None is not written."""
        r = self.random
        labels = []
        for _ in range(r.choice([0, 1, 1, 2, 3, 6])):
            key = r.choice(["", "k", "k", "key", "z", "größe"])
            kind = r.randrange(6)
            number = r.choice([0, 1, 2, -1, BIG - 1, -BIG])
            if kind < 3:
                labels.append((key, r.choice(["v", "w", "v\n", self.word()]), None, None))
            elif kind == 3:
                labels.append((key, None, number, None))
            elif kind == 4:
                labels.append((key, None, number, r.choice(["bytes", "ms", self.word()])))
            else:
                labels.append((key, r.choice(["both", ""]), number, r.choice([None, "bytes"])))
        return labels

    def make_frames(self):
        """Patterns of frames to drop and keep, in what all regular expressions have in common; one is broken."""
        r = self.random
        name = lambda: r.choice(["main.func1", "main", "runtime.*", "f[0-5]", "f1|f2|f3", ".*", "operator", "größe", "x{3,}", "no such"])
        return r.choice([name(), name(), name() + "|" + name(), "("]), r.choice(["", "", name(), "f2"])

    # One input.

    def value(self):
        r = self.random
        if self.mixed:
            return r.choice([1, 2, 10, 10000000])  # a 0 would change the order once the other types are gone
        if self.cancels:
            return r.choice([0, 0, 1, -1])
        if self.signed:
            return r.choice([0, 0, 1, -1, 2, -2, 10, BIG - 1, -BIG])
        return r.choice([0, 1, 1, 2, 10, 10000000, 123456789])

    def stacks_of(self, number):
        return self.late[1] if self.late and number < self.late[0] else self.stacks

    def make_input(self, number):
        raw = Writer(self, number).profile()
        dice = self.random.random()
        if dice < 0.5:
            return gzip.compress(raw, 1, mtime=0)
        if dice < 0.6:  # several members
            cut = self.random.randint(0, len(raw))
            return gzip.compress(raw[:cut], 6, mtime=5) + gzip.compress(raw[cut:], 1, mtime=0)
        return raw


class Writer:
    """Writes one profile of a case, each time with other ids, in another order, in other spellings."""

    def __init__(self, case, number):
        self.case = case
        self.stacks = case.stacks_of(number)
        self.random = case.random
        self.odd = case.spelling != "plain"
        self.wild = case.spelling == "wild"
        self.strings = [""]
        self.index = {"": 0}

    def string(self, text):
        if text not in self.index or self.odd and self.random.random() < 0.05:
            self.index[text] = len(self.strings)  # odd tables hold a string twice, also ""
            self.strings.append(text)
        return self.index[text] if text or self.odd else 0

    def padding(self):
        return self.random.choice([0, 0, 0, 1, 9]) if self.wild else 0

    def number(self, tag, value):
        if value == 0 and not (self.odd and self.random.random() < 0.3):
            return b""
        before = wire.scalar(tag, 77) if self.wild and self.random.random() < 0.1 else b""  # the last one counts
        return before + wire.scalar(tag, value, self.padding())

    def numbers(self, tag, values):
        """Packed, one by one, or both mixed: all the same to a reader."""
        out, rest = b"", list(values)
        while rest:
            n = self.random.randint(1, len(rest)) if self.odd else len(rest)
            piece, rest = rest[:n], rest[n:]
            if len(piece) > 2 or self.odd and self.random.random() < 0.5:
                out += wire.block(tag, b"".join(wire.varint(v, self.padding()) for v in piece))
            else:
                out += b"".join(wire.scalar(tag, v) for v in piece)
        return out + (wire.block(tag, b"") if self.wild and self.random.random() < 0.1 else b"")

    def unknown(self):
        tag = self.random.choice([16, 99, 1 << 20, 0])
        return self.random.choice([wire.scalar(tag, 5), wire.block(tag, b"\xff\xff"), wire.varint(tag << 3 | 1) + b"12345678",
                                   wire.varint(tag << 3 | 5) + b"1234"])

    def join(self, parts):
        """The fields of a message, in any order; what is repeated must be one part."""
        parts = [p for p in parts if p]
        if self.wild:
            self.random.shuffle(parts)
            if self.random.random() < 0.2:
                parts.insert(self.random.randint(0, len(parts)), self.unknown())
        return b"".join(parts)

    def ids(self, n):
        style = self.random.choice(["dense", "dense", "mixed", "sparse"]) if self.odd else "dense"
        if style == "sparse":
            return self.random.sample(range(1, 1 << 62), n)
        ids = list(range(1, n + 1))
        if style == "mixed":
            self.random.shuffle(ids)
            ids = [i if i % 3 else (1 << 64) - i for i in ids]
        return ids

    def profile(self):
        case, r = self.case, self.random
        self.types, self.period_type = case.types_of_one()
        self.mapping_ids = self.ids(len(case.mappings))
        self.location_ids = self.ids(len(case.locations))
        self.function_ids = self.ids(len(case.functions))
        self.shift = [r.choice([0, 0, 0x1000, 0x555555000, -0x1000]) for _ in case.mappings]
        self.used = set()
        samples = [self.sample() for _ in range(case.size)]
        types = [wire.block(1, self.value_type(t)) for t in self.types]
        tables = [self.mapping_table(), self.location_table(), [wire.block(5, f) for f in self.functions()]]
        return self.assemble([types, samples, *tables, *self.header()])

    def assemble(self, groups):
        """Groups are lists of fields that must keep their order among themselves."""
        r = self.random
        if self.odd:
            r.shuffle(groups)
        if self.wild:
            groups = self.interleave(groups)
        texts = [wire.block(6, s.encode()) for s in self.strings]
        groups.insert(r.randint(0, len(groups)) if self.odd else len(groups), texts)
        raw = b"".join(part for group in groups for part in group)
        return raw + (self.unknown() if self.odd else b"")

    def interleave(self, groups):
        tagged = [(r, part) for group in groups for r, part in zip(sorted(self.random.random() for _ in group), group)]
        return [[part for _, part in sorted(tagged, key=lambda pair: pair[0])]]

    def value_type(self, pair):
        return self.join([self.number(1, self.string(pair[0])), self.number(2, self.string(pair[1]))])

    def header(self):
        case, r = self.case, self.random
        one = lambda tag, value: [self.number(tag, value)] if value or self.odd else []
        time = r.choice([0, 100, 200, 1700000000 * 10**9, -5])
        comments = [self.string(r.choice(["one", "two", "", "größe"])) for _ in range(r.choice([0, 0, 1, 2, 4]))]
        period = r.choice([0, 1, 10000000, 10000000, 20000000])
        groups = [one(7, self.string(case.drop)), one(8, self.string(case.keep)), [wire.scalar(9, time)] if time else [],
                  one(10, r.choice([0, 1, 10**10, -1])), one(12, period), [self.numbers(13, comments)],
                  one(14, self.string(r.choice([case.default_type, ""])))]
        if self.period_type:
            groups.append([wire.block(11, self.value_type(self.period_type))])
        if case.doc_url and r.random() < 0.3:
            groups.append([wire.scalar(15, self.string(r.choice(["https://a.example/", "doc"])))])
        return groups

    def sample(self):
        case, r = self.case, self.random
        stack = r.choice(self.stacks)
        self.used.update(stack)
        values = [case.value() for _ in self.types]
        if case.like_go and not any(values):
            values[-1] = 1
        labels = b"".join(wire.block(3, self.label(x)) for x in r.choice(case.labels))
        ids = [self.location_ids[i] for i in stack]
        return wire.block(2, self.join([self.numbers(1, ids), self.numbers(2, values), labels]))

    def label(self, label):
        key, text, number, unit = label
        return self.join([self.number(1, self.string(key)), self.number(2, self.string(text)) if text is not None else b"",
                          self.number(3, number) if number is not None else b"",
                          self.number(4, self.string(unit)) if unit is not None else b""])

    def mapping_table(self):
        table = [wire.block(3, self.mapping(i)) for i in range(len(self.case.mappings))]
        if self.odd:
            self.random.shuffle(table)
        return table

    def mapping(self, i):
        m, r = self.case.mappings[i], self.random
        start = m["start"] + self.shift[i]
        # A few bytes more or less within a page are the same mapping.
        limit = start + m["size"] - (r.choice([0, 1, 0x10]) if m["size"] >= 0x1000 and m["size"] % 0x1000 > 0x20 else 0)
        flags = [self.number(7 + n, r.choice([1, 1, 5]) if self.wild else 1) for n, on in enumerate(m["flags"]) if on]
        return self.join([self.number(1, self.mapping_ids[i]), self.number(2, start), self.number(3, limit),
                          self.number(4, m["offset"]), self.number(5, self.string(m["file"])),
                          self.number(6, self.string(m["build"])), *flags])

    def location_table(self):
        listed = [i for i in range(len(self.case.locations)) if i in self.used or self.random.random() < 0.2]
        if self.odd:
            self.random.shuffle(listed)
        return [wire.block(4, self.location(i)) for i in listed]

    def location(self, i):
        location = self.case.locations[i]
        m = location["mapping"]
        mapping, base = 0, 0
        if m is not None:
            mapping, base = self.mapping_ids[m], self.case.mappings[m]["start"] + self.shift[m]
        elif self.odd and self.random.random() < 0.2:
            mapping = 424242  # an id no mapping has: as good as none
        lines = [wire.block(4, self.join([self.number(1, self.function_ids[f]), self.number(2, line), self.number(3, column)]))
                 for f, line, column in location["lines"]]
        return self.join([self.number(1, self.location_ids[i]), self.number(2, mapping),
                          self.number(3, base + location["address"]), b"".join(lines),
                          self.number(5, int(location["folded"]))])

    def functions(self):
        listed = list(range(len(self.case.functions)))
        if self.odd:
            self.random.shuffle(listed)
        for i in listed:
            name, system, file, start = self.case.functions[i]
            yield self.join([self.number(1, self.function_ids[i]), self.number(2, self.string(name)),
                             self.number(3, self.string(system)), self.number(4, self.string(file)), self.number(5, start)])
