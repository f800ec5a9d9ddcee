#!/usr/bin/env python3
"""Sequence at 2 bits a base, to the same bytes and back.

pack.py pack FILE... --out ARCHIVE     FASTA and CSV files (sequence,label), plain or .gz, each under its path as given
pack.py unpack ARCHIVE --out FOLDER    the same files without .gz, under those paths

Letters other than A, C, G and T are kept as runs, lower case as runs, and the length of FASTA lines as one number; a file of uneven lines or
anything else that these cannot tell is kept as it is. `pack` unpacks in memory what it made, and fails where a byte differs.
"""
import argparse, gzip, json, lzma, re, struct, sys
from pathlib import Path, PurePosixPath

MAGIC = b"ldar2bit"
QUADS = [bytes("ACGT"[byte >> shift & 3].encode()[0] for shift in (6, 4, 2, 0)) for byte in range(256)]
CODES = bytes("ACGT".find(chr(byte).upper()) & 3 for byte in range(256))


def squeeze(letters):
    """Letters as (codes, runs of other letters, runs of lower case)."""
    others = [[m.start(), m.group().decode("latin-1")[0], len(m.group())] for m in re.finditer(rb"([^ACGTacgt])\1*", letters)]
    lower = [[m.start(), len(m.group())] for m in re.finditer(rb"[a-z]+", letters)]
    codes = letters.translate(CODES) + b"\0" * (-len(letters) % 4)
    packed = bytes(a << 6 | b << 4 | c << 2 | d for a, b, c, d in zip(codes[::4], codes[1::4], codes[2::4], codes[3::4]))
    return packed, others, lower


def stretch(packed, length, others, lower):
    letters = bytearray(b"".join(map(QUADS.__getitem__, packed))[:length])
    for start, letter, n in others:
        letters[start : start + n] = letter.encode("latin-1") * n
    for start, n in lower:
        letters[start : start + n] = letters[start : start + n].lower()
    return bytes(letters)


def fasta(text):
    """Header lines, lengths of records and the length of their lines; then the letters."""
    heads, lengths, parts, width = [], [], [], 0
    for record in text[1:].split(b"\n>"):
        head, _, body = record.partition(b"\n")
        lines = body.rstrip(b"\n").split(b"\n")
        width = max(width, *map(len, lines))
        heads.append(head.decode("latin-1"))
        lengths.append(sum(map(len, lines)))
        parts.append(b"".join(lines))
    return {"kind": "fasta", "heads": heads, "lengths": lengths, "width": width}, b"".join(parts)


def table(text):
    """First line, labels and lengths of rows; then the letters."""
    head, *rows = text.removesuffix(b"\n").split(b"\n")
    fields = [row.split(b",") for row in rows]
    lengths = [len(sequence) for sequence, _ in fields]
    # Mostly one length, and few labels: both compress to next to nothing.
    return {"kind": "table", "head": head.decode(), "lengths": lengths, "labels": [label.decode() for _, label in fields]}, b"".join(s for s, _ in fields)


def restored(notes, letters):
    out, start = [], 0
    if notes["kind"] == "table":
        out.append(notes["head"].encode() + b"\n")
        for length, label in zip(notes["lengths"], notes["labels"]):
            out.append(letters[start : start + length] + b"," + label.encode() + b"\n")
            start += length
        return b"".join(out)
    width = notes["width"]
    for head, length in zip(notes["heads"], notes["lengths"]):
        out.append(b">" + head.encode("latin-1") + b"\n")
        out.extend(letters[i : min(i + width, start + length)] + b"\n" for i in range(start, start + length, width))
        start += length
    return b"".join(out)


def read(path):
    data = Path(path).read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def packed(path):
    text = read(path)
    name = str(path).removesuffix(".gz")
    try:
        notes, letters = (table if name.endswith(".csv") else fasta)(text)
        codes, notes["others"], notes["lower"] = squeeze(letters)
        notes["letters"] = len(letters)
        if restored(notes, stretch(codes, len(letters), notes["others"], notes["lower"])) != text:
            raise ValueError("uneven lines")
    except (ValueError, TypeError) as why:
        print(f"{path}: kept as it is ({why})", file=sys.stderr)
        notes, codes = {"kind": "as it is"}, text
    return {"name": name, "bytes": len(codes), "plain": len(text), **notes}, codes


def pack(paths, out):
    notes, blocks = zip(*map(packed, paths))
    # Codes of four bases a byte do not compress; what is told of them does.
    head = lzma.compress(json.dumps(notes).encode())
    temporary = out.with_name(out.name + ".partial")
    with open(temporary, "wb") as file:
        file.write(MAGIC + struct.pack("<Q", len(head)) + head)
        file.writelines(blocks)
    if files(temporary) != [(note["name"], read(path)) for note, path in zip(notes, paths)]:
        sys.exit(f"{out}: what was packed is not what comes out")
    temporary.rename(out)
    print(f"{out}: {len(paths)} files, {sum(note['plain'] for note in notes):,} bytes in {out.stat().st_size:,}")


def files(archive):
    data = Path(archive).read_bytes()
    if data[:8] != MAGIC:
        sys.exit(f"{archive}: not made by pack.py")
    end = 16 + struct.unpack("<Q", data[8:16])[0]
    out = []
    for notes in json.loads(lzma.decompress(data[16:end])):
        block, end = data[end : end + notes["bytes"]], end + notes["bytes"]
        if notes["kind"] != "as it is":
            block = restored(notes, stretch(block, notes["letters"], notes["others"], notes["lower"]))
        out.append((notes["name"], block))
    return out


def unpack(archive, folder):
    for name, block in files(archive):
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            sys.exit(f"{archive}: {name} would lie outside {folder}")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(block)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("what", choices=["pack", "unpack"])
    arguments.add_argument("files", nargs="+", type=Path)
    arguments.add_argument("--out", required=True, type=Path)
    arguments = arguments.parse_args()
    if arguments.what == "pack":
        pack(arguments.files, arguments.out)
    else:
        for archive in arguments.files:
            unpack(archive, arguments.out)


main()
