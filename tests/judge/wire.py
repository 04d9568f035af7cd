"""The wire form of a profile, read and written by the letter of profile.proto.

Written apart from pgofs and from google/pprof, so that a mistake of theirs is not repeated here. The writing side knows
the many spellings that mean the same; the reading side prints a profile as text, for people to see where two differ.
"""

import difflib
import gzip


def varint(number, padding=0):
    """Negative numbers take the ten bytes of their two's complement; padding adds bytes that mean nothing."""
    number &= (1 << 64) - 1
    out = bytearray()
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    for _ in range(min(padding, 10 - len(out))):
        out[-1] |= 128
        out.append(0)
    return bytes(out)


def scalar(tag, number, padding=0):
    return varint(tag << 3, padding) + varint(number, padding)


def block(tag, content):
    return varint(tag << 3 | 2) + varint(len(content)) + content


def inflate(stored):
    return gzip.decompress(stored) if stored[:2] == b"\x1f\x8b" else stored


def read_varint(raw, at):
    number = 0
    for i in range(10):
        number |= (raw[at + i] & 127) << (7 * i)
        if raw[at + i] < 128:
            return number & (1 << 64) - 1, at + i + 1
    raise ValueError("a varint of more than ten bytes at %d" % at)


def fields(raw):
    """Yields (tag, value): an int, or bytes."""
    at = 0
    while at < len(raw):
        key, at = read_varint(raw, at)
        if key & 7 == 0:
            value, at = read_varint(raw, at)
        elif key & 7 == 2:
            length, at = read_varint(raw, at)
            value, at = raw[at : at + length], at + length
        else:
            width = {1: 8, 5: 4}[key & 7]
            value, at = int.from_bytes(raw[at : at + width], "little"), at + width
        yield key >> 3, value


NAMES = {
    "profile": {1: "sample_type", 2: "sample", 3: "mapping", 4: "location", 5: "function", 6: "string", 7: "drop_frames",
                8: "keep_frames", 9: "time_nanos", 10: "duration_nanos", 11: "period_type", 12: "period", 13: "comment",
                14: "default_sample_type", 15: "doc_url"},
    "sample_type": {1: "type", 2: "unit"},
    "sample": {1: "stack", 2: "value", 3: "label"},
    "label": {1: "key", 2: "str", 3: "num", 4: "num_unit"},
    "mapping": {1: "id", 2: "start", 3: "limit", 4: "offset", 5: "file", 6: "build_id", 7: "has_functions",
                8: "has_filenames", 9: "has_line_numbers", 10: "has_inline_frames"},
    "location": {1: "id", 2: "mapping_id", 3: "address", 4: "line", 5: "is_folded"},
    "line": {1: "function_id", 2: "number", 3: "column"},
    "function": {1: "id", 2: "name", 3: "system_name", 4: "file", 5: "start_line"},
}
NAMES["period_type"] = NAMES["sample_type"]
TEXTS = {"type", "unit", "key", "str", "num_unit", "file", "build_id", "name", "system_name", "drop_frames", "keep_frames",
         "comment", "default_sample_type", "doc_url"}
HEX = {"start", "limit", "offset", "address"}


def signed(number):
    return number - (1 << 64) if number >> 63 else number


def show(kind, value, strings):
    if kind in NAMES:
        parts = []
        for tag, inner in fields(value):
            name = NAMES[kind].get(tag, "unknown_%d" % tag)
            parts.append("%s=%s" % (name, show(name, inner, strings)))
        return "{%s}" % " ".join(parts)
    if kind.startswith("unknown"):
        return repr(value)
    if isinstance(value, bytes):
        numbers, at = [], 0
        while at < len(value):
            number, at = read_varint(value, at)
            numbers.append(str(signed(number)))
        return "[%s]" % " ".join(numbers)
    if kind in TEXTS:
        return repr(strings[value]) if value < len(strings) else "string %d of %d" % (value, len(strings))
    return hex(value) if kind in HEX else str(signed(value))


def dump(raw):
    """A profile as lines of text, one for each message, in the order of the file."""
    strings = [value.decode("utf-8", "backslashreplace") for tag, value in fields(raw) if tag == 6]
    lines = []
    for tag, value in fields(raw):
        name = NAMES["profile"].get(tag, "unknown_%d" % tag)
        text = repr(value.decode("utf-8", "backslashreplace")) if tag == 6 else show(name, value, strings)
        lines.append("%s %s" % (name, text))
    return lines


def difference(wanted, got, limit=40):
    """Why two raw profiles differ, as lines of text; empty when they are the same bytes."""
    if wanted == got:
        return []
    try:
        lines = list(difflib.unified_diff(dump(wanted), dump(got), "wanted", "got", lineterm="", n=1))
    except (ValueError, IndexError, KeyError) as problem:
        return ["wanted %d bytes, got %d that are no profile: %r" % (len(wanted), len(got), problem)]
    return [line[:200] for line in lines[:limit]] or ["the same messages, spelled otherwise"]
