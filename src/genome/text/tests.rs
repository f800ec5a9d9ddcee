use std::io::Write;

use super::*;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

/// Blocks of three bytes each, and the empty one at the end.
fn bgzip(text: &[u8]) -> Vec<u8> {
    let mut out = noodles::bgzf::io::Writer::new(Vec::new());
    for chunk in text.chunks(3) {
        out.write_all(chunk).unwrap();
        out.flush().unwrap();
    }
    out.finish().unwrap()
}

fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    unpacked(bytes)?.read_to_end(&mut all)?;
    Ok(all)
}

#[test]
fn every_packing_reads_the_same() {
    let long: Vec<u8> = (0..400_000u64)
        .map(|i| b"ACGT\n"[(i * i % 5) as usize])
        .collect();
    for text in [&b"abcdefgh\n"[..], b"", b"a", &long] {
        for bytes in [text.to_vec(), gzip(text), bgzip(text)] {
            assert_eq!(read(&bytes).unwrap(), text);
        }
    }
    let (one, two) = (b"first\n", b"second\n");
    let both = [&one[..], two].concat();
    for bytes in [
        [gzip(one), gzip(two)],
        [bgzip(one), bgzip(two)],
        [bgzip(one), gzip(two)],
        [gzip(one), bgzip(two)],
    ] {
        assert_eq!(read(&bytes.concat()).unwrap(), both);
    }
}

#[test]
fn what_is_cut_off_is_never_taken_as_whole() {
    let text = b"abcdefgh\n";
    for bytes in [
        gzip(text),
        bgzip(text),
        [gzip(text), bgzip(text)].concat(),
        [bgzip(text), gzip(text)].concat(),
    ] {
        for length in 2..bytes.len() {
            match read(&bytes[..length]) {
                Err(e) => assert!(
                    e.to_string().contains(CUT_OFF),
                    "{length} of {}: {e}",
                    bytes.len()
                ),
                // A whole file by itself: nothing can tell that another should follow.
                Ok(found) => assert!(
                    found == text && length >= 28 && length + 28 <= bytes.len(),
                    "{length} of {}",
                    bytes.len()
                ),
            }
        }
    }
    // A bgzip file without its closing block, and gzip after it.
    let blocks = bgzip(text);
    let open = [&blocks[..blocks.len() - 28], &gzip(text)].concat();
    assert!(read(&open).unwrap_err().to_string().contains(CUT_OFF));
}

#[test]
fn damage_is_named() {
    let mut bytes = gzip(&[b'x'; 1000]);
    let checksum = bytes.len() - 8;
    bytes[checksum] ^= 0x55;
    assert!(
        read(&bytes)
            .unwrap_err()
            .to_string()
            .contains("damaged gzip file")
    );
    let trailing = [gzip(b"x"), b"garbage".to_vec()].concat();
    assert!(
        read(&trailing)
            .unwrap_err()
            .to_string()
            .contains("what is no gzip")
    );
    assert!(
        read(b"\xff\xfea\0")
            .unwrap_err()
            .to_string()
            .contains("UTF-16")
    );
}

fn lines(text: &[u8]) -> Result<Vec<String>> {
    let (mut lines, mut all) = (Lines::new(Path::new("x"), text), Vec::new());
    while let Some((number, line)) = lines.advance()? {
        all.push(String::from_utf8_lossy(line).into_owned());
        assert_eq!(number, all.len() as u64);
    }
    Ok(all)
}

#[test]
fn lines_lose_their_ends_and_the_mark() {
    for text in [
        "\u{feff}a\nb\n\nc",
        "a\r\nb\r\n\r\nc\r\n",
        "a\r\r\nb\n\nc\n",
    ] {
        assert_eq!(
            lines(text.as_bytes()).unwrap(),
            ["a", "b", "", "c"],
            "{text:?}"
        );
    }
    assert!(lines(b"").unwrap().is_empty());
    let message = lines(b"a\rb\rc\r").unwrap_err().to_string();
    assert!(
        message.starts_with("x:1: ") && message.contains("carriage returns"),
        "{message}"
    );
}

#[test]
fn a_line_without_end_is_refused_before_it_fills_the_memory() {
    let mut lines = Lines::new(Path::new("zero"), BufReader::new(io::repeat(0)));
    let message = lines.advance().unwrap_err().to_string();
    assert!(
        message.contains("zero:1: ") && message.contains("16 MiB"),
        "{message}"
    );
}

#[test]
fn nothing_printed_moves_a_cursor_or_a_column() {
    assert_eq!(printable("chrIV ΔN-p63 β".as_bytes()), "chrIV ΔN-p63 β");
    assert_eq!(
        printable(b"a\tb\nc\x1b[31md\x7f\xc2\x9b\xe2\x80\xaee\xff"),
        "a b c [31md   e\u{fffd}"
    );
}
